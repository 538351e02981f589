"""Several networks side by side: their features in one row, for a head that averages their distributions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from chainrule.errors import InputError
from chainrule.networks.base import AutoregressiveNetwork

__all__ = ["EnsembleNetwork"]


class EnsembleNetwork(AutoregressiveNetwork):
    """h_d = (h_d^1, ..., h_d^K): the features of K networks side by side, all of the same elements x_<d.

    With an `AverageHead`, which gives each head its own features, this is an ensemble whose conditionals are averaged.
    A layer of it holds the members' layers, counted from the last.

    members: networks for the same shape of example; their kinds and sizes may differ.

    Paper: Lakshminarayanan, Pritzel, Blundell, *Simple and scalable predictive uncertainty estimation using deep
    ensembles*, NeurIPS 2017.

    >>> from chainrule.networks.causal_conv import CausalConv
    >>> network = EnsembleNetwork([CausalConv(3, 4, width=8, depth=1), CausalConv(3, 4, width=5)])
    >>> network(torch.zeros(2, 4, dtype=torch.long)).shape
    torch.Size([2, 4, 13])
    """

    def __init__(self, members: Sequence[AutoregressiveNetwork]) -> None:
        shapes = {member.shape for member in members}
        if len(shapes) != 1:
            got = f"networks for the shapes {sorted(shapes)}" if shapes else "none"
            raise InputError(f"an ensemble needs networks that read examples of one shape, got {got}")
        super().__init__(members[0].shape, sum(member.features for member in members))
        self.members: Sequence[AutoregressiveNetwork] = nn.ModuleList(members)  # type: ignore[assignment]

    @property
    def receptive_field(self) -> int:
        return max(member.receptive_field for member in self.members)

    def initialise(self, x: Tensor) -> None:
        for member in self.members:
            member.initialise(x)

    def layers(self, x: Tensor, context: Tensor | None = None) -> list[Tensor]:
        each = [member.layers(x, context) for member in self.members]
        depth = min(len(layers) for layers in each)
        return [torch.cat(beside, -1) for beside in zip(*(layers[-depth:] for layers in each), strict=True)]

    def forward(self, x: Tensor, context: Tensor | None = None) -> Tensor:
        return torch.cat([member(x, context) for member in self.members], -1)

    def packed(self, x: Tensor, segment_ids: Tensor) -> Tensor:
        return torch.cat([member.packed(x, segment_ids) for member in self.members], -1)

    def initial_state(self, batch_size: int, context: Tensor | None = None) -> list[Any]:
        return [member.initial_state(batch_size, context) for member in self.members]

    def step(self, x_previous: Tensor | None, state: list[Any]) -> tuple[Tensor, list[Any]]:
        steps = [member.step(x_previous, each) for member, each in zip(self.members, state, strict=True)]
        return torch.cat([h for h, _ in steps], -1), [after for _, after in steps]
