"""The categorical distribution: a softmax over V symbols."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from chainrule.errors import InputError
from chainrule.heads.base import Distribution, Head
from chainrule.heads.finite import at_least_float32, check_symbols
from chainrule.heads.linear_cross_entropy import CHUNK, linear_log_prob

__all__ = ["Categorical", "CategoricalHead", "LazyCategorical", "linear_categorical"]


class Categorical(Distribution):
    """p(x = k) = exp(s_k - logsumexp_j s_j) over k in {0, ..., V-1}.

    logits: s, any real numbers up to a constant, shape (..., V); -inf makes a symbol impossible.

    >>> p = Categorical(torch.tensor([[0.0, 0.0, -torch.inf]]))
    >>> p.log_prob(torch.tensor([1])).exp()
    tensor([0.5000])
    >>> p.pmf(), p.cdf(torch.tensor([0])), p.entropy().exp()
    (tensor([[0.5000, 0.5000, 0.0000]]), tensor([0.5000]), tensor([2.]))
    """

    def __init__(self, logits: Tensor) -> None:
        self.logits = at_least_float32(logits)
        self.num_symbols: int = logits.shape[-1]

    @property
    def batch_shape(self) -> torch.Size:
        return self.logits.shape[:-1]

    @property
    def device(self) -> torch.device:
        return self.logits.device

    def log_prob(self, x: Tensor) -> Tensor:
        """s_x - logsumexp_j s_j: the log-softmax and the gather in one pass, no one-hot tensor."""
        check_symbols(x, self.batch_shape, self.num_symbols)
        flat = self.logits.reshape(-1, self.logits.shape[-1])
        return -F.cross_entropy(flat, x.reshape(-1).long(), reduction="none").view(x.shape)

    def log_pmf(self) -> Tensor:
        """ln p(k) for every symbol, shape (..., V)."""
        return self.logits.log_softmax(-1)

    def pmf(self) -> Tensor:
        return self.logits.softmax(-1)

    def log_normaliser(self) -> Tensor:
        return self.logits.logsumexp(-1)

    def draw(self, u: Tensor) -> tuple[Tensor, Tensor]:
        x = self.icdf(u)  # in range, so that nothing is left to check
        return x, self.log_pmf().gather(-1, x.unsqueeze(-1)).squeeze(-1)


class LazyCategorical(Distribution):
    """The categorical distribution of the logits W h + b, which are computed when they are needed.

    `log_prob` and its gradients need a few rows of logits at a time, at any V; everything else makes all of them.

    h: features, shape (..., H).
    weight: W, shape (V, H).
    bias: b, shape (V,).

    >>> p = LazyCategorical(torch.zeros(2, 5, 8), torch.randn(1000, 8), torch.zeros(1000))
    >>> p.log_prob(torch.zeros(2, 5).long()).exp().max()
    tensor(0.0010)
    """

    def __init__(self, h: Tensor, weight: Tensor, bias: Tensor) -> None:
        self.h, self.weight, self.bias = h, weight, bias
        self.num_symbols: int = len(weight)

    @property
    def batch_shape(self) -> torch.Size:
        return self.h.shape[:-1]

    @property
    def device(self) -> torch.device:
        return self.h.device

    def log_prob(self, x: Tensor) -> Tensor:
        check_symbols(x, self.batch_shape, self.num_symbols)
        h = self.h.reshape(-1, self.h.shape[-1])
        return linear_log_prob(h, self.weight, self.bias, x.reshape(-1)).view(x.shape)

    def masked_log_prob(self, x: Tensor, mask: Tensor) -> Tensor:
        scored = LazyCategorical(self.h[mask], self.weight, self.bias).log_prob(x[mask])
        return scored.new_zeros(mask.shape).masked_scatter(mask, scored)

    def whole(self) -> Categorical:
        """The same distribution with all its logits, B x D x V numbers."""
        return Categorical(F.linear(self.h, self.weight, self.bias))

    def pmf(self) -> Tensor:
        return self.whole().pmf()


def linear_categorical(h: Tensor, weight: Tensor, bias: Tensor) -> Categorical | LazyCategorical:
    """The categorical distribution of the logits W h + b: all of them at once where they are few, else lazily."""
    if h.shape[:-1].numel() * len(weight) > CHUNK:
        return LazyCategorical(h, weight, bias)
    return Categorical(F.linear(h, weight, bias))


class CategoricalHead(Head):
    """A linear map from features to the logits of V symbols; exact at any V with memory for few of them.

    features: H, size of the features.
    num_symbols: V, number of symbols.
    soft_cap: c, for logits c tanh(s / c), which stay within (-c, c) (Gemma team, *Gemma 2*, 2024); all logits are then
        computed at once. None for none.
    tied: whether the weight is the network's table of symbols (Press, Wolf, *Using the output embedding to improve
        language models*, 2017); the model ties them.

    >>> CategoricalHead(features=8, num_symbols=17)(torch.zeros(2, 5, 8)).batch_shape
    torch.Size([2, 5])
    """

    anywhere = True

    def __init__(self, features: int, num_symbols: int, soft_cap: float | None = None, tied: bool = False) -> None:
        super().__init__(features, num_symbols)
        if soft_cap is not None and not 0 < soft_cap < float("inf"):
            raise InputError(f"a soft cap is positive and finite, got {soft_cap}; leave it out for none")
        self.linear = nn.Linear(features, num_symbols)
        self.soft_cap, self.tied = soft_cap, tied

    def tie(self, table: nn.Embedding | None) -> None:
        """Share the weight with a table of symbols, which starts small, as a last layer should."""
        if table is None or table.weight.shape != self.linear.weight.shape:
            got = "none" if table is None else f"one of {tuple(table.weight.shape)}"
            raise InputError(
                f"a tied head shares a table of {tuple(self.linear.weight.shape)} with the network, which has {got}; "
                "take tied=False, or a network that reads these symbols at this width"
            )
        if self.linear.weight is table.weight:
            return  # tied before, and perhaps trained
        nn.init.normal_(table.weight, std=self.features**-0.5)
        self.linear.weight = table.weight

    def logits_layer(self) -> LogitsLayer:
        return LogitsLayer(self)

    def logits(self, h: Tensor) -> Tensor:
        """All logits of features (..., H), shape (..., V)."""
        logits = self.linear(h)
        return logits if self.soft_cap is None else self.soft_cap * torch.tanh(logits / self.soft_cap)

    def forward(self, h: Tensor) -> Categorical | LazyCategorical:
        if self.soft_cap is not None:
            return Categorical(self.logits(h))
        return linear_categorical(h, self.linear.weight, self.linear.bias)


class LogitsLayer(nn.Module):
    """The logits of a categorical head as a layer, from features (..., H) to (..., V)."""

    def __init__(self, head: CategoricalHead) -> None:
        super().__init__()
        self.head = head

    def forward(self, h: Tensor) -> Tensor:
        return self.head.logits(h)
