"""The head of a network whose features are logits already."""

from __future__ import annotations

from torch import Tensor

from chainrule.heads.base import Head
from chainrule.heads.categorical import Categorical

__all__ = ["LogitsHead"]


class LogitsHead(Head):
    """p(x_d = k) = softmax(h_d)_k: for networks that end in logits, such as a language model with its own last layer.

    num_symbols: V, which is also the size of the features. There are no parameters.

    >>> import torch
    >>> LogitsHead(4)(torch.zeros(2, 3, 4)).entropy().shape
    torch.Size([2, 3])
    """

    def __init__(self, num_symbols: int) -> None:
        super().__init__(num_symbols, num_symbols)

    def forward(self, h: Tensor) -> Categorical:
        return Categorical(h)
