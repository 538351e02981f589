"""The peers of `benchmarks.continuous`: ln of densities of standardised rows, or of the masses of their cells."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import log_ndtr, logsumexp, ndtr, ndtri
from scipy.stats import norm
from sklearn.covariance import LedoitWolf
from sklearn.mixture import GaussianMixture
from sklearn.neighbors import KernelDensity

BANDWIDTHS = np.geomspace(0.03, 2.0, 20)
SPLITS = 5
ROWS = 256  # that are scored together
DRAWS = 200  # of sequential sampling
LEAST = 1e-300


@dataclass(frozen=True)
class Cells:
    """What a value stands for: steps (D,) of the standardised columns, or None for the point itself, a density."""

    steps: np.ndarray | None

    def column(self, d: int) -> Cells:
        return Cells(None if self.steps is None else self.steps[d : d + 1])


def _rise(z: np.ndarray, half: np.ndarray) -> np.ndarray:
    """ln of the mass of a standard Gaussian around z, from the tail that is smaller."""
    z = -np.abs(z)
    high, low = log_ndtr(z + half), log_ndtr(z - half)
    return high + np.log1p(-np.exp(np.minimum(low - high, -1e-12)))


def _kernel_scores(x: np.ndarray, at: np.ndarray, width: float, cells: Cells) -> np.ndarray:
    if cells.steps is None:
        return np.asarray(KernelDensity(bandwidth=width).fit(x).score_samples(at))
    scores = np.empty(len(at))
    for start in range(0, len(at), ROWS):
        some = at[start : start + ROWS]
        each = np.zeros((len(some), len(x)))
        for d, step in enumerate(cells.steps):
            (row, place), (seen, of_row) = (np.unique(y[:, d], return_inverse=True) for y in (some, x))
            off = (row[:, None] - seen) / width  # values repeat
            log_mass = _rise(off, step / width / 2) if step else norm.logpdf(off) - np.log(width)
            each += log_mass[place][:, of_row]
        scores[start : start + ROWS] = logsumexp(each, axis=1) - np.log(len(x))
    return scores


def best_width(x: np.ndarray, cells: Cells) -> float:
    """The bandwidth that is best on rows left out; of very many rows or columns of cells on some of them."""
    fold, widths = np.arange(len(x)) % SPLITS, BANDWIDTHS
    if cells.steps is not None and x.shape[1] > 1:
        fold = np.where(np.random.default_rng(0).random(len(x)) < 300 / len(x), fold, SPLITS)
    total = np.zeros(len(widths))
    for held in range(SPLITS):
        train, out = x[fold != held], x[fold == held]
        if len(out):
            total += [_kernel_scores(train, out, width, cells).sum() for width in widths]
    return float(widths[int(total.argmax())])


def kernels(x: np.ndarray, test: np.ndarray, cells: Cells) -> np.ndarray:
    """Gaussian kernels at all training rows, with the bandwidth that is best in cross-validation."""
    return _kernel_scores(x, test, best_width(x, cells), cells)


def mixture(x: np.ndarray, test: np.ndarray, cells: Cells) -> np.ndarray:
    """A mixture of Gaussians with as many components, and the kind of covariance, that BIC prefers."""
    tried = [
        GaussianMixture(k, covariance_type=kind, random_state=0, reg_covar=1e-4).fit(x)
        for kind in ("full", "diag")
        for k in (1, 2, 3, 4, 6, 8, 12)
        if k * 5 < len(x)
    ]
    best = min(tried, key=lambda fitted: fitted.bic(x))
    if cells.steps is None:
        return np.asarray(best.score_samples(test))
    each = []
    for k, weight in enumerate(best.weights_):
        covariance = best.covariances_[k] if best.covariance_type == "full" else np.diag(best.covariances_[k])
        half = cells.steps / 2
        each.append(np.log(weight) + _box(test - half - best.means_[k], test + half - best.means_[k], covariance))
    return np.asarray(logsumexp(each, axis=0))


def _box(low: np.ndarray, high: np.ndarray, covariance: np.ndarray) -> np.ndarray:
    """ln of the mass of boxes (N, D) under a Gaussian of mean zero, by sequential sampling (Genz, 1992).

    Where both ends are the same, the density there.
    """
    lower, noise = np.linalg.cholesky(covariance), np.random.default_rng(0)
    total, drawn = np.zeros((len(low), DRAWS)), np.zeros((len(low), DRAWS, low.shape[1]))
    for d in range(low.shape[1]):
        known, scale = drawn[:, :, :d] @ lower[d, :d], lower[d, d]
        a, b = ((end[:, d, None] - known) / scale for end in (low, high))
        if bool((low[:, d] == high[:, d]).all()):
            total += norm.logpdf(a) - np.log(scale)
            drawn[:, :, d] = a
            continue
        sign = np.where(a + b > 0, -1.0, 1.0)  # so that what is drawn from is the lower tail
        a, b = np.where(sign < 0, -b, a), np.where(sign < 0, -a, b)
        total += _rise((a + b) / 2, (b - a) / 2)
        inside = ndtr(a) + noise.random(a.shape) * (ndtr(b) - ndtr(a))
        found = np.where(inside > 0, ndtri(np.maximum(inside, LEAST)), b)
        drawn[:, :, d] = sign * np.clip(found, a, b)
    return np.asarray(logsumexp(total, axis=1) - np.log(DRAWS))


def copula(x: np.ndarray, test: np.ndarray, cells: Cells) -> np.ndarray:
    """A Gaussian copula over kernel densities of the columns, its correlations shrunk by Ledoit and Wolf."""
    total, trained, low, high = np.zeros(len(test)), [], [], []
    for d in range(x.shape[1]):
        column = cells.column(d)
        width = best_width(x[:, d : d + 1], column)
        score = lambda y, d=d, width=width: ndtri(  # noqa: E731
            ndtr((y[:, None] - x[:, d]) / width).mean(1).clip(1e-9, 1 - 1e-9)
        )
        half = 0.0 if column.steps is None else column.steps[0] / 2
        trained.append(score(x[:, d]))
        low.append(score(test[:, d] - half))
        high.append(score(test[:, d] + half))
        if half == 0.0:
            total += KernelDensity(bandwidth=width).fit(x[:, d : d + 1]).score_samples(test[:, d : d + 1])
            total -= norm.logpdf(low[-1])
    covariance = LedoitWolf(assume_centered=True).fit(np.stack(trained, 1)).covariance_
    return total + _box(np.stack(low, 1), np.stack(high, 1), covariance)
