"""Missing values: a Bernoulli in front of any distribution."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from chainrule.errors import InputError
from chainrule.heads.base import Distribution, Head
from chainrule.heads.bernoulli import Bernoulli

__all__ = ["Missing", "MissingHead"]


class Missing(Distribution):
    """p(missing), or p(present) p(value | present): that a value is missing is an outcome of its own.

    The outcome is written as the symbol V, after the last one, where the values are symbols, so that the support stays
    {0, ..., V}; and as NaN where they are counts or real numbers. Either way it is the last outcome of the cdf.

    present: distribution whose symbol 1 says that there is a value, batch shape (...).
    value: distribution of the value, of the same batch shape.

    >>> from chainrule.heads.categorical import Categorical
    >>> Missing(Bernoulli(torch.zeros(1)), Categorical(torch.zeros(1, 2))).pmf()
    tensor([[0.2500, 0.2500, 0.5000]])
    """

    def __init__(self, present: Bernoulli, value: Distribution) -> None:
        self.present, self.value = present, value
        self.num_symbols: int | None = None if value.num_symbols is None else value.num_symbols + 1
        self.resolution: float | Tensor | None = value.resolution

    @property
    def batch_shape(self) -> torch.Size:
        return self.present.batch_shape

    @property
    def device(self) -> torch.device:
        return self.present.device

    @property
    def order(self) -> Tensor | None:
        order = self.value.order
        return None if order is None else torch.cat([order, order.new_tensor([len(order)])])

    @property
    def may_be_missing(self) -> bool:
        return self.num_symbols is None

    def missing_share(self) -> Tensor:
        return self.present.pmf()[..., 0] if self.may_be_missing else super().missing_share()

    def _split(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Where x is missing, and x with a harmless value in its place."""
        missing = x.isnan() if self.num_symbols is None else x == self.num_symbols - 1
        return missing, torch.where(missing, torch.zeros_like(x), x)

    def log_prob(self, x: Tensor) -> Tensor:
        missing, x = self._split(x)
        log_missing, log_present = self.present.log_pmf().unbind(-1)
        return torch.where(missing, log_missing, log_present + self.value.log_prob(x))

    def pmf(self) -> Tensor:
        """p(x) of every value, and of missing at the end, shape (..., V + 1)."""
        missing, present = self.present.pmf().unsqueeze(-2).unbind(-1)
        return torch.cat([present * self.value.pmf(), missing], -1)

    def cdf(self, x: Tensor) -> Tensor:
        missing, x = self._split(x)
        return torch.where(missing, 1.0, self.present.pmf()[..., 1] * self.value.cdf(x))

    def icdf(self, u: Tensor) -> Tensor:
        present = torch.sigmoid(self.present.logit.double())
        within = (u.double() / present.clamp(min=torch.finfo(torch.float64).tiny)).clamp(max=1 - 2.0**-53)
        value = self.value.icdf(within)
        missing = torch.nan if self.num_symbols is None else self.num_symbols - 1
        return torch.where(u < present, value.double() if self.num_symbols is None else value, missing)

    def entropy(self) -> Tensor:
        return self.present.entropy() + self.present.pmf()[..., 1] * self.value.entropy()


class MissingHead(Head):
    """A linear map from features to p(present), in front of another head.

    head: head of p(value | present), which reads the same features.

    >>> from chainrule.heads.categorical import CategoricalHead
    >>> MissingHead(CategoricalHead(features=8, num_symbols=4))(torch.zeros(2, 5, 8)).pmf().shape
    torch.Size([2, 5, 5])
    """

    def __init__(self, head: Head) -> None:
        if not head.elementwise:
            raise InputError(f"{type(head).__name__} is here for several elements; give each column one of its own")
        super().__init__(head.features, None if head.num_symbols is None else head.num_symbols + 1)
        self.head = head
        self.linear = nn.Linear(head.features, 1)

    def forward(self, h: Tensor) -> Missing:
        return Missing(Bernoulli(self.linear(h).squeeze(-1)), self.head(h))

    def at(self, d: int, h: Tensor, x: Tensor) -> Missing:
        return Missing(Bernoulli(self.linear(h).squeeze(-1)), self.head.at(d, h, x))

    @torch.no_grad()
    def initialise(self, x: Tensor) -> None:
        """Start from the share of values that are present (with half a count of each outcome added), and from these."""
        missing = x.isnan() if self.num_symbols is None else x == self.num_symbols - 1
        odds = ((~missing).sum() + 0.5) / (missing.sum() + 0.5)
        self.linear.bias.fill_(float(odds.log()))
        self.head.initialise(torch.where(missing, torch.nan, x.double()))
