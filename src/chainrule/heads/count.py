"""Counts: a pmf over all the naturals, from logistics on the scale of ln x."""

from __future__ import annotations

import torch
from torch import Tensor

from chainrule.errors import InputError
from chainrule.heads.base import Distribution, Head
from chainrule.heads.intervals import log_logistic_interval
from chainrule.heads.mixture import MixtureLinear, inside, invert_cdf

__all__ = ["Count", "CountHead"]

LARGEST = 2.0**53


class Count(Distribution):
    """p(n) = sum_k w_k [G_k(n + 1) - G_k(n)],  G_k(y) = sigmoid((ln y - mu_k) / s_k),  over n = 0, 1, 2, ...

    n is the whole part of a positive y whose logarithm is a mixture of logistics. Each component rises from G(0) = 0
    to one, so the pmf sums to one over all the naturals. P(X > n) falls like n^(-1/s), the power law that counts of
    words, clicks and friends follow; a small s gives a narrow peak anywhere.

    Computed in float64, where every count up to 2^53 is exact. What would be larger counts as 2^53: p(2^53) is the mass
    of all the naturals from there on, so that draws, which are cut to it, are from p.

    logits: ln w_k up to a constant.
    mean: mu_k, on the scale of ln y.
    log_scale: ln s_k, on the scale of ln y.

    All three have the shape (..., K).

    >>> zero = torch.zeros(1, 1)
    >>> [round(Count(zero, zero, zero).log_prob(torch.tensor([n])).exp().item(), 4) for n in (0, 1, 2)]
    [0.5, 0.1667, 0.0833]
    """

    resolution = 1.0

    def __init__(self, logits: Tensor, mean: Tensor, log_scale: Tensor) -> None:
        self.logits, self.mean, self.log_scale = logits.double(), mean.double(), log_scale.double()

    @property
    def batch_shape(self) -> torch.Size:
        return self.logits.shape[:-1]

    @property
    def device(self) -> torch.device:
        return self.logits.device

    def _check(self, n: Tensor) -> None:
        if n.shape != self.batch_shape:
            raise InputError(f"the distribution scores counts of shape {tuple(self.batch_shape)}, got {tuple(n.shape)}")
        if n.numel() and not torch.compiler.is_compiling():
            bad = (n < 0) | (n > LARGEST) | (n != n.round() if n.is_floating_point() else torch.zeros_like(n).bool())
            if bool(bad.any()):
                raise InputError(
                    f"{n[bad][0].item()} is not a count: expected 0, 1, 2, ...; "
                    "declare the element as real if it may be negative or broken, "
                    "put a MissingHead in front if it may be missing"
                )

    def log_prob(self, n: Tensor) -> Tensor:
        """ln p(n) in nats, float64; n are integers, or whole real numbers."""
        self._check(n)
        n = n.double().unsqueeze(-1)
        none, last, log_n = n == 0, n == LARGEST, n.clamp(min=1).log()
        per_scale = torch.exp(-self.log_scale)
        step = torch.where(none, 0.0, torch.log1p(1 / n.clamp(min=1)))
        lower = torch.where(none, -torch.inf, (log_n - self.mean) * per_scale)
        upper = torch.where(last, torch.inf, (log_n + step - self.mean) * per_scale)
        width = torch.where(none | last, torch.inf, step * per_scale)
        return (self.logits.log_softmax(-1) + log_logistic_interval(lower, upper, width)).logsumexp(-1)

    def _reached(self, log_y: Tensor) -> Tensor:
        standard = (log_y.unsqueeze(-1) - self.mean) * torch.exp(-self.log_scale)
        return (self.logits.softmax(-1) * torch.sigmoid(standard)).sum(-1)

    def cdf(self, n: Tensor) -> Tensor:
        n = n.double()
        return self._reached(torch.log1p(n.clamp(min=-1))).where(n < LARGEST, 1.0)

    def icdf(self, u: Tensor) -> Tensor:
        u = inside(u)
        quantiles = self.mean + torch.logit(u).unsqueeze(-1) * torch.exp(self.log_scale)
        return invert_cdf(self._reached, quantiles, u).exp().clamp(max=LARGEST).floor().long()


class CountHead(Head):
    """A linear map from features to a pmf over the naturals, K components on the scale of ln x.

    features: H, size of the features.
    num_symbols: None; anything else is refused.
    components: K, number of components.

    >>> CountHead(features=8)(torch.zeros(2, 5, 8)).log_prob(torch.full((2, 5), 10**12)).shape
    torch.Size([2, 5])
    """

    def __init__(self, features: int, num_symbols: None = None, *, components: int = 3) -> None:
        if num_symbols is not None:
            raise InputError(f"counts have no largest symbol, got {num_symbols} symbols; use LogisticMixtureHead")
        super().__init__(features, None)
        self.mixture = MixtureLinear(features, components)

    def forward(self, h: Tensor) -> Count:
        return Count(*self.mixture(h, low=-12.0, high=1.0))

    def initialise(self, x: Tensor) -> None:
        """Start the means at the quantiles of ln(x + 1/2), of counts x of any shape."""
        counts = x[~x.isnan()]
        if counts.numel():
            self.mixture.start((counts.double() + 0.5).log().cpu().numpy())
