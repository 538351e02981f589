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
    one_length: whether f takes examples of that length only; shorter ones are then filled up with the symbol 0, which
        f does not see in what comes before.
    """

    def __init__(
        self, logits_of: Callable[[Tensor], Any], num_symbols: int, length: int, *, one_length: bool = False
    ) -> None:
        super().__init__(length, num_symbols)
        self.logits_of, self.one_length = logits_of, one_length
        if next(self.parameters(), None) is None:
            self.register_parameter("anchor", nn.Parameter(torch.zeros(0)))  # so that the model has a device

    @property
    def symbols_read(self) -> int:
        return self.features

    def layers(self, x: Tensor, context: Tensor | None = None) -> list[Tensor]:
        if context is not None:
            raise InputError("a wrapped function takes elements only; fix its context before wrapping it")
        if self.one_length and x.shape[1] < self.length:
            return [self.layers(nn.functional.pad(x, (0, self.length - x.shape[1])))[0][:, : x.shape[1]]]
        output = self.logits_of(x)
        # the output of a user's function: logits, or an object with logits, as Hugging Face's models return
        h = getattr(output, "logits", output)
        expected = (*x.shape, self.features)
        if not isinstance(h, Tensor) or tuple(h.shape) != expected:
            raise InputError(
                f"the wrapped function returned {_kind(output)}, expected logits of shape {expected}; "
                f"{_advice(h if isinstance(h, Tensor) else output, expected)}"
            )
        return [h]

    def initial_state(self, batch_size: int, context: Tensor | None = None) -> Tensor:
        return torch.zeros(batch_size, 1, dtype=torch.long, device=next(self.parameters()).device)

    def step(self, x_previous: Tensor | None, state: Tensor) -> tuple[Tensor, Tensor]:
        if x_previous is not None:
            state = torch.cat([state[:, :-1], x_previous.unsqueeze(1), state[:, :1]], 1)
        return self.layers(state)[0][:, -1], state


def _kind(output: Any) -> str:
    """The shape of a tensor, or the type of anything else."""
    return str(tuple(output.shape)) if isinstance(output, Tensor) else f"a {type(output).__name__}"


def _advice(output: Any, expected: tuple[int, ...]) -> str:
    """What to wrap instead."""
    batch, length, symbols = expected
    if isinstance(output, dict):
        named = next((name for name, part in output.items() if isinstance(part, Tensor) and part.ndim == 3), "logits")
        return f"wrap(lambda x: module(x)[{named!r}], ...)"
    if isinstance(output, (tuple, list)):
        shapes = [tuple(part.shape) if isinstance(part, Tensor) else None for part in output]
        return f"wrap(lambda x: module(x)[{shapes.index(expected) if expected in shapes else 0}], ...)"
    if isinstance(output, Tensor) and tuple(output.shape) == (batch, symbols, length):
        return "wrap(lambda x: module(x).mT, ...)"
    if isinstance(output, Tensor) and output.ndim == 3 and tuple(output.shape[:2]) == (batch, length):
        return f"say num_symbols={output.shape[2]}, or cut the logits: wrap(lambda x: module(x)[..., :{symbols}], ...)"
    return "wrap a function that returns them"
