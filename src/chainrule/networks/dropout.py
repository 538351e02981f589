"""Dropout from uniform noise, which a CPU draws several times faster than Bernoulli variables."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from chainrule.errors import InputError

__all__ = ["Dropout"]


class Dropout(nn.Module):
    """y = x m / (1 - p) while training, m = 1 where a uniform number is at least p; y = x otherwise.

    p: the probability that a feature is dropped, in [0, 1).

    Paper: Srivastava et al., *Dropout*, 2014.

    >>> torch.manual_seed(0).initial_seed(), Dropout(0.5)(torch.ones(6))
    (0, tensor([0., 2., 0., 0., 0., 2.]))
    """

    def __init__(self, p: float = 0.5) -> None:
        super().__init__()
        if not 0 <= p < 1:
            raise InputError(f"dropout drops a share of at least 0 and below 1, got {p}")
        self.p = p

    def forward(self, x: Tensor) -> Tensor:
        if not self.training or self.p == 0:
            return x
        return x * torch.rand_like(x).ge_(self.p).div_(1 - self.p)

    def extra_repr(self) -> str:
        return f"p={self.p}"
