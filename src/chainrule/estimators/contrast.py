"""ln p less what independent columns say: of pictures and the like, how strange a row is apart from how simple it is.

A picture with little in it is probable under every model. So is each of its pixels alone; what a model of independent
columns q explains of ln p among rows that are like the data, is not what makes a row new. The score is the sum of ln p
and of what is left of it, each in its own deviations over rows that were held out, and so, up to a factor,

    ln p(x) - c ln q(x),   c = b s / (s + r),   b = Cov(ln p, ln q) / Var(ln q), between 0 and 1,

where s is the deviation of ln p, and r that of ln p - b ln q.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

__all__ = ["background_of", "log_background", "share_of"]

Numbers = npt.NDArray[np.float64]
Rows = npt.NDArray[np.int64]


def background_of(x: Rows, sizes: Sequence[int]) -> Numbers:
    """ln q_d(k) of independent columns, (N(k) + 1/2) / (N + V/2), shape (D, largest V).

    x: symbols, shape (N, D).
    sizes: V, number of symbols of each column.

    >>> background_of(np.array([[0, 1], [0, 2]]), [2, 3])[:, :2].round(2).tolist()
    [[-0.18, -1.79], [-1.95, -0.85]]
    """
    counts = np.stack([np.bincount(column, minlength=max(sizes)) for column in x.T])
    return np.asarray(np.log((counts + 0.5) / (len(x) + np.array(sizes)[:, None] / 2)))


def log_background(log_pmf: Numbers, x: Rows) -> Numbers:
    """ln q of rows of symbols (N, D), shape (N,)."""
    return np.asarray(log_pmf[np.arange(x.shape[1]), x].sum(1))


def share_of(log_p: Numbers, log_q: Numbers) -> float:
    """c: how much of ln q is taken off ln p, between 0 and 1; 0 where there are no two rows that differ.

    >>> share_of(np.array([-9.0, -5.0, -7.0]), np.array([-12.0, -4.0, -8.0]))  # nothing is left
    0.5
    """
    known = np.isfinite(log_p)
    if known.sum() < 2 or np.ptp(log_q[known]) == 0:
        return 0.0
    both = np.cov(log_p[known], log_q[known])
    b = float(np.clip(both[0, 1] / both[1, 1], 0, 1))
    spread, left = float(log_p[known].std()), float((log_p - b * log_q)[known].std())
    return b * spread / (spread + left) if spread > 0 else 0.0
