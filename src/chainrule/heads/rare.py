"""Rare symbols: one bucket, whose mass is split evenly, so that the likelihood is still that of the symbol."""

from __future__ import annotations

from math import log

import torch
from torch import Tensor, nn

from chainrule.errors import InputError
from chainrule.heads.base import Distribution, Head
from chainrule.heads.categorical import Categorical
from chainrule.heads.finite import check_symbols

__all__ = ["Rare", "RareHead"]


class Rare(Distribution):
    """p(k) = q(k) for the K frequent symbols k < K, and q(K) / (V - K) for each of the others.

    bucket: q, over K + 1 outcomes, the last of which stands for all rare symbols.
    num_symbols: V > K, number of symbols.

    >>> p = Rare(Categorical(torch.zeros(1, 3)), num_symbols=6)
    >>> p.pmf()
    tensor([[0.3333, 0.3333, 0.0833, 0.0833, 0.0833, 0.0833]])
    """

    def __init__(self, bucket: Categorical, num_symbols: int) -> None:
        self.bucket = bucket
        self.num_symbols: int = num_symbols
        self.frequent = bucket.num_symbols - 1

    @property
    def batch_shape(self) -> torch.Size:
        return self.bucket.batch_shape

    @property
    def device(self) -> torch.device:
        return self.bucket.device

    @property
    def rare(self) -> int:
        """V - K, the number of symbols in the bucket."""
        return self.num_symbols - self.frequent

    def log_prob(self, x: Tensor) -> Tensor:
        check_symbols(x, self.batch_shape, self.num_symbols)
        log_q = self.bucket.log_prob(x.clamp(max=self.frequent))
        return torch.where(x >= self.frequent, log_q - log(self.rare), log_q)

    def pmf(self) -> Tensor:
        q = self.bucket.pmf()
        each = (q[..., -1:] / self.rare).expand(*q.shape[:-1], self.rare)
        return torch.cat([q[..., :-1], each], -1)

    def cdf(self, x: Tensor) -> Tensor:
        check_symbols(x, self.batch_shape, self.num_symbols)
        q = self.bucket.pmf()
        within = (x - self.frequent + 1).clamp(min=0).to(q.dtype) / self.rare
        below = torch.cat([q[..., :-1].cumsum(-1), 1 - q[..., -1:]], -1)
        reached = below.gather(-1, x.clamp(max=self.frequent).long().unsqueeze(-1)).squeeze(-1)
        return (reached + torch.where(x >= self.frequent, q[..., -1] * within, 0.0)).clamp(max=1)

    def entropy(self) -> Tensor:
        return self.bucket.entropy() + self.bucket.pmf()[..., -1] * log(self.rare)


class RareHead(Head):
    """A linear map from features to the logits of K frequent symbols and of one bucket for the V - K others.

    For columns of names, codes and cities: what was seen a few times has no logit of its own to fit, and still an
    exact, positive probability.

    features: H, size of the features.
    num_symbols: V, number of symbols, which are sorted by falling frequency.
    frequent: K, number of frequent symbols, from 1 to V - 1.

    >>> RareHead(features=8, num_symbols=1000, frequent=20)(torch.zeros(2, 5, 8)).pmf().shape
    torch.Size([2, 5, 1000])
    """

    def __init__(self, features: int, num_symbols: int, *, frequent: int) -> None:
        if not 1 <= frequent < num_symbols:
            raise InputError(
                f"of {num_symbols} symbols, 1 to {num_symbols - 1} can be the frequent ones, got {frequent}"
            )
        super().__init__(features, num_symbols)
        self.symbols = num_symbols
        self.linear = nn.Linear(features, frequent + 1)

    def forward(self, h: Tensor) -> Rare:
        return Rare(Categorical(self.linear(h)), self.symbols)
