"""Independent columns of a table: names, counts and reals, each with a distribution of its kind."""

from __future__ import annotations

from collections.abc import Sequence
from math import log, pi, sqrt

import numpy as np
import torch
from torch import Tensor, nn

from chainrule.batch import Batch
from chainrule.data.examples.base import Examples
from chainrule.data.examples.in_batches import in_batches
from chainrule.domain import Column
from chainrule.errors import InputError
from chainrule.heads.count import Count
from chainrule.heads.gaussian_mixture import GaussianMixture
from chainrule.models.base import Model

__all__ = ["IndependentColumns"]


class IndependentColumns(Model):
    """p(row) = prod_d p_d(x_d), each p_d fitted to its column alone.

        symbols             (N(x) + 1) / (N + V)
        counts and reals    (N(x) + K g(x)) / (N + K)
        densities           g(x)

    N(x) counts the training rows with this value, N all of them that have one, and K the different values: what was
    never seen has K times the weight that a single row has (Witten and Bell 1991). g is one component of what the heads
    have: the mass of what a Gaussian rounds to the value, at the column's resolution; a logistic on the scale of ln x
    for counts; a Gaussian density where there is no resolution. A missing value is a symbol, or is drawn first, with
    (M + 1) / (M + N + 2) for M missing rows.

    Paper: Witten, Bell, *The zero-frequency problem: estimating the probabilities of novel events in adaptive text
    compression*, 1991.

    cells: one module for each column, from values (B,) to ln p (B,).

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
    """Counts or real numbers, by what was seen and a smooth g for the rest; NaN is missing.

    values: the values that occur, sorted; none for a density, whose points have no mass.
    counts: how often each of them occurs.
    centre: location of g.
    scale: scale of g.
    missing: p(missing).
    """

    def __init__(
        self, values: Tensor, counts: Tensor, centre: float, scale: float, column: Column, missing: float
    ) -> None:
        super().__init__()
        self.values, self.counts, self.column, self.missing = values, counts, column, missing
        self.g = [torch.tensor([[number]], dtype=torch.float64) for number in (0.0, centre, log(scale))]

    @classmethod
    def fit(cls, x: Tensor, column: Column) -> _Numbers:
        present = x[~x.isnan()]
        missing = (len(x) - len(present) + 1) / (len(x) + 2) if column.missing else 0.0
        y = (present + 0.5).log() if column.count else present
        centre = float(y.mean()) if len(y) else 0.0
        spread = float(y.std(correction=0)) * (sqrt(3) / pi if column.count else 1.0) if len(y) else 1.0
        least = 0.05 if column.count else (column.resolution or 1e-6) / 2
        values, counts = (torch.from_numpy(part) for part in np.unique(present.numpy(), return_counts=True))
        if column.resolution is None:
            values, counts = values[:0], counts[:0]
        return cls(values, counts.double(), centre, max(spread, least), column, missing)

    def forward(self, x: Tensor) -> Tensor:
        missing = x.isnan()
        value = torch.where(missing, 0.0, x)
        step = None if self.column.resolution is None else torch.tensor(self.column.resolution, dtype=torch.float64)
        weight, centre, log_scale = (part.expand(len(x), 1) for part in self.g)
        if self.column.count:
            smooth = Count(weight, centre, log_scale).log_prob(value)
        else:
            smooth = GaussianMixture(weight, centre, log_scale, resolution=step).log_prob(value)
        if len(self.values):
            place = torch.searchsorted(self.values, value).clamp(max=len(self.values) - 1)
            seen = torch.where(self.values[place] == value, self.counts[place], 0.0)
            kinds = len(self.values)
            smooth = torch.logaddexp(seen.log(), log(kinds) + smooth) - torch.log(self.counts.sum() + kinds)
        here = smooth + log(1 - self.missing)
        return torch.where(missing, log(self.missing) if self.missing else -torch.inf, here)
