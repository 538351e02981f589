"""The head of a column with fewer symbols than its network has logits."""

from __future__ import annotations

from torch import Tensor

from chainrule.errors import InputError
from chainrule.heads.base import Head
from chainrule.heads.categorical import Categorical

__all__ = ["FirstLogitsHead"]


class FirstLogitsHead(Head):
    """p(x_d = k) = softmax(the first V of h_d)_k: for the columns of a table whose network ends in logits.

    features: number of logits that the network makes.
    num_symbols: V, at most as many.

    It has no parameters.

    >>> import torch
    >>> FirstLogitsHead(4, 2)(torch.zeros(1, 4)).pmf()
    tensor([[0.5000, 0.5000]])
    """

    def __init__(self, features: int, num_symbols: int) -> None:
        if num_symbols > features:
            raise InputError(f"the network makes {features} logits for {num_symbols} symbols; take another head for it")
        super().__init__(features, num_symbols)

    def forward(self, h: Tensor) -> Categorical:
        return Categorical(h[..., : self.num_symbols])
