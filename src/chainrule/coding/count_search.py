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
CANDIDATES = 12  # of which each next parent is the best one
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
    x: Array, symbols: list[int], seconds: float, advance: Callable[[int], Any] = lambda n: None
) -> list[Element]:
    """The elements in the order in which they are coded, those that cost least first, with their parents.

    x: rows, shape (N, D).
    symbols: the number of symbols of each element.
    seconds: time after which elements get no more parents.
    advance: called with the number of elements that are done since the last call.
    """
    end = perf_counter() + seconds
    few = x if len(x) <= ROWS else x[np.linspace(0, len(x) - 1, ROWS).astype(np.int64)]
    alone = [_alone(few[:, place], count) for place, count in enumerate(symbols)]
    least = GAIN * len(few) / max(1, len(x))
    order = sorted(range(len(symbols)), key=lambda place: (alone[place].bits, place))
    cells, found = sum(2 * count for count in symbols), []
    for number, place in enumerate(order):
        parents: list[int] = []
        strengths: list[int] = []
        context, nearest = alone[place], list(order[:number])
        advance(1)
        while nearest and len(parents) < MOST_PARENTS and symbols[place] <= WIDEST and perf_counter() < end:
            tried = [(parent, *_with(context, few[:, parent], few[:, place])) for parent in nearest]
            tried.sort(key=lambda one: (one[2].bits, one[0]))
            parent, strength, best = tried[0]
            room = _contexts_of(x, [*parents, parent]) * symbols[place]
            if best.bits > context.bits - least or cells + room > MOST_CELLS:
                break
            cells += room
            parents.append(parent)
            strengths.append(strength)
            context, nearest = best, [one[0] for one in tried[1 : CANDIDATES + 1]]
        found.append(Element(place, symbols[place], tuple(parents), tuple(strengths)))
    return found


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
