"""Two or more kinds of distribution for one element, in shares that depend on the features."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn

from chainrule.errors import InputError
from chainrule.heads.average import Average
from chainrule.heads.base import Head

__all__ = ["BlendHead"]


class BlendHead(Head):
    """p(x) = sum_j w_j(h) p_j(x), each p_j by a head of its own and the weights by a linear map from the features.

    heads: of one support, reading the same features.

    >>> from chainrule.heads.gaussian_mixture import GaussianMixtureHead
    >>> from chainrule.heads.scores import ScoresHead
    >>> head = BlendHead([GaussianMixtureHead(8, resolution=0.5), ScoresHead(8, resolution=0.5)])
    >>> head(torch.zeros(2, 8)).log_prob(torch.tensor([0.5, 7.0])).shape
    torch.Size([2])
    """

    def __init__(self, heads: Sequence[Head]) -> None:
        if len({(head.features, head.num_symbols) for head in heads}) != 1 or not all(h.elementwise for h in heads):
            names = " and ".join(type(head).__name__ for head in heads) or "none"
            raise InputError(f"a blend needs heads of one element that read the same features, got {names}")
        super().__init__(heads[0].features, heads[0].num_symbols)
        self.heads: Sequence[Head] = nn.ModuleList(heads)  # type: ignore[assignment]
        self.gate = nn.Linear(self.features, len(heads))
        with torch.no_grad():
            self.gate.weight.mul_(0.1)
            self.gate.bias.zero_()

    def forward(self, h: torch.Tensor) -> Average:
        log_weight = self.gate(h).double().log_softmax(-1).unbind(-1)
        return Average([head(h) for head in self.heads], log_weight)

    def initialise(self, x: torch.Tensor) -> None:
        """Start every head from the data."""
        for head in self.heads:
            head.initialise(x)
