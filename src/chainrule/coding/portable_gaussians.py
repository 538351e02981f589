"""Numbers at a step by portable arithmetic: mixtures of Gaussians, on the line or over normal scores."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from chainrule.batch import Array
from chainrule.coding.exact_products import on_grid
from chainrule.coding.portable_elements import as_float64
from chainrule.coding.portable_mixtures import mixture_parameters, per_scale_of
from chainrule.coding.portable_normal import portable_ndtr, portable_score
from chainrule.coding.portable_numbers import ordered_sum, portable_sigmoid
from chainrule.errors import InputError
from chainrule.heads.base import Distribution
from chainrule.heads.gaussian_mixture import GaussianMixtureHead
from chainrule.heads.marginal import Marginal
from chainrule.heads.scores import FARTHEST, WIDEST, ScoresHead

__all__ = ["PortableGaussians", "gaussians_of", "scores_of"]

Softmax = Callable[[Array], Array]


class PortableGaussians(Distribution):
    """P(X <= x) = sum_k w_k Phi((z(x) - m_k) / s_k), z(x) being that of the upper end of what x stands for.

    weights, mean, per_scale: w, m and 1/s, shape (B, K).
    upper: z of numbers.
    resolution: their step.
    """

    def __init__(
        self, weights: Array, mean: Array, per_scale: Array, upper: Callable[[Array], Array], resolution: float
    ) -> None:
        self.weights, self.mean, self.per_scale, self.upper = weights, mean, per_scale, upper
        self.step = resolution
        self.resolution: float | Tensor | None = resolution

    @property
    def batch_shape(self) -> torch.Size:
        return torch.Size([len(self.mean)])

    @property
    def device(self) -> torch.device:
        return torch.device("cpu")

    def log_prob(self, x: Tensor) -> Tensor:
        return (self.cdf(x) - self.cdf(x - self.step)).log()

    def cdf(self, x: Tensor) -> Tensor:
        z = self.upper(x.double().numpy())[:, None]
        below, _ = portable_ndtr((z - self.mean) * self.per_scale)
        return torch.from_numpy(ordered_sum(self.weights * below)[:, 0])


def gaussians_of(head: GaussianMixtureHead, softmax: Softmax) -> Callable[[Array], Distribution]:
    """The distributions of a head from what its linear map gives, see `GaussianMixture`; a density is refused."""
    if head.resolution is None or head.length != 1:
        raise InputError("a GaussianMixtureHead without a step of its own has no portable form")
    low, step = float(head.log_floor[0]), float(head.resolution[0])
    centre, spread = float(head.centre[0]), float(head.spread[0])

    def at(raw: Array) -> Distribution:
        logits, mean, log_scale = mixture_parameters(raw, low, 7.0)
        upper = lambda x: ((x + step / 2) - centre) / spread  # noqa: E731
        return PortableGaussians(softmax(logits), mean, per_scale_of(log_scale), upper, step)

    return at


def scores_of(head: ScoresHead, softmax: Softmax) -> Callable[[Array], Distribution]:
    """The distributions of a head from what its linear map gives, see `Scores`; a density is refused."""
    step = head.marginal.resolution
    if step is None:
        raise InputError("a ScoresHead without a step has no portable form")
    marginal = PortableMarginal(head.marginal, step)
    low, high = on_grid(np.array([head.narrowest, WIDEST]), 40).tolist()  # for libraries differ in their last bit

    def at(raw: Array) -> Distribution:
        logits, mean, log_scale = mixture_parameters(raw, low, high)
        mean = FARTHEST * (2.0 * portable_sigmoid(2.0 * (mean / FARTHEST)) - 1.0)  # tanh
        return PortableGaussians(softmax(logits), mean, per_scale_of(log_scale), marginal.upper_scores, step)

    return at


class PortableMarginal:
    """The normal scores of a column of numbers at a step, see `Marginal`.

    marginal: the distribution of the column.
    step: of the numbers.
    """

    def __init__(self, marginal: Marginal, step: float) -> None:
        self.step, self.naturals = step, marginal.naturals
        weight = as_float64(marginal.weight)
        used = int(np.count_nonzero(weight))
        self.kernel, self.width, self.weight = (
            as_float64(values)[:used] for values in (marginal.centre, marginal.width, marginal.weight)
        )
        self.tail = as_float64(marginal.tail).tolist()
        self.atom, self.share = marginal.atom.cpu().numpy(), float(marginal.share)
        self.running = np.minimum(np.append(0.0, np.cumsum(as_float64(marginal.atom_mass))), 1.0)
        self.first, self.rest = (float(side[0]) for side in self._smooth(np.array([-0.5])))

    def upper_scores(self, x: Array) -> Array:
        """The normal score of the upper end of what a number stands for, of the shape of x."""
        k = np.rint(x / self.step)
        below, above = self._smooth(k + 0.5)
        if self.naturals:
            below, above = ((np.clip(side, 0.0, 1.0)) for side in ((below - self.first) / self.rest, above / self.rest))
        seen = self.running[np.searchsorted(self.atom, k, side="right")]
        below = self.share * seen + (1 - self.share) * below
        above = self.share * (1 - seen) + (1 - self.share) * above
        if self.naturals:
            below, above = np.where(k < 0, 0.0, below), np.where(k < 0, 1.0, above)
        return portable_score(below, above)

    def _smooth(self, t: Array) -> tuple[Array, Array]:
        """What of the smooth part is below and what is above points on the line."""
        below, above = portable_ndtr((t[:, None] - self.kernel) / self.width)
        weight, centre, scale = self.tail
        y = (t - centre) / scale
        root = np.sqrt(2 + y * y)
        far = 1 / (root * (root + np.abs(y)))
        tails = np.where(y < 0, far, 1 - far), np.where(y > 0, far, 1 - far)
        of_kernels = (np.append(self.weight * side, np.zeros((len(t), 1)), 1) for side in (below, above))
        found = [ordered_sum(part)[:, 0] + weight * tail for part, tail in zip(of_kernels, tails, strict=True)]
        return found[0], found[1]
