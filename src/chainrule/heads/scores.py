"""Normal scores: a mixture of Gaussians over the scores that the values of a column have in its own distribution."""

from __future__ import annotations

from math import log

import torch
from torch import Tensor

from chainrule.errors import InputError
from chainrule.heads.base import Distribution, Head
from chainrule.heads.intervals import log_normal_interval, may_occur
from chainrule.heads.marginal import Marginal
from chainrule.heads.mixture import MixtureLinear, inside, invert_cdf
from chainrule.heads.real_elements import refuse_other_numbers

__all__ = ["Scores", "ScoresHead"]

FARTHEST = 6.0  # mean of a component
WIDEST = log(1.5)  # ln of a component's scale


class Scores(Distribution):
    """p(x) = sum_k w_k [Phi((b(x) - m_k)/s_k) - Phi((a(x) - m_k)/s_k)], a mass of the numbers at a step.

    a(x) and b(x) are the normal scores of the two ends of what x stands for, see `Marginal`. With one component of mean
    0 and scale 1 it is the distribution of the column alone, with its values that repeat; any other mixture moves mass
    from one place to another and leaves neighbours, that repeat and that do not, in their proportions. Without a step
    it is the density p(x) = f(x) / phi(z) sum_k w_k N(z; m_k, s_k^2), with f that of the column and z the score of x.

    logits: ln w_k up to a constant, shape (..., K).
    mean: m_k, of scores.
    log_scale: ln s_k.
    marginal: the distribution of the column.
    """

    def __init__(self, logits: Tensor, mean: Tensor, log_scale: Tensor, marginal: Marginal) -> None:
        self.logits, self.mean, self.log_scale = logits.double(), mean.double(), log_scale.double()
        self.marginal = marginal
        self.resolution: float | Tensor | None = marginal.resolution

    @property
    def batch_shape(self) -> torch.Size:
        return self.logits.shape[:-1]

    @property
    def device(self) -> torch.device:
        return self.logits.device

    def _check(self, x: Tensor) -> None:
        refuse_other_numbers(x, self.batch_shape, self.resolution)
        if self.marginal.naturals and not torch.compiler.is_compiling() and bool((x < 0).any()):
            raise InputError(f"{float(x[x < 0][0])} is not one of the numbers 0, 1, 2, ...; declare the column as real")

    def log_prob(self, x: Tensor) -> Tensor:
        """ln p(x) in nats, float64: the mass where numbers have a step, otherwise the density in the units of x."""
        self._check(x)
        with torch.no_grad():
            low, high, width = self.marginal.scores(x)
            density = self.marginal.log_prob(x) if self.resolution is None else None
        return self.log_prob_between(low, high, width, density)

    def log_prob_between(self, low: Tensor, high: Tensor, width: Tensor, log_density: Tensor | None) -> Tensor:
        """ln p of numbers of which the column's distribution says this, each of the batch shape.

        low, high, width: normal scores of the two ends, and how far they are apart.
        log_density: ln of the column's density at the numbers; None where they have a step.
        """
        per_scale = torch.exp(-self.log_scale)
        log_weight = self.logits.log_softmax(-1)
        if log_density is not None:
            z = (low.unsqueeze(-1) - self.mean) * per_scale
            return (log_weight - z.square() / 2 - self.log_scale).logsumexp(-1) + (log_density + low.square() / 2)
        return (log_weight + self._log_interval(low, high, width, per_scale)).logsumexp(-1)

    def _log_interval(self, low: Tensor, high: Tensor, width: Tensor, per_scale: Tensor) -> Tensor:
        """ln of each component's mass between two scores, either of which may be infinite, shape (..., K)."""
        low, high, width = (end.unsqueeze(-1) for end in (low, high, width))
        first, last = low == -torch.inf, high == torch.inf
        if not may_occur(first | last):
            return log_normal_interval(((low + high) / 2 - self.mean) * per_scale, self._apart(width) * per_scale)
        middle = torch.where(first | last, 0.0, (low + high) / 2)
        apart = self._apart(torch.where(first | last, 1.0, width))
        inner = log_normal_interval((middle - self.mean) * per_scale, apart * per_scale)
        below = torch.special.log_ndtr((torch.where(first & ~last, high, 0.0) - self.mean) * per_scale)
        above = torch.special.log_ndtr((self.mean - torch.where(last & ~first, low, 0.0)) * per_scale)
        return torch.where(first & last, 0.0, torch.where(first, below, torch.where(last, above, inner)))

    @staticmethod
    def _apart(width: Tensor) -> Tensor:
        return width.clamp(min=torch.finfo(torch.float64).tiny)

    def cdf(self, x: Tensor) -> Tensor:
        z = self.marginal.upper_scores(x).unsqueeze(-1)
        return (self.logits.softmax(-1) * torch.special.ndtr((z - self.mean) * torch.exp(-self.log_scale))).sum(-1)

    def icdf(self, u: Tensor) -> Tensor:
        weight, per_scale = self.logits.softmax(-1), torch.exp(-self.log_scale)
        score = invert_cdf(
            lambda z: (weight * torch.special.ndtr((z.unsqueeze(-1) - self.mean) * per_scale)).sum(-1),
            self._quantiles(u),
            inside(u),
        )
        return self.marginal.quantile(score.detach())

    def around(self, u: Tensor) -> tuple[Tensor, Tensor]:
        low, high = torch.aminmax(self._quantiles(u).detach(), dim=-1)
        return self.marginal.around(low, high)

    def _quantiles(self, u: Tensor) -> Tensor:
        """The scores of the components' quantiles, shape (..., K)."""
        return self.mean + torch.special.ndtri(inside(u)).unsqueeze(-1) * torch.exp(self.log_scale)


