"""The head of a network whose features are logits already."""

from __future__ import annotations

from torch import Tensor

from chainrule.errors import InputError
from chainrule.heads.base import Head
from chainrule.heads.categorical import Categorical

__all__ = ["LogitsHead"]


class LogitsHead(Head):
    """p(x_d = k) = softmax(h_d)_k: for networks that end in logits, such as a language model with its own last layer.

    features: V, number of logits that the network makes.
    num_symbols: V of the data, where it is known.

    It has no parameters.

    Raises InputError where the two differ.

    >>> import torch
    >>> LogitsHead(4)(torch.zeros(2, 3, 4)).entropy().shape
    torch.Size([2, 3])
    """

    def __init__(self, features: int, num_symbols: int | None = None) -> None:
        if num_symbols not in (None, features):
            raise InputError(f"the network makes {features} logits for {num_symbols} symbols; take another head for it")
        super().__init__(features, features)

    def forward(self, h: Tensor) -> Categorical:
        return Categorical(h)
