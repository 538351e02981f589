"""What networks over whole rows know of columns of numbers: their units, and how often a number is there."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from chainrule.domain import Column

if TYPE_CHECKING:
    from chainrule.heads.marginal import Marginal

__all__ = ["common_symbols", "units_of"]


def common_symbols(columns: Sequence[Column]) -> int | None:
    """V, the largest number of outcomes of a column where all are symbols; None where any holds numbers.

    columns: what each element may be.

    >>> common_symbols([Column(3), Column(2, missing=True)]), common_symbols([Column(3), Column(None)])
    (3, None)
    """
    sizes = [0 if c.num_symbols is None else c.num_symbols + c.missing for c in columns]
    return max(sizes) if all(sizes) else None


def units_of(columns: Sequence[Column], marginals: Sequence[Marginal], x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Mean and standard deviation of each column's numbers, and the logit of being there, float64 of shape (D,).

    columns: what each element may be; of symbols the mean is 0, the standard deviation 1 and the logit 0.
    marginals: the columns' own distributions, which are fitted to the numbers.
    x: rows, shape (N, D), NaN where a number is missing.
    """
    rows = x.detach().double().cpu()
    mean, present = (torch.zeros(len(columns)).double() for _ in range(2))
    spread = torch.ones(len(columns)).double()
    for d, column in enumerate(columns):
        if column.num_symbols is None:
            there = rows[:, d][~rows[:, d].isnan()]
            marginals[d].fit(there.numpy())
            present[d] = torch.tensor((len(there) + 0.5) / (len(rows) - len(there) + 0.5)).log()
            if len(there):
                mean[d], spread[d] = there.mean(), there.std(correction=0)
    spread[spread == 0] = 1.0
    return mean, spread, present