class ScoresHead(Head):
    """A linear map from features to a mixture of K Gaussians over the normal scores of a column's values.

    What is common to all rows is found once by `initialise`: values that repeat, gaps, skew, tails. The network says
    where in this distribution a row is.

    features: H, size of the features.
    num_symbols: None; anything else is refused.
    components: K, number of components.
    resolution: step of the numbers; None for a density.
    naturals: whether there is nothing below zero.

    >>> head = ScoresHead(features=8, resolution=0.5)
    >>> head.initialise(torch.tensor([[0.5], [0.5], [1.0], [4.5]]))
    >>> head(torch.zeros(2, 8)).log_prob(torch.tensor([0.5, 7.0])).shape
    torch.Size([2])
    """

    def __init__(
        self,
        features: int,
        num_symbols: None = None,
        *,
        components: int = 5,
        resolution: float | None = None,
        naturals: bool = False,
    ) -> None:
        if num_symbols is not None:
            raise InputError(f"normal scores are of numbers, got {num_symbols} symbols; use LogisticMixtureHead")
        super().__init__(features, None)
        self.marginal = Marginal(resolution, naturals)
        self.mixture = MixtureLinear(features, components)
        self.narrowest = log(1e-2) if resolution is None else log(1e-3)

    def forward(self, h: Tensor) -> Scores:
        return self.of(self.mixture.linear(h))

    def of(self, raw: Tensor) -> Scores:
        """The distribution from what the linear map gives, shape (..., 3 K)."""
        logits, mean, log_scale = MixtureLinear.parts(raw, self.narrowest, WIDEST)
        return Scores(logits, FARTHEST * torch.tanh(mean / FARTHEST), log_scale, self.marginal)

    def initialise(self, x: Tensor) -> None:
        """Find the distribution of the column from elements of any shape, NaN skipped; start the mixture at it."""
        values = x[~x.isnan()].detach().double().cpu()
        if not values.numel():
            return
        if bool(values.isinf().any()):
            raise InputError("there are infinite values; correct the data")
        self.marginal.fit(values.numpy())
        low, high, _ = self.marginal.scores(values)
        middle = (low.clamp(-4, 4) + high.clamp(-4, 4)) / 2
        self.mixture.start(middle.numpy())
