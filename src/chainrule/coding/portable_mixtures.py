"""Mixtures of logistics by portable arithmetic: levels, and counts on the scale of their logarithm."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from chainrule.batch import Array
from chainrule.coding.portable_numbers import portable_exp, portable_log, portable_sigmoid
from chainrule.heads.base import Distribution
from chainrule.heads.count import LARGEST

__all__ = ["PortableCount", "level_masses", "mixture_parameters", "per_scale_of"]

Softmax = Callable[[Array], Array]


def mixture_parameters(raw: Array, low: float, high: float) -> tuple[Array, Array, Array]:
    """The logits, the means and the logarithms of the scales of K components, see `MixtureLinear`, shape (B, K).

    raw: of the linear map, shape (B, 3 K).
    low, high: between which logarithms of scales lie.
    """
    logits, mean, r = np.split(raw, 3, -1)
    over = r - low
    rise = np.maximum(over, 0.0) + portable_log(1.0 + portable_exp(-np.abs(over)))  # softplus
    return logits, mean, low + np.minimum(rise, high - low)


def per_scale_of(log_scale: Array) -> Array:
    """e^-ln s for a scale of any size."""
    e = portable_exp(-np.abs(log_scale))
    return np.where(log_scale >= 0, e, 1.0 / e)


def level_masses(raw: Array, levels: int, softmax: Softmax) -> Array:
    """The probabilities of the levels of a discretised mixture of logistics, see `LogisticMixture`, shape (B, V).

    raw: of the linear map, shape (B, 3 K).
    levels: V.
    softmax: weights from logits.
    """
    unit = levels / 2
    log_unit, log_levels = portable_log(np.array([unit, levels])).tolist()
    low, high = -7 - log_unit, max(7, log_levels) - log_unit
    logits, mean, log_scale = mixture_parameters(raw, low, high)
    mean, per_scale = (levels - 1) / 2 + unit * mean, per_scale_of(log_scale) / unit
    weights = softmax(logits)
    below = np.zeros((len(raw), levels + 1))
    for k in range(mean.shape[1]):
        ends = (np.arange(levels - 1) + 0.5 - mean[:, k : k + 1]) * per_scale[:, k : k + 1]
        below[:, 1:-1] += weights[:, k : k + 1] * portable_sigmoid(ends)
    below[:, -1] = 1.0
    return np.asarray(np.maximum(np.diff(below), 0.0))


class PortableCount(Distribution):
    """P(X <= n) of counts, see `Count`.

    raw: of the linear map, shape (B, 3 K).
    softmax: weights from logits.
    """

    resolution = 1.0

    def __init__(self, raw: Array, softmax: Softmax) -> None:
        logits, self.mean, log_scale = mixture_parameters(raw, -12.0, 1.0)
        self.weights, self.per_scale = softmax(logits), per_scale_of(log_scale)

    @property
    def batch_shape(self) -> torch.Size:
        return torch.Size([len(self.mean)])

    @property
    def device(self) -> torch.device:
        return torch.device("cpu")

    def log_prob(self, x: Tensor) -> Tensor:
        return (self.cdf(x) - self.cdf(x - 1)).log()

    def cdf(self, x: Tensor) -> Tensor:
        n = x.double().numpy()
        y = portable_log(np.maximum(n, 0.0) + 1.0)
        reached = np.zeros(len(y))
        for k in range(self.mean.shape[1]):
            reached = reached + self.weights[:, k] * portable_sigmoid((y - self.mean[:, k]) * self.per_scale[:, k])
        return torch.from_numpy(np.where(n < 0, 0.0, np.where(n < LARGEST, reached, 1.0)))
