"""Probabilities as integers: what an archive is defined by.

A range coder works with integer weights w_k >= 1 that sum to 2^24. They are made from probabilities p_k in float64,

    w_k = floor(M c_k) - floor(M c_{k-1}) + 1,    M = 2^24 - V,    c_k = (p_0 + ... + p_k) / (p_0 + ... + p_{V-1}),

so w_k > M p_k, and a symbol costs at most -log2(1 - V / 2^24) <= 1.45 V / 2^24 bits more than -log2 p_k. A symbol of
probability zero costs 24 bits at most, so that everything can be coded.
"""

from __future__ import annotations

from threading import local

import numpy as np
import torch

from chainrule.batch import Array
from chainrule.errors import InputError

__all__ = ["BITS", "MOST_SYMBOLS", "TOTAL", "Room", "integer_weights"]

BITS = 24
TOTAL = 1 << BITS
MOST_SYMBOLS = 4096  # that one row of weights is for; larger alphabets are coded in two levels


class Room(local):
    """Memory of one thread that is used again: asking for some takes longer than many a computation in it."""

    def __init__(self) -> None:
        self.kept = np.zeros((0, 0))

    def of(self, shape: tuple[int, ...]) -> Array:
        """An array of numbers, whatever they are, float64; until the next call it belongs to the caller."""
        if self.kept.shape != shape:
            self.kept = np.zeros(shape)
        return self.kept


ROOM = Room()
MANY = 64  # symbols from which on PyTorch adds up faster


def integer_weights(pmf: Array) -> Array:
    """Weights w >= 1 that sum to 2^24, whole numbers in float64, from rows of probabilities.

    pmf: probabilities, not negative, normalised up to rounding, shape (N, V) with V up to 4096.

    >>> integer_weights(np.array([[0.5, 0.25, 0.25], [1.0, 0.0, 0.0]])).astype(int).tolist()
    [[8388607, 4194304, 4194305], [16777214, 1, 1]]
    """
    p = np.require(pmf, np.float64, ("C", "W"))
    if p.ndim != 2 or not 1 <= p.shape[1] <= MOST_SYMBOLS:
        raise InputError(f"weights are made from rows of 1 to {MOST_SYMBOLS} probabilities, got the shape {p.shape}")
    if not p.size:
        return np.zeros(p.shape)
    if p.shape[1] == 2:
        return _of_two(p)
    steps = ROOM.of(p.shape)
    if p.shape[1] < MANY:
        p.cumsum(1, out=steps)
    else:  # one after the other, too, in a quarter of the time
        torch.cumsum(torch.from_numpy(p), 1, out=torch.from_numpy(steps))
    end = steps[:, -1:].copy()
    if not (_least(p) >= 0 and _least(end) > 0 and _most(end) < np.inf):  # false for NaN, too
        _refuse(p)
    steps /= end
    steps *= TOTAL - p.shape[1]
    np.floor(steps, out=steps)  # of the last symbol exactly 2^24 - V
    weights = np.empty_like(steps)
    np.subtract(steps.ravel()[1:], steps.ravel()[:-1], out=weights.ravel()[1:])  # sums rise, rounded or not: >= 0
    weights[:, 0] = steps[:, 0]
    weights += 1
    return weights


def _of_two(p: Array) -> Array:
    """The same for two symbols, in fewer steps."""
    end = p[:, 0] + p[:, 1]
    if not (_least(p) >= 0 and _least(end) > 0 and _most(end) < np.inf):
        _refuse(p)
    first = p[:, 0] / end
    first *= TOTAL - 2
    np.floor(first, out=first)
    weights = np.empty_like(p)
    np.add(first, 1, out=weights[:, 0])
    np.subtract(TOTAL - 1, first, out=weights[:, 1])
    return weights


def _least(x: Array) -> float:
    return float(np.minimum.reduce(x, axis=None))


def _most(x: Array) -> float:
    return float(np.maximum.reduce(x, axis=None))


def _refuse(p: Array) -> None:
    """Raise InputError for the first row that is not a distribution."""
    end = np.cumsum(p, 1)[:, -1]
    row = int(np.flatnonzero(~((p >= 0).all(1) & (end > 0) & (end < np.inf)))[0])
    raise InputError(
        f"row {row} is not a distribution: its probabilities run from {p[row].min()} to {p[row].max()} and sum to "
        f"{end[row]}; the model's numbers are not finite, train it again"
    )
