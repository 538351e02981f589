"""The Bernoulli distribution: one logit for a binary element."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from chainrule.errors import InputError
from chainrule.heads.base import Distribution, Head
from chainrule.heads.finite import at_least_float32

__all__ = ["Bernoulli", "BernoulliHead"]


class Bernoulli(Distribution):
    """p(x = 1) = sigmoid(s), p(x = 0) = sigmoid(-s).

    logit: s, shape (...).

    >>> Bernoulli(torch.tensor([200.0])).log_prob(torch.tensor([0]))
    tensor([-200.])
    """

    num_symbols = 2

    def __init__(self, logit: Tensor) -> None:
        self.logit = at_least_float32(logit)

    @property
    def batch_shape(self) -> torch.Size:
        return self.logit.shape

    @property
    def device(self) -> torch.device:
        return self.logit.device

    def _check(self, x: Tensor) -> None:
        if x.is_floating_point() or x.shape != self.batch_shape:
            raise InputError(
                f"a Bernoulli distribution scores 0 and 1 as integers of shape {tuple(self.batch_shape)}, "
                f"got {x.dtype} of shape {tuple(x.shape)}"
            )
        if x.numel() and x.dtype != torch.bool and not torch.compiler.is_compiling():
            low, high = (int(end) for end in torch.aminmax(x))
            if low < 0 or high > 1:
                raise InputError(f"symbols run from {low} to {high}, but a Bernoulli distribution has 0 and 1 only")

    def log_prob(self, x: Tensor) -> Tensor:
        """ln sigmoid((2x - 1) s), finite for every finite logit."""
        self._check(x)
        return F.logsigmoid(torch.where(x.bool(), self.logit, -self.logit))

    def log_pmf(self) -> Tensor:
        """ln p(0) and ln p(1), shape (..., 2)."""
        return F.logsigmoid(torch.stack([-self.logit, self.logit], -1))

    def pmf(self) -> Tensor:
        return torch.sigmoid(torch.stack([-self.logit, self.logit], -1))

    def cdf(self, x: Tensor) -> Tensor:
        self._check(x)
        return torch.where(x.bool(), torch.ones_like(self.logit), torch.sigmoid(-self.logit))

    def icdf(self, u: Tensor) -> Tensor:
        return (u >= torch.sigmoid(-self.logit.double())).long()

    def entropy(self) -> Tensor:
        return -(self.pmf() * self.log_pmf()).sum(-1)


class BernoulliHead(Head):
    """A linear map from features to one logit.

    features: H, size of the features; a single one starts as the logit itself.
    num_symbols: 2; anything else is refused.

    >>> BernoulliHead(features=8)(torch.zeros(2, 5, 8)).pmf().shape
    torch.Size([2, 5, 2])
    """

    def __init__(self, features: int, num_symbols: int = 2) -> None:
        if num_symbols != 2:
            raise InputError(f"a Bernoulli head has 2 symbols, got {num_symbols}; use a categorical head")
        super().__init__(features, num_symbols)
        self.linear = nn.Linear(features, 1)
        if features == 1:
            nn.init.ones_(self.linear.weight)
            nn.init.zeros_(self.linear.bias)

    def forward(self, h: Tensor) -> Bernoulli:
        return Bernoulli(self.linear(h).squeeze(-1))
