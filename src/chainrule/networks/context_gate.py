"""Weights of an average that depend on the context: a row of a table for each kind of context."""

from __future__ import annotations

from collections.abc import Sequence
from math import log

import torch
from torch import Tensor, nn

from chainrule.errors import InputError
from chainrule.networks.base import AutoregressiveNetwork
from chainrule.networks.last_symbols import LastSymbols

__all__ = ["ContextGate"]

LEAST = 1e-6  # smallest weight, so that its logarithm is a number


class ContextGate(nn.Module):
    """ln w_k(c) of K networks, by the kind of the context c of which one of them knows.

    members: the networks, one of which sorts contexts.

    >>> from chainrule.networks.ngram import NGram
    >>> gate = ContextGate([NGram(3, 4, orders=(1, 2)), NGram(3, 4, orders=(1,))])
    >>> gate(gate.before(torch.tensor([[0, 1]]))).exp()[0]
    tensor([[0.5000, 0.5000],
            [0.5000, 0.5000]], dtype=torch.float64)
    """

    log_weight: Tensor

    def __init__(self, members: Sequence[AutoregressiveNetwork]) -> None:
        super().__init__()
        sorting = [member for member in members if member.sorts_contexts]
        if not sorting or (symbols := sorting[0].symbols_read) is None:
            got = ", ".join(type(member).__name__ for member in members)
            raise InputError(f"weights by context need a network that sorts contexts, got {got}; take n-grams")
        self._sorting = (sorting[0],)  # a member of the ensemble, whose weights are stored there
        self.last = LastSymbols(sorting[0].kind_reads, symbols)
        even = torch.full((sorting[0].kinds, len(members)), -log(len(members)), dtype=torch.float64)
        self.register_buffer("log_weight", even)

    def kind(self, before: Tensor) -> Tensor:
        """The kind of each context, shape (...). before: the last symbols, shape (..., K)."""
        return self._sorting[0].kind(before.flatten(0, -2)).view(before.shape[:-1])

    def weigh(self, weights: Tensor) -> None:
        """Set the weights, shape (kinds, K), each row of which is not negative and sums to one."""
        if weights.shape != self.log_weight.shape or bool((weights < 0).any()):
            raise InputError(
                f"the weights have shape {tuple(weights.shape)} and a least of {float(weights.min())}, expected "
                f"{tuple(self.log_weight.shape)}, none of them negative"
            )
        if bool(((weights.sum(1) - 1).abs() > 1e-9).any()):
            raise InputError(f"weights sum to one, got sums from {weights.sum(1).min()} to {weights.sum(1).max()}")
        kept = weights.double().clamp(min=LEAST)
        self.log_weight = (kept / kept.sum(1, keepdim=True)).log().to(self.log_weight.device)

    def before(self, x: Tensor, segment_ids: Tensor | None = None) -> Tensor:
        """The last symbols before elements (B, D), shape (B, D, K); segment_ids: of packed rows."""
        return self.last.of(x, segment_ids)

    def nothing_before(self, batch_size: int) -> Tensor:
        """The last symbols before the first elements, shape (B, K)."""
        return self.last.none(batch_size, self.log_weight.device)

    def after(self, x_previous: Tensor | None, before: Tensor) -> Tensor:
        """The last symbols before the next elements, shape (B, K)."""
        return self.last.after(x_previous, before)

    def forward(self, before: Tensor) -> Tensor:
        """ln w_k of contexts (..., K), shape (..., members)."""
        return self.log_weight[self.kind(before)]
