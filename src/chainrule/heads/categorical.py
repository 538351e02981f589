"""The categorical distribution: a softmax over V symbols."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from chainrule.errors import InputError
from chainrule.heads.base import Distribution, Head

__all__ = ["Categorical", "CategoricalHead", "inverse_cdf"]


def inverse_cdf(pmf: Tensor, u: Tensor) -> Tensor:
    """The smallest symbol k with sum_{j<=k} p_j > u, by a running sum in float64.

    pmf: non-negative, shape (..., V), normalised up to rounding (the running sum is divided by its end). u: in [0, 1),
    shape (...). Returns symbols, int64, shape (...); none of them has mass zero.

    >>> inverse_cdf(torch.tensor([0.0, 0.25, 0.75]), torch.tensor([0.0]))
    tensor([1])
    """
    running = pmf.double().cumsum(-1)
    end = running[..., -1:]
    target = torch.minimum(u.double().unsqueeze(-1) * end, torch.nextafter(end, torch.zeros_like(end)))
    return torch.searchsorted(running, target, right=True).squeeze(-1)


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
        self.logits = logits.float() if logits.dtype in (torch.float16, torch.bfloat16) else logits
        self.num_symbols = logits.shape[-1]

    @property
    def batch_shape(self) -> torch.Size:
        return self.logits.shape[:-1]

    @property
    def device(self) -> torch.device:
        return self.logits.device

    def _check(self, x: Tensor) -> None:
        if x.is_floating_point() or x.shape != self.batch_shape:
            raise InputError(
                f"a categorical distribution scores integer symbols of shape {tuple(self.batch_shape)}, "
                f"got {x.dtype} of shape {tuple(x.shape)}"
            )
        if x.numel() and not torch.compiler.is_compiling():
            low, high = (int(end) for end in torch.aminmax(x))
            if low < 0 or high >= self.logits.shape[-1]:
                raise InputError(
                    f"symbols run from {low} to {high}, but the distribution has {self.num_symbols} (0 to "
                    f"{self.logits.shape[-1] - 1}); re-encode the data or build the head with more symbols"
                )

    def log_prob(self, x: Tensor) -> Tensor:
        """s_x - logsumexp_j s_j: the log-softmax and the gather in one pass, no one-hot tensor."""
        self._check(x)
        flat = self.logits.reshape(-1, self.logits.shape[-1])
        return -F.cross_entropy(flat, x.reshape(-1).long(), reduction="none").view(x.shape)

    def log_pmf(self) -> Tensor:
        """ln p(k) for every symbol, shape (..., V)."""
        return self.logits.log_softmax(-1)

    def pmf(self) -> Tensor:
        return self.logits.softmax(-1)

    def cdf(self, x: Tensor) -> Tensor:
        self._check(x)
        return self.pmf().cumsum(-1).gather(-1, x.long().unsqueeze(-1)).squeeze(-1).clamp(max=1)

    def icdf(self, u: Tensor) -> Tensor:
        return inverse_cdf(self.pmf(), u)

    def entropy(self) -> Tensor:
        return torch.special.entr(self.pmf()).sum(-1)


class CategoricalHead(Head):
    """A linear map from features to the logits of V symbols.

    features: H. num_symbols: V.

    >>> CategoricalHead(features=8, num_symbols=17)(torch.zeros(2, 5, 8)).batch_shape
    torch.Size([2, 5])
    """

    def __init__(self, features: int, num_symbols: int) -> None:
        super().__init__(features, num_symbols)
        self.linear = nn.Linear(features, num_symbols)

    def forward(self, h: Tensor) -> Categorical:
        return Categorical(self.linear(h))
