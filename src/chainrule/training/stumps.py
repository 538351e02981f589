"""Boosted stumps for every binary decision at once: what comes before boosted trees where time is short.

    s_t(x) = b_t + sum over the rounds of a value by whether x_j <= c,   j before the element of decision t

One round adds a stump to every decision: the one that gains most by a Newton step. All sums over rows are two products
of matrices, so that a thousand columns take a fraction of a second. The number of rounds of each decision is the one
that is best on validation data; after any round what there is can be used.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from chainrule.batch import Array

__all__ = ["Stumps", "boosted_stumps"]

ROUNDS = 40
PATIENCE = 4  # rounds without improvement of any decision
RATE = 0.5  # of what each round adds; the first takes its whole step
L2 = 2.0
THRESHOLDS = 8  # per element
CELLS = 1 << 25  # numbers in the largest matrix: of more rows, a part is read
LARGEST = 8.0  # of a value


Stump = tuple[int, float, float, float]  # the element, the largest value that goes left, and what is added on each side


@dataclass(frozen=True)
class Stumps:
    """Stumps of T decisions.

    start: logit without any, shape (T,).
    added: the stumps of each decision, T lists.
    loss: mean nats of a decision per validation row, shape (T,).
    """

    start: Array
    added: list[list[Stump]]
    loss: Array

    def spread(self, used: Array) -> Stumps:
        """The same among decisions of which only these were asked, shape (T',)."""
        place = np.flatnonzero(used)
        start, loss = np.zeros(len(used), dtype=np.float32), np.zeros(len(used))
        start[place], loss[place] = self.start, self.loss
        added: list[list[Stump]] = [[] for _ in used]
        for t, stumps in zip(place, self.added, strict=True):
            added[t] = stumps
        return Stumps(start, added, loss)

    def part(self, first: int, last: int) -> Stumps:
        """Those of the decisions `first`, ..., `last` - 1."""
        return Stumps(self.start[first:last], self.added[first:last], self.loss[first:last])


def boosted_stumps(
    rows: Array,
    answers: Array,
    valid: tuple[Array, Array],
    element: Array,
    go_on: Callable[[int], bool] = lambda done: True,
) -> Stumps:
    """Boost stumps for many decisions about the same rows.

    rows: elements, shape (N, D).
    answers: of each row and decision, 1 or -1, 0 where it is not asked, shape (N, T).
    valid: the same two for validation.
    element: the element that each decision is about, shape (T,); its stumps read those before it.
    go_on: asked before each round with the number of those done.

    >>> x = np.array([[0, 0], [1, 1]] * 50)
    >>> stumps = boosted_stumps(x, 2 * x - 1, (x, 2 * x - 1), np.array([0, 1]))
    >>> [(j, left < -2, right > 2) for j, _, left, right in stumps.added[1]]
    [(0, True, True)]
    """
    owner, threshold = _thresholds(rows, int(element.max(initial=0)))
    keep = slice(None, None, max(1, -(-len(rows) * max(len(owner), len(element)) // CELLS)))
    rows, answers = rows[keep], answers[keep]
    below, valid_below = ((part[:, owner] <= threshold).astype(np.float32) for part in (rows, valid[0]))
    asked, right = (answers != 0).astype(np.float32), (answers > 0).astype(np.float32)
    start = np.log((right.sum(0) + 0.5) / ((asked - right).sum(0) + 0.5)).astype(np.float32)
    score = np.broadcast_to(start, answers.shape).copy()
    valid_score = np.broadcast_to(start, valid[1].shape).copy()
    loss = _loss(valid_score, valid[1])
    added: list[tuple[Array, Array, Array]] = []
    best = np.zeros(len(element), dtype=np.int64)
    forbidden = owner[:, None] >= element[None]
    while len(added) < ROUNDS and len(owner) and go_on(len(added)):
        which, left, other = _round(below, score, right, asked, forbidden, 1.0 if not added else RATE)
        score += np.where(below[:, which] > 0, left, other)
        valid_score += np.where(valid_below[:, which] > 0, left, other)
        added.append((which, left, other))
        now = _loss(valid_score, valid[1])
        better = now < loss - 1e-6
        loss, best = np.where(better, now, loss), np.where(better, len(added), best)
        if len(added) - best.max(initial=0) >= PATIENCE:
            break
    return _of_rounds(start, added, best, owner, threshold, loss)


def _thresholds(rows: Array, elements: int) -> tuple[Array, Array]:
    """The element and the largest value that goes left, of every question about the first elements."""
    owner: list[int] = []
    threshold: list[float] = []
    for j in range(elements):
        values = np.unique(rows[:, j])[:-1]
        if len(values) > THRESHOLDS:
            inside = np.quantile(rows[:, j], np.linspace(0, 1, THRESHOLDS + 1)[1:], method="lower")
            values = np.unique(np.append(inside[inside < rows[:, j].max()], values[-1]))
        owner += [j] * len(values)
        threshold += values.tolist()
    return np.array(owner, dtype=np.int64), np.array(threshold, dtype=rows.dtype)


def _round(
    below: Array, score: Array, right: Array, asked: Array, forbidden: Array, rate: float
) -> tuple[Array, Array, Array]:
    """The question that gains most for each decision, and what it adds on the left and on the right, each (T,)."""
    p = 1 / (1 + np.exp(-score))
    slope, curve = (right - p) * asked, p * (1 - p) * asked
    left, left_curve = below.T @ slope, below.T @ curve
    other, other_curve = slope.sum(0) - left, curve.sum(0) - left_curve
    gain = left**2 / (left_curve + L2) + other**2 / (other_curve + L2)
    gain[forbidden] = -1.0
    which = gain.argmax(0)
    at = (which, np.arange(len(which)))
    none = gain[at] < 0
    values = [
        np.clip(np.where(none, 0.0, rate * g[at] / (c[at] + L2)), -LARGEST, LARGEST).astype(np.float32)
        for g, c in ((left, left_curve), (other, other_curve))
    ]
    return which, values[0], values[1]


def _loss(score: Array, answers: Array) -> Array:
    """Nats per row of each decision, shape (T,)."""
    nats = np.logaddexp(0.0, -score * answers)
    nats[answers == 0] = 0.0
    return nats.sum(0, dtype=np.float64) / max(1, len(answers))


def _of_rounds(
    start: Array, added: list[tuple[Array, Array, Array]], best: Array, owner: Array, threshold: Array, loss: Array
) -> Stumps:
    """The stumps of each decision up to its best round, those with the same question put together."""
    found: list[list[Stump]] = []
    for t, rounds in enumerate(best.tolist()):
        sums: dict[int, tuple[float, float]] = {}
        for which, left, right in added[:rounds]:
            before = sums.get(int(which[t]), (0.0, 0.0))
            sums[int(which[t])] = (before[0] + float(left[t]), before[1] + float(right[t]))
        found.append([(int(owner[f]), float(threshold[f]), *values) for f, values in sums.items()])
    return Stumps(start, found, loss)
