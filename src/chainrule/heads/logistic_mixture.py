"""The discretised mixture of logistics: a pmf over V ordered levels from a few locations and scales."""

from __future__ import annotations

from math import log

import torch
from torch import Tensor

from chainrule.errors import InputError
from chainrule.heads.base import Distribution, Head
from chainrule.heads.finite import check_symbols
from chainrule.heads.intervals import log_logistic_interval
from chainrule.heads.mixture import MixtureLinear

__all__ = ["LogisticMixture", "LogisticMixtureHead"]


class LogisticMixture(Distribution):
    """p(x) = sum_k w_k [sigmoid((x + 1/2 - mu_k) / s_k) - sigmoid((x - 1/2 - mu_k) / s_k)] over x in {0, ..., V-1}.

    Each level stands for the interval of half a level around it, and the outermost ones reach to infinity, so that the
    pmf sums to one. In log space, with the ends a < b of the interval in units of s_k,

        ln p(x) = logsumexp_k [ ln w_k + ln sigmoid(b) + ln sigmoid(-a) + ln(1 - e^(a - b)) ].

    logits: ln w_k up to a constant.
    mean: mu_k, in levels.
    log_scale: ln s_k, with s_k in levels.

    All three have the shape (..., K).

    Paper: Salimans, Karpathy, Chen, Kingma, *PixelCNN++*, ICLR 2017. There p < 1e-5 falls back to a density; here the
    logarithm is exact at any p.

    >>> p = LogisticMixture(torch.zeros(1, 1), torch.tensor([[1.0]]), torch.tensor([[0.0]]), num_symbols=3)
    >>> p.pmf()
    tensor([[0.3775, 0.2449, 0.3775]])
    >>> p.log_prob(torch.tensor([2]))
    tensor([-0.9741])
    """

    def __init__(self, logits: Tensor, mean: Tensor, log_scale: Tensor, num_symbols: int) -> None:
        self.logits, self.mean, self.log_scale = logits, mean, log_scale
        self.num_symbols: int = num_symbols

    @property
    def batch_shape(self) -> torch.Size:
        return self.logits.shape[:-1]

    @property
    def device(self) -> torch.device:
        return self.logits.device

    def _log_prob(self, x: Tensor) -> Tensor:
        """ln p(x) of levels whose last axis is to broadcast against the components, shape of x without it."""
        x = x.to(self.mean.dtype)
        first, last = x == 0, x == self.num_symbols - 1
        per_level = torch.exp(-self.log_scale)
        lower = torch.where(first, -torch.inf, (x - 0.5 - self.mean) * per_level)
        upper = torch.where(last, torch.inf, (x + 0.5 - self.mean) * per_level)
        width = torch.where(first | last, torch.inf, per_level)
        return (self.logits.log_softmax(-1) + log_logistic_interval(lower, upper, width)).logsumexp(-1)

    def log_prob(self, x: Tensor) -> Tensor:
        """ln p(x), finite for every level and all finite parameters."""
        check_symbols(x, self.batch_shape, self.num_symbols)
        return self._log_prob(x.unsqueeze(-1))

    def log_pmf(self) -> Tensor:
        """ln p(x) for every level, shape (..., V)."""
        levels = torch.arange(self.num_symbols, device=self.device)
        whole = LogisticMixture(
            self.logits.unsqueeze(-2), self.mean.unsqueeze(-2), self.log_scale.unsqueeze(-2), self.num_symbols
        )
        return whole._log_prob(levels.unsqueeze(-1))

    def pmf(self) -> Tensor:
        return self.log_pmf().exp()

    def cdf(self, x: Tensor) -> Tensor:
        check_symbols(x, self.batch_shape, self.num_symbols)
        level = x.unsqueeze(-1)
        reached = torch.sigmoid((level.to(self.mean.dtype) + 0.5 - self.mean) * torch.exp(-self.log_scale))
        return (self.logits.softmax(-1) * torch.where(level == self.num_symbols - 1, 1.0, reached)).sum(-1).clamp(max=1)

    def entropy(self) -> Tensor:
        log_pmf = self.log_pmf()
        return -(log_pmf.exp() * log_pmf).sum(-1)


class LogisticMixtureHead(Head):
    """A linear map from features to a discretised mixture of K logistics over V levels.

    mu_k = (V - 1)/2 + (V/2) m_k and s_k = (V/2) e^(r_k): the network's outputs are of order one whatever V is. Scales
    lie between e^-7 levels and the larger of e^7 and V levels.

    features: H, size of the features.
    num_symbols: V, number of symbols.
    components: K, number of components; the linear map has 3K outputs, whatever V is.

    >>> LogisticMixtureHead(features=8, num_symbols=256)(torch.zeros(2, 5, 8)).pmf().shape
    torch.Size([2, 5, 256])
    """

    def __init__(self, features: int, num_symbols: int, components: int = 5) -> None:
        if num_symbols < 1:
            raise InputError(f"a discretised mixture needs at least one level, got num_symbols={num_symbols}")
        super().__init__(features, num_symbols)
        self.levels = num_symbols
        self.mixture = MixtureLinear(features, components)

    def forward(self, h: Tensor) -> LogisticMixture:
        return self.of(self.mixture.linear(h))

    def of(self, raw: Tensor) -> LogisticMixture:
        """The distribution from what the linear map gives, shape (..., 3 K)."""
        middle, unit = (self.levels - 1) / 2, self.levels / 2
        low, high = -7 - log(unit), max(7, log(self.levels)) - log(unit)
        logits, m, r = MixtureLinear.parts(raw, low, high)
        return LogisticMixture(logits, middle + unit * m, r + log(unit), self.levels)

    def initialise(self, x: Tensor) -> None:
        """Start the means at the quantiles of the levels x, of any shape."""
        levels = x[(x >= 0) & (x < self.levels)].double().cpu().numpy()
        if levels.size:
            self.mixture.start((levels - (self.levels - 1) / 2) / (self.levels / 2))
