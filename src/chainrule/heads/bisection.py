"""Values in an order, divided again and again into halves of like mass: the binary decisions that lead to a value."""

from __future__ import annotations

from dataclasses import dataclass
from heapq import heapify, heappop, heappush

import numpy as np

from chainrule.batch import Array, Rows

__all__ = ["Bisection", "bisected"]


@dataclass(frozen=True)
class Bisection:
    """A binary tree over L leaves, which are neighbouring stretches of values.

    starts: number of the first value of each leaf, shape (L,).
    signs: of decision i about a value in leaf l, shape (L - 1, L): +1 to the right, -1 to the left, 0 where it is not
        asked. Decision i divides what is left between leaf i and leaf i + 1.
    """

    starts: Rows
    signs: Array


def bisected(counts: Array, leaves: int, least: float = 0.0) -> Bisection:
    """Divide values, the heaviest stretch first, until there are enough leaves or none is worth dividing.

    counts: how often each value occurs, in the order of the values, shape (N,).
    leaves: largest number of leaves.
    least: smallest mass of a stretch that is divided.

    >>> tree = bisected(np.array([60, 10, 10, 20]), leaves=3)
    >>> tree.starts, tree.signs.tolist()
    (array([0, 1, 3]), [[-1, 1, 1], [0, -1, 1]])
    """
    running = np.concatenate([[0.0], np.cumsum(counts, dtype=np.float64)])
    stretches = [(-running[-1], 0, len(counts))]
    heapify(stretches)
    done: list[int] = []
    divided: list[tuple[int, int, int]] = []
    while stretches and len(stretches) + len(done) < leaves:
        mass, low, high = heappop(stretches)
        if high - low < 2 or -mass < least:
            done.append(low)
            continue
        middle = (running[low] + running[high]) / 2
        cut = low + 1 + int(np.abs(running[low + 1 : high] - middle).argmin())
        divided.append((low, cut, high))
        for a, b in ((low, cut), (cut, high)):
            heappush(stretches, (running[a] - running[b], a, b))
    starts = np.array(sorted([*done, *(low for _, low, _ in stretches)]), dtype=np.int64)
    signs = np.zeros((len(starts) - 1, len(starts)), dtype=np.int8)
    for low, cut, high in divided:
        a, b, c = np.searchsorted(starts, [low, cut, high])
        signs[b - 1, a:b], signs[b - 1, b:c] = -1, 1
    return Bisection(starts, signs)
