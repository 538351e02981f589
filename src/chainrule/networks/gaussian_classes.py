"""A mixture of classes over whole rows, Gaussians over numbers and counts over symbols: its conditionals."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

__all__ = ["ClassesState", "GaussianClasses"]

FARTHEST = 1e6  # a number is cut to this many units, so that what follows stays finite


class ClassesState:
    """The elements so far: what each is beyond its prediction, shape (K, B, D), and ln p of the classes, (B, K)."""

    def __init__(self, beyond: Tensor, logits: Tensor) -> None:
        self.beyond, self.logits = beyond, logits


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

        values: numbers in the units of the classes, and symbols, float64, shape (B, D).
        """
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
        return ClassesState(beyond, self.log_weight.expand(batch_size, -1).clone())

    def step(self, d: int, value: Tensor | None, state: ClassesState) -> tuple[Tensor, Tensor, Tensor]:
        """The same of element d alone, each of shape (B, K); value: element d - 1, which enters the state."""
        if value is not None:
            here = slice(d - 1, d)
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
        return state.logits, mean.T, self.lower[:, d, d].log().expand(mean.T.shape)
