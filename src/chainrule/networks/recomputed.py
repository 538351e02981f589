"""A user's function from elements to logits as a network; each step computes everything again."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from chainrule.errors import InputError
from chainrule.networks.base import AutoregressiveNetwork

__all__ = ["Recomputed"]


class Recomputed(AutoregressiveNetwork):
    """h_d = f(x)_d for a function f from elements (B, D) to logits (B, D, V) of which nothing else is known.

    f must make h_d from x_<d alone; `chainrule.wrap` checks it. There is no cache: a step calls f on all the elements
    so far, so that sampling D elements costs D passes.

    logits_of: f, a module or any callable, which returns logits or an object with an attribute `logits`.
    num_symbols: V, number of symbols.
    length: number of elements of the longest example.
    """

    def __init__(self, logits_of: Callable[[Tensor], Any], num_symbols: int, length: int) -> None:
        super().__init__(length, num_symbols)
        self.logits_of = logits_of
        if next(self.parameters(), None) is None:
            self.register_parameter("anchor", nn.Parameter(torch.zeros(0)))  # so that the model has a device

    @property
    def symbols_read(self) -> int:
        return self.features

    def layers(self, x: Tensor, context: Tensor | None = None) -> list[Tensor]:
        if context is not None:
            raise InputError("a wrapped function takes elements only; fix its context before wrapping it")
        output = self.logits_of(x)
        # the output of a user's function: logits, or an object with logits, as Hugging Face's models return
        h = getattr(output, "logits", output)
        expected = (*x.shape, self.features)
        if not isinstance(h, Tensor) or tuple(h.shape) != expected:
            got = tuple(h.shape) if isinstance(h, Tensor) else type(h).__name__
            raise InputError(f"the wrapped function returned {got}, expected logits of shape {expected}")
        return [h]

    def initial_state(self, batch_size: int, context: Tensor | None = None) -> Tensor:
        return torch.zeros(batch_size, 1, dtype=torch.long, device=next(self.parameters()).device)

    def step(self, x_previous: Tensor | None, state: Tensor) -> tuple[Tensor, Tensor]:
        if x_previous is not None:
            state = torch.cat([state[:, :-1], x_previous.unsqueeze(1), state[:, :1]], 1)
        return self.layers(state)[0][:, -1], state
