"""Counts that both sides learn while they code: rows of symbols by an online code, with nothing trained.

Each element has a list of elements that are coded before it, its parents. Its probability given the first k of them is

    p_k(v) = (n_k(v) + a_k p_{k-1}(v)) / (n_k + a_k),    p_{-1}(v) = 1 / V,    a_0 = 1,

where n_k(v) counts how often it was v among the rows before with the same values of these parents (a Dirichlet prior
around the distribution given fewer of them). Rows are coded in blocks: those of a block do not know of each other, and
a block has at most a 32nd of the rows before it, so that hardly anything is lost. Whole numbers are counted, and what
is computed from them are single operations in float64: the same on every machine.

Papers: Dawid, *The prequential approach*, 1984; Teh, *A hierarchical Bayesian language model*, 2006, for the prior.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from chainrule.batch import Array
from chainrule.coding.elements import Coder, code_symbols
from chainrule.errors import DamagedArchive

__all__ = [
    "MOST_CELLS",
    "MOST_PARENTS",
    "MOST_SYMBOLS",
    "Counts",
    "Element",
    "code_rows",
    "count_blocks",
    "elements_from_json",
    "extended",
]

MOST_PARENTS = 16
MOST_CELLS = 1 << 24  # counts of all elements together
MOST_SYMBOLS = 1 << 18  # of all elements together
LARGEST_BLOCK = 1 << 13  # rows
AT_ONCE = 1 << 22  # probabilities of an element that are computed at once
SHARE = 32  # rows before a block, for each of its own
STRENGTHS = range(-4, 7)  # exponents of a_k = 2^e
SPREAD, OF_VALUE = np.uint64(0x9E3779B97F4A7C15), np.uint64(0xD6E8FEB86659FD93)

Keys = npt.NDArray[np.uint64]


@dataclass(frozen=True)
class Element:
    """What an element is coded by.

    place: its number in a row.
    symbols: how many there are, V.
    parents: the numbers of the elements that its counts are by, the first one first.
    strengths: the exponent e of a_k = 2^e for each of them.
    """

    place: int
    symbols: int
    parents: tuple[int, ...] = ()
    strengths: tuple[int, ...] = ()


def elements_from_json(value: Any, symbols: list[int]) -> list[Element]:
    """Elements in the order in which they are coded, from [place, parents, strengths] of each.

    value: what an archive holds.
    symbols: the number of symbols of the element at each place.

    Raises DamagedArchive where that cannot be.

    >>> elements_from_json([[1, [], []], [0, [1], [0]]], [2, 3])[1]
    Element(place=0, symbols=2, parents=(1,), strengths=(0,))
    """
    found: list[Element] = []
    before: set[int] = set()
    try:
        for place, parents, strengths in value:
            sound = type(place) is int and place not in before and 0 <= place < len(symbols)
            sound = sound and len(parents) == len(strengths) <= MOST_PARENTS and all(p in before for p in parents)
            sound = sound and all(type(e) is int and e in STRENGTHS for e in strengths)
            if not sound:
                raise ValueError(place)
            found.append(Element(place, symbols[place], tuple(map(int, parents)), tuple(strengths)))
            before.add(place)
    except (TypeError, ValueError):
        found = []
    if len(found) != len(symbols):
        raise DamagedArchive("the archive does not say what is counted; it is damaged, fetch it again")
    return found


def extended(keys: Keys, values: Array) -> Keys:
    """Keys of contexts with the value of one more parent, modulo 2^64; two that meet share their counts."""
    return np.asarray(keys * SPREAD ^ (values.astype(np.uint64) + np.uint64(1)) * OF_VALUE)


class Table:
    """Counts of the V symbols by context.

    symbols: V.
    """

    def __init__(self, symbols: int) -> None:
        self.keys: Keys = np.zeros(0, dtype=np.uint64)  # sorted
        self.rows = np.zeros(0, dtype=np.int64)  # where the counts of each key stand
        self.counts = np.zeros((1, symbols), dtype=np.int32)
        self.used = 1  # rows of counts; the first is that of unknown contexts, all zero

    def of(self, keys: Keys) -> Array:
        """The counts of contexts, shape (B, V)."""
        if not len(self.keys):
            return self.counts[np.zeros(len(keys), dtype=np.int64)]
        place = np.minimum(np.searchsorted(self.keys, keys), len(self.keys) - 1)
        return self.counts[np.where(self.keys[place] == keys, self.rows[place], 0)]

    def add(self, keys: Keys, symbols: Array) -> int:
        """Count symbols; gives the number of counts that there are now."""
        fresh = np.setdiff1d(keys, self.keys)
        if len(fresh):
            rows = self.used + np.arange(len(fresh))
            self.used += len(fresh)
            if self.used > len(self.counts):
                room = max(self.used, 2 * len(self.counts)) - len(self.counts)
                self.counts = np.pad(self.counts, ((0, room), (0, 0)))
            places = np.searchsorted(self.keys, fresh)
            self.keys, self.rows = np.insert(self.keys, places, fresh), np.insert(self.rows, places, rows)
        np.add.at(self.counts, (self.rows[np.searchsorted(self.keys, keys)], symbols), 1)
        return self.used * self.counts.shape[1]


def block_of(learned: int, left: int, largest: int = LARGEST_BLOCK) -> int:
    """The number of rows of a block, after so many that were learned, of so many that are left."""
    return min(left, largest, max(1, learned // SHARE))


def count_blocks(rows: int) -> int:
    """The number of blocks in which rows are coded, or some more.

    >>> count_blocks(10), count_blocks(10_000)
    (10, 237)
    """
    done = blocks = 0
    while done < rows:
        done, blocks = done + block_of(done, rows - done), blocks + 1
    return blocks


class Counts:
    """The counts of all elements, and the probabilities that they give.

    elements: in the order in which they are coded.
    """

    def __init__(self, elements: list[Element]) -> None:
        self.elements = elements
        self.tables = [[Table(e.symbols) for _ in range(1 + len(e.parents))] for e in elements]
        self.learned = 0  # rows
        self.largest = min(LARGEST_BLOCK, max(1, AT_ONCE // max(e.symbols for e in elements)))

    def pmf(self, n: int, x: Array) -> Array:
        """The probabilities of element n of each row, shape (B, V).

        n: number of the element in the order.
        x: rows whose elements before it are known, shape (B, D).
        """
        element = self.elements[n]
        p = np.full((len(x), element.symbols), 1 / element.symbols)
        for table, keys, a in self._contexts(n, x):
            counts = table.of(keys)
            total = counts.sum(1, dtype=np.int64)  # of whole numbers: exact in any order
            p = p * a
            p = p + counts
            p = p / (total + a)[:, None]
        return p

    def learn(self, x: Array) -> None:
        """Count whole rows, shape (B, D)."""
        cells = 0
        for n, element in enumerate(self.elements):
            for table, keys, _ in self._contexts(n, x):
                cells += table.add(keys, x[:, element.place])
        if cells > MOST_CELLS:
            raise DamagedArchive(f"more than {MOST_CELLS} counts would be needed; the archive is damaged")
        self.learned += len(x)

    def _contexts(self, n: int, x: Array) -> Iterator[tuple[Table, Keys, float]]:
        """The table, the keys of the rows and a_k, for each number of parents."""
        element = self.elements[n]
        keys: Keys = np.zeros(len(x), dtype=np.uint64)
        yield self.tables[n][0], keys, 1.0
        for table, parent, strength in zip(self.tables[n][1:], element.parents, element.strengths, strict=True):
            keys = extended(keys, x[:, parent])
            yield table, keys, 2.0**strength

    def block(self, left: int) -> int:
        """The number of rows of the next block, of so many that are left."""
        return block_of(self.learned, left, self.largest)


def code_rows(
    coder: Coder, counts: Counts, x: Array | None, rows: int, advance: Callable[[int], Any] = lambda n: None
) -> Array:
    """Rows of symbols, int64, shape (N, D), coded by counts that learn them.

    coder: the side of the code.
    counts: what was learned so far, which goes on learning.
    x: the rows; None on the side that reads.
    rows: how many there are, N.
    advance: called with the number of elements that were coded since the last call.
    """
    width, found = len(counts.elements), []
    done = 0
    while done < rows:
        size = counts.block(rows - done)
        block = np.zeros((size, width), dtype=np.int64)
        for n, element in enumerate(counts.elements):
            known = None if x is None else x[done : done + size, element.place]
            block[:, element.place] = code_symbols(coder, counts.pmf(n, block), known)
        counts.learn(block)
        advance(block.size)
        found.append(block)
        done += size
    return np.concatenate([*found, np.zeros((0, width), dtype=np.int64)])
