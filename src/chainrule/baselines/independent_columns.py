"""Independent columns of a table: names, counts and reals, each with a distribution of its kind."""

from __future__ import annotations

from collections.abc import Sequence
from math import log

import torch
from torch import Tensor, nn

from chainrule.batch import Batch
from chainrule.data.examples.base import Examples
from chainrule.data.examples.in_batches import in_batches
from chainrule.domain import Column
from chainrule.errors import InputError
from chainrule.heads.marginal import Marginal
from chainrule.models.base import Model

__all__ = ["IndependentColumns"]


class IndependentColumns(Model):
    """p(row) = prod_d p_d(x_d), each p_d fitted to its column alone.

        symbols             (N(x) + 1) / (N + V)
        counts and reals    s N(x) / R + (1 - s) g(x)
        densities           g(x)

    N(x) counts the training rows with this value, N all of them, and R those whose value repeats, among which alone
    N(x) is not 0. The share s is found by leaving one row out: it is close to one where values repeat and 0 where they
    never do. g is smooth, see `Marginal`. A missing value is a symbol, or is drawn first, with (M + 1) / (M + N + 2)
    for M missing rows.

    cells: one module for each column, from values (B,) to ln p (B,).

    >>> import numpy as np
    >>> from chainrule.data.examples.arrays import ArrayExamples
    >>> rows = ArrayExamples(np.array([[0.0, 3.0], [0.0, np.nan], [1.0, 5.0]]))
    >>> columns = (Column(2), Column(None, resolution=1.0, missing=True))
    >>> IndependentColumns.fit(rows, columns).element_log_prob(rows.batch(np.arange(3)))[:, 0].exp()
    tensor([0.6000, 0.6000, 0.4000], dtype=torch.float64)
    """

    def __init__(self, cells: Sequence[nn.Module]) -> None:
        super().__init__()
        self.cells = nn.ModuleList(cells)

    @classmethod
    def fit(cls, examples: Examples, columns: Sequence[Column]) -> IndependentColumns:
        """Count and measure the columns, see `Domain.columns`."""
        if not len(examples):
            raise InputError("a baseline needs at least one example, got none")
        x = torch.cat([batch.x for _, batch in in_batches(examples, 1 << 16)]).double()
        return cls(
            [_Names.fit(x[:, d], c) if c.num_symbols else _Numbers.fit(x[:, d], c) for d, c in enumerate(columns)]
        )

    def element_log_prob(self, batch: Batch) -> Tensor:
        """ln p_d(x_d), shape (B, D), 0 where an element does not count."""
        log_prob = torch.stack([cell(batch.x[:, d].double()) for d, cell in enumerate(self.cells)], 1)
        return torch.where(batch.mask, log_prob, 0.0)


class _Names(nn.Module):
    """Symbols by their counts plus one, a missing one among them."""

    def __init__(self, counts: Tensor) -> None:
        super().__init__()
        self.log_pmf = ((counts.double() + 1) / (counts.sum() + len(counts))).log()

    @classmethod
    def fit(cls, x: Tensor, column: Column) -> _Names:
        return cls(torch.bincount(x.long(), minlength=(column.num_symbols or 0) + column.missing))

    def forward(self, x: Tensor) -> Tensor:
        return self.log_pmf[x.long()]


class _Numbers(nn.Module):
    """Counts or real numbers by the distribution of their column; NaN is missing.

    marginal: the distribution of those that are there.
    missing: p(missing).
    """

    def __init__(self, marginal: Marginal, missing: float) -> None:
        super().__init__()
        self.marginal, self.missing = marginal, missing

    @classmethod
    def fit(cls, x: Tensor, column: Column) -> _Numbers:
        present = x[~x.isnan()]
        missing = (len(x) - len(present) + 1) / (len(x) + 2) if column.missing else 0.0
        marginal = Marginal(column.resolution, column.count)
        marginal.fit(present.numpy())
        return cls(marginal, missing)

    def forward(self, x: Tensor) -> Tensor:
        missing = x.isnan()
        here = self.marginal.log_prob(torch.where(missing, 0.0, x)) + log(1 - self.missing)
        return torch.where(missing, log(self.missing) if self.missing else -torch.inf, here)
