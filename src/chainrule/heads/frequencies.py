"""How often each symbol occurs: what heads for many symbols are laid out by."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from chainrule.errors import InputError

__all__ = ["Counts", "count_symbols", "symbol_counts"]

Counts = Tensor | Sequence[float] | None


def symbol_counts(counts: Counts, num_symbols: int) -> Tensor:
    """Counts as they are given, checked, float64, shape (V,); all equal where none are.

    >>> symbol_counts([3, 0, 1], 3)
    tensor([3., 0., 1.], dtype=torch.float64)
    """
    if counts is None:
        return torch.ones(num_symbols, dtype=torch.float64)
    counts = torch.as_tensor(counts, dtype=torch.float64)
    if counts.shape != (num_symbols,):
        raise InputError(f"counts have the shape {tuple(counts.shape)}, expected one for each of {num_symbols} symbols")
    if not bool(counts.isfinite().all()) or float(counts.min()) < 0 or float(counts.sum()) == 0:
        raise InputError("counts are finite, not negative and not all zero; count the symbols of the training data")
    return counts


def count_symbols(x: Tensor, num_symbols: int) -> Tensor:
    """How often each symbol occurs in the elements x, of any shape; NaN is skipped. Float64, shape (V,).

    >>> count_symbols(torch.tensor([[0, 2], [2, 2]]), 3)
    tensor([1., 0., 3.], dtype=torch.float64)
    """
    here = x[~x.isnan()].long()
    if len(here) and (int(here.min()) < 0 or int(here.max()) >= num_symbols):
        raise InputError(
            f"symbols run from {int(here.min())} to {int(here.max())}, but the head has {num_symbols} "
            f"(0 to {num_symbols - 1}); re-encode the data or build the head with more symbols"
        )
    return symbol_counts(torch.bincount(here.cpu(), minlength=num_symbols), num_symbols)
