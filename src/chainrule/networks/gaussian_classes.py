"""A mixture of classes over whole rows, Gaussians over numbers and counts over symbols: its conditionals."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from chainrule.networks.given_numbers import Given, in_pieces, patterns_of

__all__ = ["ClassesState", "GaussianClasses"]

FARTHEST = 1e6  # a number is cut to this many units, so that what follows stays finite


class ClassesState:
    """The elements so far: what each is beyond its prediction, shape (K, B, D), and ln p of the classes, (B, K).

    Of rows of which a number was missing, the values are kept, too, shape (B, D).
    """

    def __init__(self, beyond: Tensor, logits: Tensor, values: Tensor) -> None:
        self.beyond, self.logits, self.values = beyond, logits, values


class GaussianClasses(nn.Module):
    """p(row) = sum_k w_k N(numbers; m_k, L_k L_k') prod over the columns of symbols of p_k(symbol).

    Given the elements before it, a number has a mixture of Gaussians, a symbol one of the p_k, each with the weights
    that the classes have after these elements: all in closed form.

    symbols: number of symbols of each column, 0 for numbers.
    classes: K, number of classes; one that is not used has no weight.
    """

    log_weight: Tensor
    mean: Tensor
    lower: Tensor
    log_pmf: Tensor
    is_symbol: Tensor

    def __init__(self, symbols: Sequence[int], classes: int) -> None:
        super().__init__()
        columns, most = len(symbols), max(1, *symbols)
        sizes = torch.tensor(symbols)
        self.register_buffer("is_symbol", sizes > 0, persistent=False)
        self.register_buffer("log_weight", torch.zeros(classes).log_softmax(0).double())
        self.register_buffer("mean", torch.zeros(classes, columns).double())
        self.register_buffer("lower", torch.eye(columns).double().repeat(classes, 1, 1))
        even = torch.where(torch.arange(most) < sizes.clamp(min=1)[:, None], -sizes.clamp(min=1)[:, None].log(), -50.0)
        self.register_buffer("log_pmf", even.double().repeat(classes, 1, 1))

    @property
    def classes(self) -> int:
        return len(self.log_weight)

    def forward(self, values: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """ln p of the classes before each element, mean and ln of the scale of each class, each of shape (B, D, K).

        values: numbers in the units of the classes, and symbols, float64, shape (B, D); NaN where a number is missing.
        """
        gone = values.isnan().any(1)
        if not gone.any():
            return self._whole(values)
        logits, expected, scale = (part.clone() for part in self._whole(values.nan_to_num()))
        rows = torch.nonzero(gone)[:, 0]
        for some in in_pieces(rows, self.lower.numel()):
            logits[some], expected[some], scale[some] = self._seen(values[some])
        return logits, expected, scale

    def _seen(self, values: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """The same of rows of which numbers are missing, by the Gaussians of those that are there."""
        length = values.shape[1]
        patterns, which = patterns_of(values)
        lower = self.lower[:, :length, :length]
        given = Given.of(lower @ lower.transpose(1, 2), patterns)
        off = self._off(values.nan_to_num(), self.mean[:, :length], self.is_symbol[:length]).transpose(0, 1)
        beyond = given.beyond(off, which)  # (B, K, D)
        before = given.before[which]
        expected = self.mean[:, :length] + (before @ beyond.unsqueeze(-1)).squeeze(-1)
        log_scale = given.log_scale[which]
        there = patterns[which].unsqueeze(1)
        number = torch.where(there, -beyond.square() / 2 - log_scale, 0.0)
        symbol = self._symbol(values.nan_to_num(), slice(0, length)).transpose(1, 2)
        term = torch.where(self.is_symbol[:length], symbol, number)
        logits = self.log_weight[:, None] + torch.cat([torch.zeros_like(term[..., :1]), term[..., :-1]], -1).cumsum(-1)
        return logits.transpose(1, 2), expected.transpose(1, 2), log_scale.transpose(1, 2)

    def _whole(self, values: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """The same of rows of which nothing is missing."""
        length = values.shape[1]
        lower, mean = self.lower[:, :length, :length], self.mean[:, :length]
        off = self._off(values, mean, self.is_symbol[:length])
        beyond = torch.linalg.solve_triangular(lower, off.transpose(1, 2), upper=False)  # (K, D, B)
        expected = mean[:, :, None] + lower.tril(-1) @ beyond
        log_scale = torch.diagonal(lower, dim1=1, dim2=2).log()
        number = -beyond.square() / 2 - log_scale[:, :, None]
        symbol = self._symbol(values, slice(0, length))
        term = torch.where(self.is_symbol[:length, None], symbol.permute(2, 1, 0), number)
        logits = self.log_weight[:, None, None] + torch.cat([torch.zeros_like(term[:, :1]), term[:, :-1]], 1).cumsum(1)
        scale = log_scale.T.expand(len(values), -1, -1)
        return logits.permute(2, 1, 0), expected.permute(2, 1, 0), scale

    def _off(self, values: Tensor, mean: Tensor, is_symbol: Tensor) -> Tensor:
        """How far numbers are from the means, shape (K, B, D); 0 for symbols."""
        cut = values.clamp(-FARTHEST, FARTHEST)
        return torch.where(is_symbol, 0.0, cut - mean[:, None])

    def _symbol(self, values: Tensor, here: slice) -> Tensor:
        """ln p_k of symbols, shape (B, D, K)."""
        index = torch.where(self.is_symbol[here], values, 0.0).long()
        table = self.log_pmf[:, here].permute(1, 2, 0)  # (D, V, K)
        return table[torch.arange(table.shape[0], device=index.device), index]

    def initial_state(self, batch_size: int) -> ClassesState:
        beyond = self.mean.new_zeros(self.classes, batch_size, self.mean.shape[1])
        values = self.mean.new_zeros(batch_size, self.mean.shape[1])
        return ClassesState(beyond, self.log_weight.expand(batch_size, -1).clone(), values)

    def step(self, d: int, value: Tensor | None, state: ClassesState) -> tuple[Tensor, Tensor, Tensor]:
        """The same of element d alone, each of shape (B, K); value: element d - 1, which enters the state."""
        if value is not None:
            state.values[:, d - 1] = value
            value, here = value.nan_to_num(), slice(d - 1, d)
            scale = self.lower[:, d - 1, d - 1]
            off = self._off(value[:, None], self.mean[:, here], self.is_symbol[here])[..., 0]  # (K, B)
            known = state.beyond[:, :, : d - 1] @ self.lower[:, d - 1, : d - 1, None]
            beyond = (off - known[..., 0]) / scale[:, None]
            state.beyond[:, :, d - 1] = beyond
            number = (-beyond.square() / 2 - scale.log()[:, None]).T
            state.logits = state.logits + (
                self._symbol(value[:, None], here)[:, 0] if self.is_symbol[d - 1] else number
            )
        mean = self.mean[:, d, None] + (state.beyond[:, :, :d] @ self.lower[:, d, :d, None])[..., 0]
        logits, expected, scale = state.logits, mean.T, self.lower[:, d, d].log().expand(mean.T.shape)
        rows = torch.nonzero(state.values[:, :d].isnan().any(1))[:, 0]
        if not len(rows):
            return logits, expected, scale
        found = self(torch.cat([state.values[rows, :d], state.values.new_zeros(len(rows), 1)], 1))
        parts = [
            whole.index_put((rows,), part[:, -1]) for whole, part in zip((logits, expected, scale), found, strict=True)
        ]
        return parts[0], parts[1], parts[2]
