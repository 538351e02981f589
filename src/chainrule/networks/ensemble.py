"""Several networks side by side: their features in one row, for a head that averages their distributions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from chainrule.errors import InputError
from chainrule.networks.base import AutoregressiveNetwork
from chainrule.networks.context_gate import ContextGate
from chainrule.networks.hindsight import Hindsight, HindsightState

if TYPE_CHECKING:
    from chainrule.heads.base import Head

__all__ = ["EnsembleNetwork"]


@dataclass
class EnsembleState:
    """The state of each member, the last symbols, by which a gate knows the context, and what members have said."""

    members: list[Any]
    before: Tensor | None
    said: HindsightState | None = None


class EnsembleNetwork(AutoregressiveNetwork):
    """h_d = (h_d^1, ..., h_d^K): the features of K networks side by side, all of the same elements x_<d.

    With an `AverageHead`, which gives each head its own features, this is an ensemble whose conditionals are averaged.
    With a gate, the logarithms of their K weights follow, which depend on the kind of the context; with hindsight, on
    what each member has said of the elements before. A layer of it holds the members' layers, counted from the last.

    members: networks for the same shape of example; their kinds and sizes may differ.
    gated: whether the weights are by context, of which the first member that sorts contexts says the kind.
    hindsight: the heads of the members, where the weights are by what each has said of the elements before.

    Paper: Lakshminarayanan, Pritzel, Blundell, *Simple and scalable predictive uncertainty estimation using deep
    ensembles*, NeurIPS 2017.

    >>> from chainrule.networks.causal_conv import CausalConv
    >>> network = EnsembleNetwork([CausalConv(3, 4, width=8, depth=1), CausalConv(3, 4, width=5)])
    >>> network(torch.zeros(2, 4, dtype=torch.long)).shape
    torch.Size([2, 4, 13])
    """

    def __init__(
        self, members: Sequence[AutoregressiveNetwork], gated: bool = False, hindsight: Sequence[Head] = ()
    ) -> None:
        if gated and hindsight:
            raise InputError("the weights of an average are by context or by hindsight; give one of the two")
        shapes = {member.shape for member in members}
        if len(shapes) != 1:
            got = f"networks for the shapes {sorted(shapes)}" if shapes else "none"
            raise InputError(f"an ensemble needs networks that read examples of one shape, got {got}")
        of_weights = (gated or bool(hindsight)) * len(members)
        super().__init__(members[0].shape, sum(member.features for member in members) + of_weights)
        self.members: Sequence[AutoregressiveNetwork] = nn.ModuleList(members)  # type: ignore[assignment]
        self.gate = ContextGate(members) if gated else None
        self.hindsight = Hindsight(hindsight) if hindsight else None
        self.skips_given = not gated and not hindsight and any(member.skips_given for member in members)

    @property
    def receptive_field(self) -> int:
        farthest = max(member.receptive_field for member in self.members)
        return farthest if self.hindsight is None else self.length - 1

    @property
    def carries_state(self) -> bool:
        return self.hindsight is None and all(member.carries_state for member in self.members)

    def initialise(self, x: Tensor) -> None:
        for member in self.members:
            member.initialise(x)

    def layers(self, x: Tensor, context: Tensor | None = None) -> list[Tensor]:
        each = [member.layers(x, context) for member in self.members]
        depth = min(len(layers) for layers in each)
        layers = [torch.cat(beside, -1) for beside in zip(*(layers[-depth:] for layers in each), strict=True)]
        if self.hindsight is not None:
            return [*layers[:-1], self._behind(self.hindsight, [own[-1] for own in each], x)]
        return layers if self.gate is None else [*layers[:-1], self._gated(layers[-1], self.gate.before(x))]

    @property
    def elements_at_once(self) -> int | None:
        return min((m.elements_at_once for m in self.members if m.elements_at_once is not None), default=None)

    def forward(self, x: Tensor, context: Tensor | None = None, first: int = 0) -> Tensor:
        if first:  # of a plain average alone, see `skips_given`
            return torch.cat([member.features_from(first, x, context) for member in self.members], -1)
        each = [member(x, context) for member in self.members]
        if self.hindsight is not None:
            return self._behind(self.hindsight, each, x)
        h = torch.cat(each, -1)
        return h if self.gate is None else self._gated(h, self.gate.before(x))

    def packed(self, x: Tensor, segment_ids: Tensor) -> Tensor:
        h = torch.cat([member.packed(x, segment_ids) for member in self.members], -1)
        return h if self.gate is None else self._gated(h, self.gate.before(x, segment_ids))

    def initial_state(self, batch_size: int, context: Tensor | None = None) -> EnsembleState:
        before = None if self.gate is None else self.gate.nothing_before(batch_size)
        said = None if self.hindsight is None else self.hindsight.initial_state(batch_size)
        return EnsembleState([member.initial_state(batch_size, context) for member in self.members], before, said)

    def step(self, x_previous: Tensor | None, state: EnsembleState) -> tuple[Tensor, EnsembleState]:
        steps = [member.step(x_previous, each) for member, each in zip(self.members, state.members, strict=True)]
        state.members = [after for _, after in steps]
        h = torch.cat([h for h, _ in steps], -1)
        if self.hindsight is not None and state.said is not None:
            weights = self.hindsight.step([own for own, _ in steps], x_previous, state.said)
            return torch.cat([h, weights.to(h.dtype)], -1), state
        if self.gate is None or state.before is None:
            return h, state
        state.before = self.gate.after(x_previous, state.before)
        return self._gated(h, state.before), state

    def _behind(self, hindsight: Hindsight, each: list[Tensor], x: Tensor) -> Tensor:
        """The features with the logarithms of the weights by hindsight behind them."""
        h = torch.cat(each, -1)
        return torch.cat([h, hindsight(each, x).to(h.dtype)], -1)

    def _gated(self, h: Tensor, before: Tensor) -> Tensor:
        """The features with the logarithms of the weights behind them. before: the last symbols, shape (..., K)."""
        return h if self.gate is None else torch.cat([h, self.gate(before).to(h.dtype)], -1)
