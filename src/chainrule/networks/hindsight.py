"""Weights of an average of networks by what each of them has said of the elements before."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import log
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from chainrule.errors import InputError

if TYPE_CHECKING:
    from chainrule.heads.base import Head

__all__ = ["Hindsight", "HindsightState", "behind"]

MOST = 20.0  # nats that one element can cost a network


def behind(log_prob: Tensor) -> Tensor:
    """How far each network is behind the best at an element, at most 20 nats, shape (K, ...).

    log_prob: ln p_k of elements, shape (K, ...).
    """
    best = log_prob.amax(0)
    return torch.where(best == -torch.inf, 0.0, log_prob - best).clamp(min=-MOST)


@dataclass
class HindsightState:
    """The position, each network's features of the element before, and how far each is behind, shape (B, K)."""

    d: int
    features: list[Tensor] | None
    total: Tensor


class Hindsight(nn.Module):
    """ln w_k(x_<d) = ln w_k + s sum over the elements before of ln p_k(x_e | x_<e), up to a constant.

    With strength s = 0 the weights are the same everywhere. With s = 1 it is the mixture of whole examples, sum_k w_k
    p_k(x): who was right about the elements before is believed. What lies between is an average that may change its
    mind.

    heads: those of the networks, one for each, which read x by columns.

    Papers: Herbster, Warmuth, *Tracking the best expert*, 1998; Grünwald, *The safe Bayesian*, 2012.
    """

    log_weight: Tensor
    strength: Tensor

    def __init__(self, heads: Sequence[Head]) -> None:
        super().__init__()
        self._heads = tuple(heads)  # of the average, where their own weights are stored
        self.register_buffer("log_weight", torch.full((len(heads),), -log(len(heads)), dtype=torch.float64))
        self.register_buffer("strength", torch.zeros((), dtype=torch.float64))

    def _apply(self, fn: Any, recurse: bool = True) -> Hindsight:
        """Heads go where the weights go, to another device or precision."""
        for head in self._heads:
            head._apply(fn, recurse)  # type: ignore[no-untyped-call]
        super()._apply(fn, recurse)  # type: ignore[no-untyped-call]
        return self

    def weigh(self, weights: Tensor) -> None:
        """Set the weights, shape (K + 1,): those of the networks, which sum to one, and the strength."""
        shares, strength = weights[:-1].double(), weights[-1].double()
        if len(weights) != len(self.log_weight) + 1 or bool((weights < 0).any()):
            raise InputError(f"the weights are {weights.tolist()}, expected {len(self.log_weight)} and a strength")
        if abs(float(shares.sum()) - 1) > 1e-6:
            raise InputError(f"weights sum to one, got {shares.tolist()}")
        self.log_weight.copy_(shares.clamp(min=1e-12).log())
        self.strength.copy_(strength)

    def forward(self, features: Sequence[Tensor], x: Tensor) -> Tensor:
        """ln of the weights at each element, up to a constant, shape (B, D, K).

        features: of each network, shape (B, D, H).
        x: elements, shape (B, D).
        """
        found = [head(h).log_prob(x).double() for head, h in zip(self._heads, features, strict=True)]
        each = behind(torch.stack(found))
        total = torch.cat([torch.zeros_like(each[..., :1]), each[..., :-1].cumsum(-1)], -1)
        return self._weights(total.permute(1, 2, 0))

    def initial_state(self, batch_size: int) -> HindsightState:
        """Nothing has been said."""
        return HindsightState(0, None, self.log_weight.new_zeros(batch_size, len(self._heads)))

    def step(self, features: list[Tensor], x_previous: Tensor | None, state: HindsightState) -> Tensor:
        """ln of the weights at the next element, shape (B, K). features: of each network for it, shape (B, H)."""
        if x_previous is not None and state.features is not None:
            before = [
                head.at(state.d - 1, h, x_previous.unsqueeze(-1)).log_prob(x_previous).double()
                for head, h in zip(self._heads, state.features, strict=True)
            ]
            state.total = state.total + behind(torch.stack(before)).T
        state.features, state.d = features, state.d + 1
        return self._weights(state.total)

    def _weights(self, total: Tensor) -> Tensor:
        return (self.log_weight + self.strength * total).log_softmax(-1)
