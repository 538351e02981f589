"""The exponential average of the weights: a better model than the last step's, for the price of a copy."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from typing import Any, Generic, TypeVar

import torch
from torch import Tensor, nn

__all__ = ["WeightAverage"]

Model = TypeVar("Model", bound=nn.Module)


class WeightAverage(Generic[Model]):
    """w <- beta_t w + (1 - beta_t) theta_t,  beta_t = min(decay, (1 + t) / (10 + t)).

    The decay grows at first, so that the start is forgotten (Polyak & Juditsky 1992 for the idea). decay: 0 makes the
    average the current weights. averaged: of an optimizer that averages by itself: from a parameter to w. `model` is
    the averaged copy, in evaluation mode.
    """

    def __init__(self, model: Model, decay: float, averaged: Callable[[Tensor], Tensor] | None = None) -> None:
        self.decay, self.averaged = decay, averaged
        self.updates = 0
        self.model: Model = deepcopy(model).eval().requires_grad_(False)

    @torch.no_grad()
    def update(self, model: Model) -> None:
        """Take in the weights after a step."""
        beta = min(self.decay, (1 + self.updates) / (10 + self.updates))
        self.updates += 1
        if self.averaged is None:
            torch._foreach_lerp_(list(self.model.parameters()), list(model.parameters()), 1 - beta)
        else:
            torch._foreach_copy_(list(self.model.parameters()), [self.averaged(p) for p in model.parameters()])
        for mine, theirs in zip(self.model.buffers(), model.buffers(), strict=True):
            mine.copy_(theirs)

    def state_dict(self) -> dict[str, Any]:
        """The averaged weights, and how many updates they took in."""
        return {"updates": self.updates, "model": self.model.state_dict()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from such a state."""
        self.updates = state["updates"]
        self.model.load_state_dict(state["model"])
