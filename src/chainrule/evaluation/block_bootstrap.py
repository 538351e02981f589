"""How many neighbours of a stream belong together? The block length that the block bootstrap needs, by a rule.

With autocovariances R(k) of the d_n, weighted by the flat-top window w(t) = 1 up to t = 1/2, then falling to 0 at 1,

    G = sum_k w(k/M) |k| R(k),   S = sum_k w(k/M) R(k),   b = (3 G^2 / (2 S^2))^(1/3) N^(1/3)

minimises the mean squared error of the circular block bootstrap's variance. M is twice the lag after which
autocorrelations stay within two standard errors of zero. An interval suffers more from the bias of the variance, which
falls as 1/b, than from its noise, which studentising takes up: blocks are twice as long.

Papers: Politis, White, *Automatic block-length selection for the dependent bootstrap*, 2004; with Patton, 2009.
"""

from __future__ import annotations

from math import ceil, log10, sqrt

import numpy as np
import numpy.typing as npt

__all__ = ["block_length"]


def block_length(d: npt.NDArray[np.float64]) -> int:
    """The length of the blocks for a stationary series d, shape (N,); 1 where neighbours have nothing in common.

    >>> rng = np.random.default_rng(0)
    >>> noise = rng.normal(size=2000)
    >>> block_length(noise), block_length(np.convolve(noise, np.ones(10), "valid"))
    (1, 66)
    """
    n = len(d)
    d = d - d.mean()
    most = min(ceil(sqrt(n)) + max(5, ceil(log10(max(n, 10)))), n - 1)
    covariance = np.array([float(d[k:] @ d[: n - k]) / n for k in range(most + 1)])
    if n < 16 or not covariance[0] > 0:
        return 1
    silent = np.abs(covariance[1:] / covariance[0]) < 2 * sqrt(log10(n) / n)
    needed = max(5, ceil(sqrt(log10(n))))
    runs = [k for k in range(len(silent) - needed + 1) if silent[k : k + needed].all()]
    lag = runs[0] if runs else most
    if not lag:
        return 1
    lags = np.arange(1, min(2 * lag, most) + 1)
    weighted = np.minimum(1, 2 * (1 - lags / (2 * lag))).clip(min=0) * covariance[lags]
    g, s = 2 * float((lags * weighted).sum()), covariance[0] + 2 * float(weighted.sum())
    length = (1.5 * g**2 / max(s, 1e-12 * covariance[0]) ** 2 * n) ** (1 / 3)
    return int(np.clip(2 * ceil(length), 1, n // 8))
