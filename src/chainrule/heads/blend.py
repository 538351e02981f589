"""Two or more kinds of distribution for one element, in shares that depend on the features."""

from __future__ import annotations

from collections.abc import Hashable, Sequence

import torch
from torch import nn

from chainrule.errors import InputError
from chainrule.heads.alike_columns import AlikeLevels, AlikeNumbers
from chainrule.heads.average import Average
from chainrule.heads.base import Head
from chainrule.heads.categorical import CategoricalHead
from chainrule.heads.gaussian_mixture import GaussianMixtureHead
from chainrule.heads.logistic_mixture import LogisticMixtureHead
from chainrule.heads.scores import ScoresHead

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

    def form(self) -> Hashable:
        if len(self.heads) != 2:
            return None
        one, other = self.heads
        if isinstance(one, LogisticMixtureHead) and isinstance(other, CategoricalHead):
            return None if other.soft_cap is not None else (one.levels, one.mixture.components)
        if isinstance(one, GaussianMixtureHead) and isinstance(other, ScoresHead) and not other.marginal.naturals:
            return one.resolution is None, one.mixture.components, other.mixture.components
        return None

    def beside(self, heads: Sequence[Head]) -> AlikeNumbers | AlikeLevels:
        blends = [head for head in heads if isinstance(head, BlendHead)]
        gates, each = [head.gate for head in blends], [part for head in blends for part in head.heads]
        mixtures = [part for part in each if isinstance(part, GaussianMixtureHead)]
        if mixtures:
            return AlikeNumbers(gates, mixtures, [part for part in each if isinstance(part, ScoresHead)])
        levels = [part for part in each if isinstance(part, LogisticMixtureHead)]
        return AlikeLevels(gates, levels, [part for part in each if isinstance(part, CategoricalHead)])

    def initialise(self, x: torch.Tensor) -> None:
        """Start every head from the data."""
        for head in self.heads:
            head.initialise(x)
