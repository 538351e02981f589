"""Which elements the counts of each element are by: found one by one, by the length of the code that they would give.

    sum_t -log2 p_k(x_t | the rows before t)

needs the counts of what came alone, not of every symbol: two sorts give them for all t at once.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from time import perf_counter
from typing import Any

import numpy as np

from chainrule.batch import Array
from chainrule.coding.counts import MOST_CELLS, MOST_PARENTS, Element, Keys, extended

__all__ = ["find_elements"]

ROWS = 1 << 15  # on which parents are tried
CANDIDATES = 12  # elements of which each next parent is the best one
FEW = 1 << 12  # rows on which these are chosen
TRIED = (-2, 0, 2)  # exponents of the strength of the prior
GAIN = 16.0  # bits of all rows that a parent has to save, about what naming it costs
WIDEST = 1 << 16  # symbols of an element up to which it has parents


@dataclass(frozen=True)
class _Context:
    """What an element is coded by so far.

    bits: the length of its code.
    keys: the context of each row.
    p: the probability of what came in each row.
    """

    bits: float
    keys: Keys
    p: Array


def find_elements(
    x: Array, symbols: list[int], end: float, advance: Callable[[int], Any] = lambda n: None
) -> list[Element]:
    """The elements in the order in which they are coded, those that cost least first, with their parents.

    x: rows, shape (N, D).
    symbols: the number of symbols of each element.
    end: of `perf_counter`, after which elements get no more parents; those that cost most get theirs first.
    advance: called with the number of elements that are done since the last call.
    """
    rows = _apart(x, ROWS)
    alone = [_alone(rows[:, place], count).bits for place, count in enumerate(symbols)]
    order = sorted(range(len(symbols)), key=lambda place: (alone[place], place))
    cells, found = sum(2 * count for count in symbols), list[Element]()
    for number in reversed(range(len(order))):
        place = order[number]
        search = _Search(x, rows, place, symbols[place])
        nearest = search.nearest(order[:number], end)
        while nearest and len(search.parents) < MOST_PARENTS and perf_counter() < end:
            nearest, more = search.next_parent(nearest, MOST_CELLS - cells)
            cells += more
        found.append(Element(place, symbols[place], tuple(search.parents), tuple(search.strengths)))
        advance(1)
    return found[::-1]


def _apart(x: Array, count: int) -> Array:
    """So many rows at most, evenly apart."""
    return x if len(x) <= count else x[np.linspace(0, len(x) - 1, count).astype(np.int64)]


class _Search:
    """The parents of an element, one after the other.

    x: all rows.
    rows: those on which parents are tried.
    place, symbols: the element and the number of its symbols.
    """

    def __init__(self, x: Array, rows: Array, place: int, symbols: int) -> None:
        self.x, self.rows, self.place, self.symbols = x, rows, place, symbols
        self.parents: list[int] = []
        self.strengths: list[int] = []
        self.context = _alone(rows[:, place], symbols)
        self.least = GAIN * len(rows) / max(1, len(x))

    def nearest(self, before: list[int], end: float) -> list[int]:
        """The elements that say most about this one by themselves, on few rows.

        before: elements that are coded before it.
        end: of the time, after which there are none.
        """
        if self.symbols > WIDEST or perf_counter() >= end:
            return []
        if len(before) <= CANDIDATES:
            return before
        few = _apart(self.rows, FEW)
        values = few[:, self.place]
        alone = _alone(values, self.symbols)
        bits = {parent: _with(alone, few[:, parent], values)[1].bits for parent in before}
        return sorted(before, key=lambda parent: (bits[parent], parent))[:CANDIDATES]

    def next_parent(self, nearest: list[int], room: int) -> tuple[list[int], int]:
        """Take the best of some elements as a parent, where it saves bits; gives the others, and the counts it needs.

        nearest: the elements.
        room: how many counts there may be.
        """
        values = self.rows[:, self.place]
        tried = [(parent, *_with(self.context, self.rows[:, parent], values)) for parent in nearest]
        tried.sort(key=lambda one: (one[2].bits, one[0]))
        parent, strength, best = tried[0]
        needed = _contexts_of(self.x, [*self.parents, parent]) * self.symbols
        if best.bits > self.context.bits - self.least or needed > room:
            return [], 0
        self.parents.append(parent)
        self.strengths.append(strength)
        self.context = best
        return [one[0] for one in tried[1:]], needed


def _alone(values: Array, symbols: int) -> _Context:
    """The code of an element by its own counts."""
    keys: Keys = np.zeros(len(values), dtype=np.uint64)
    p = (_earlier(values.astype(np.uint64)) + 1 / symbols) / (np.arange(len(values)) + 1.0)
    return _Context(_bits(p), keys, p)


def _with(context: _Context, parent: Array, values: Array) -> tuple[int, _Context]:
    """The best strength of the prior for one more parent, and the code that it gives."""
    keys = extended(context.keys, parent)
    total, same = _earlier(keys), _earlier(extended(keys, values))
    tried = []
    for strength in TRIED:
        a = 2.0**strength
        p = (same + a * context.p) / (total + a)
        tried.append((_bits(p), strength, p))
    bits, strength, p = min(tried, key=lambda one: one[:2])
    return strength, _Context(bits, keys, p)


def _bits(p: Array) -> float:
    return float(-np.log2(p).sum())


def _earlier(keys: Keys) -> Array:
    """How often the key of each row stood in the rows before it."""
    order = np.argsort(keys, kind="stable")
    ordered, number = keys[order], np.arange(len(keys))
    begins = np.ones(len(keys), dtype=bool)
    begins[1:] = ordered[1:] != ordered[:-1]
    first = np.maximum.accumulate(np.where(begins, number, 0))
    earlier = np.empty(len(keys))
    earlier[order] = number - first
    return earlier


def _contexts_of(x: Array, parents: list[int]) -> int:
    """The number of contexts that there are, and one more."""
    keys: Keys = np.zeros(len(x), dtype=np.uint64)
    for parent in parents:
        keys = extended(keys, x[:, parent])
    return 1 + len(np.unique(keys))
