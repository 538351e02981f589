"""The exponential moving average (EMA) of the weights: often a better model than the last step's, for one copy."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from typing import Any, Generic, TypeVar

import torch
from torch import Tensor, nn

__all__ = ["WeightEMA"]

Model = TypeVar("Model", bound=nn.Module)


class WeightEMA(Generic[Model]):
    """w <- beta_t w + (1 - beta_t) theta_t,  beta_t = min(decay, (1 + t) / (10 + t)).

    The decay grows at first, so that the start is forgotten (Polyak & Juditsky 1992 for the idea). The attribute
    `model` is the averaged copy, in evaluation mode.

    model: the model whose weights are averaged.
    decay: the largest beta_t; 0 makes the average the current weights.
    averaged: for an optimizer that averages by itself, its function from a parameter to w.
    """

    def __init__(self, model: Model, decay: float, averaged: Callable[[Tensor], Tensor] | None = None) -> None:
        self.decay, self.averaged = decay, averaged
        self.updates = 0
        self._listed: tuple[Model, tuple[list[Tensor], list[Tensor], list[tuple[nn.Module, nn.Module]]]] | None = None
        self.model: Model = deepcopy(model).eval().requires_grad_(False)

    @torch.no_grad()
    def update(self, model: Model) -> None:
        """Take in the weights of the model after a step."""
        beta = min(self.decay, (1 + self.updates) / (10 + self.updates))
        self.updates += 1
        mine, theirs, modules = self._beside(model)
        if self.averaged is None:
            torch._foreach_lerp_(mine, theirs, 1 - beta)
        else:
            torch._foreach_copy_(mine, [self.averaged(p) for p in theirs])
        pairs = [
            (buffer, other)
            for one, two in modules
            for buffer, other in zip(one._buffers.values(), two._buffers.values(), strict=True)
            if buffer is not None and other is not None
        ]
        if pairs:
            torch._foreach_copy_([buffer for buffer, _ in pairs], [other for _, other in pairs])

    def _beside(self, model: Model) -> tuple[list[Tensor], list[Tensor], list[tuple[nn.Module, nn.Module]]]:
        """The parameters of the average, those of the model, and the modules of both; they are listed once."""
        if self._listed is None or self._listed[0] is not model:
            modules = list(zip(self.model.modules(), model.modules(), strict=True))
            self._listed = model, (list(self.model.parameters()), list(model.parameters()), modules)
        return self._listed[1]

    def state_dict(self) -> dict[str, Any]:
        """The averaged weights and the number of updates."""
        return {"updates": self.updates, "model": self.model.state_dict()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from a saved state."""
        self.updates = state["updates"]
        self.model.load_state_dict(state["model"])
