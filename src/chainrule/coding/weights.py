"""Probabilities as integers: what an archive is defined by.

A range coder works with integer weights w_k >= 1 that sum to 2^24. They are made from probabilities p_k in float64,

    w_k = floor(M c_k) - floor(M c_{k-1}) + 1,    M = 2^24 - V,    c_k = (p_0 + ... + p_k) / (p_0 + ... + p_{V-1}),

so w_k > M p_k, and a symbol costs at most -log2(1 - V / 2^24) <= 1.45 V / 2^24 bits more than -log2 p_k. A symbol of
probability zero costs 24 bits at most, so that everything can be coded.
"""

from __future__ import annotations

import numpy as np

from chainrule.batch import Array
from chainrule.errors import InputError

__all__ = ["BITS", "MOST_SYMBOLS", "TOTAL", "integer_weights"]

BITS = 24
TOTAL = 1 << BITS
MOST_SYMBOLS = 4096  # that one row of weights is for; larger alphabets are coded in two levels


def integer_weights(pmf: Array) -> Array:
    """Weights w >= 1 that sum to 2^24, int64, from rows of probabilities.

    pmf: probabilities, not negative, normalised up to rounding, shape (N, V) with V up to 4096.

    >>> integer_weights(np.array([[0.5, 0.25, 0.25], [1.0, 0.0, 0.0]])).tolist()
    [[8388607, 4194304, 4194305], [16777214, 1, 1]]
    """
    p = np.ascontiguousarray(pmf, dtype=np.float64)
    if p.ndim != 2 or not 1 <= p.shape[1] <= MOST_SYMBOLS:
        raise InputError(f"weights are made from rows of 1 to {MOST_SYMBOLS} probabilities, got the shape {p.shape}")
    if not p.size:
        return np.zeros(p.shape, dtype=np.int64)
    steps = p.cumsum(1)
    end = steps[:, -1:].copy()
    if not (p.min() >= 0 and end.min() > 0 and end.max() < np.inf):  # false for NaN, too
        _refuse(p)
    steps /= end
    steps *= TOTAL - p.shape[1]
    reached = steps.astype(np.int64)  # cuts off the fraction; the last is exactly 2^24 - V
    weights = np.empty_like(reached)
    weights[:, 0] = reached[:, 0]
    np.subtract(reached[:, 1:], reached[:, :-1], out=weights[:, 1:])  # not negative: sums of what is not, rounded, rise
    weights += 1
    return weights


def _refuse(p: Array) -> None:
    """Raise InputError for the first row that is not a distribution."""
    end = np.cumsum(p, 1)[:, -1]
    row = int(np.flatnonzero(~((p >= 0).all(1) & (end > 0) & (end < np.inf)))[0])
    raise InputError(
        f"row {row} is not a distribution: its probabilities run from {p[row].min()} to {p[row].max()} and sum to "
        f"{end[row]}; the model's numbers are not finite, train it again"
    )
