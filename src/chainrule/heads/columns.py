"""Columns: one head for rows whose elements are of different kinds."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from functools import cached_property

import torch
from torch import Tensor, nn

from chainrule.errors import InputError, unknown_name
from chainrule.heads.base import Alike, Distribution, Head

__all__ = ["Columns", "ColumnsHead"]

NUMBERS = ("mixtures", "scores", "blend")


class Cell(Distribution):
    """The distribution of one column, over the real numbers that a row is written in.

    A row is one tensor, so symbols and counts stand in it as whole float64 numbers; they are turned back here, and a
    broken one is refused.

    p: the distribution.
    column: number of the column, for errors.
    integers: whether draws are integers, for rows of symbols only.
    """

    def __init__(self, p: Distribution, column: int, integers: bool = False) -> None:
        self.p, self.column, self.integers = p, column, integers
        self.num_symbols: int | None = p.num_symbols
        self.resolution: float | Tensor | None = p.resolution

    @property
    def batch_shape(self) -> torch.Size:
        return self.p.batch_shape

    @property
    def device(self) -> torch.device:
        return self.p.device

    @property
    def order(self) -> Tensor | None:
        return self.p.order

    @property
    def may_be_missing(self) -> bool:
        return self.p.may_be_missing

    def missing_share(self) -> Tensor:
        return self.p.missing_share()

    def _value(self, x: Tensor) -> Tensor:
        if self.num_symbols is None or not x.is_floating_point():
            return x
        if not torch.compiler.is_compiling() and bool((x != x.round()).any()):
            broken = x[x != x.round()][0].item()
            raise InputError(
                f"column {self.column} has {broken}, expected symbols 0 to {self.num_symbols - 1}, "
                "the last of them for missing if it may be; re-encode it, or give the column a real head"
            )
        return x.long()

    def log_prob(self, x: Tensor) -> Tensor:
        try:
            return self.p.log_prob(self._value(x)).double()
        except InputError as error:
            where = f"column {self.column}"
            raise error if str(error).startswith(where) else InputError(f"{where}: {error}") from error

    def cdf(self, x: Tensor) -> Tensor:
        return self.p.cdf(self._value(x)).double()

    def icdf(self, u: Tensor) -> Tensor:
        x = self.p.icdf(u)
        return x if self.integers else x.double()

    def pmf(self) -> Tensor:
        return self.p.pmf()

    def entropy(self) -> Tensor:
        return self.p.entropy()


class Columns(Distribution):
    """p(row) = prod_d p_d(x_d): the parts of one row, each of its own kind.

    `log_prob` gives the parts, (B, D) in nats, and their sum is the exact ln p(row). `density_columns` says which of
    them are densities; the others are masses.

    cells: one distribution of shape (B,) for each column.
    """

    def __init__(self, cells: Sequence[Cell]) -> None:
        self.cells = list(cells)

    @property
    def batch_shape(self) -> torch.Size:
        return torch.Size([*self.cells[0].batch_shape, len(self.cells)])

    @property
    def device(self) -> torch.device:
        return self.cells[0].device

    @property
    def is_mass(self) -> bool:
        return not self.density_columns

    @property
    def density_columns(self) -> tuple[int, ...]:
        """The columns whose part is a density, in the units of their data."""
        return tuple(cell.column for cell in self.cells if not cell.is_mass)

    def _columns(self, x: Tensor) -> zip[tuple[Cell, Tensor]]:
        """Each column's distribution beside its values."""
        if x.shape != self.batch_shape:
            raise InputError(f"the rows have the shape {tuple(x.shape)}, expected {tuple(self.batch_shape)}")
        return zip(self.cells, x.unbind(-1), strict=True)

    def log_prob(self, x: Tensor) -> Tensor:
        return torch.stack([cell.log_prob(values) for cell, values in self._columns(x)], -1)

    def cdf(self, x: Tensor) -> Tensor:
        """P(X_d <= x_d | x_<d), column by column."""
        return torch.stack([cell.cdf(values) for cell, values in self._columns(x)], -1)

    def icdf(self, u: Tensor) -> Tensor:
        return torch.stack([cell.icdf(uniform) for cell, uniform in self._columns(u)], -1)


class ColumnsInTraining(Columns):
    """The parts of one row, whose ln p is read of columns with heads of one form at once.

    head: the heads.
    h: features, shape (B, D, H).
    """

    def __init__(self, head: ColumnsHead, h: Tensor) -> None:
        self.head, self.h = head, h

    @cached_property
    def cells(self) -> list[Cell]:  # type: ignore[override]
        """The distribution of each column."""
        return self.head.cells(self.h)

    @property
    def batch_shape(self) -> torch.Size:
        return self.h.shape[:-1]

    @property
    def device(self) -> torch.device:
        return self.h.device

    def log_prob(self, x: Tensor) -> Tensor:
        if x.shape != self.batch_shape:
            raise InputError(f"the rows have the shape {tuple(x.shape)}, expected {tuple(self.batch_shape)}")
        parts: list[Tensor] = [x] * x.shape[-1]
        for columns, alike in self.head.groups:
            found = alike.log_prob(self.h[:, columns].transpose(0, 1), x[:, columns].T)
            for d, part in zip(columns, found, strict=True):
                parts[d] = part
        for d in self.head.alone:
            parts[d] = self.head.cell(d, self.h).log_prob(x[..., d])
        return torch.stack(parts, -1)


class ColumnsHead(Head):
    """A head for each column of a row, all reading the same kind of features.

    A row x is a float tensor (B, D), float64 where digits matter, or an integer one if all columns are symbols.
    Symbols 0, ..., V-1 and counts stand in it as whole numbers. What a MissingHead calls missing is the symbol V in a
    column of symbols, NaN in one of counts or real numbers.

    heads: one for each column, with the same features.
    mixed: whether densities and masses may stand in one row, whose ln p is then neither in bits nor in the units of
        anything.
    numbers: how `build_model` makes the heads of numbers: "mixtures" of Gaussians or of logistics for counts, "scores"
        (see `ScoresHead`), or a "blend" of both, also for levels. Runs that do not say it have mixtures.

    >>> from chainrule.heads.categorical import CategoricalHead
    >>> from chainrule.heads.gaussian_mixture import GaussianMixtureHead
    >>> head = ColumnsHead([CategoricalHead(8, 4), GaussianMixtureHead(8, resolution=0.1)])
    >>> head(torch.zeros(2, 2, 8)).log_prob(torch.tensor([[3.0, -0.2], [0.0, 1.7]])).shape
    torch.Size([2, 2])
    """

    elementwise = False

    def __init__(self, heads: Sequence[Head], *, mixed: bool = False, numbers: str = "mixtures") -> None:
        if not heads:
            raise InputError("a row has at least one column, got no heads")
        sizes = {head.features for head in heads}
        if len(sizes) > 1:
            raise InputError(f"all columns read features of one size, got heads for {sorted(sizes)}")
        for d, head in enumerate(heads):
            if not head.elementwise:
                raise InputError(
                    f"column {d}: this {type(head).__name__} is for more than one element; give one for each column"
                )
        if numbers not in NUMBERS:
            raise unknown_name("kind of heads for numbers", numbers, NUMBERS)
        super().__init__(heads[0].features, None)
        self.heads = nn.ModuleList(heads)
        self._groups: list[tuple[list[int], Alike]] | None = None
        self.integers = all(head.num_symbols is not None for head in heads)
        densities = self.density_columns
        if 0 < len(densities) < len(heads) and not mixed:
            raise InputError(
                f"columns {', '.join(map(str, densities))} are densities and the others masses, whose sum is neither; "
                "declare a resolution for the real columns, or say mixed=True"
            )

    @property
    def density_columns(self) -> tuple[int, ...]:
        """The columns whose part of ln p is a density."""
        dtype = next((parameter.dtype for parameter in self.parameters()), torch.float32)
        h = torch.zeros(1, len(self.heads), self.features, dtype=dtype)
        with torch.no_grad():
            return self(h).density_columns

    def forward(self, h: Tensor) -> Columns:
        """The first columns of a row, as many as there are features, h of shape (B, D, H)."""
        if h.shape[-2] > len(self.heads):
            raise InputError(f"rows have {h.shape[-2]} columns, but the head was built for {len(self.heads)}")
        if self.training and h.ndim == 3 and h.shape[-2] == len(self.heads) and not torch.compiler.is_compiling():
            return ColumnsInTraining(self, h)
        return Columns(self.cells(h))

    def cells(self, h: Tensor) -> list[Cell]:
        """The distribution of each of the first columns of a row, by features (..., D, H)."""
        return [self.cell(d, h) for d in range(h.shape[-2])]

    def cell(self, d: int, h: Tensor) -> Cell:
        """The distribution of column d, by features (..., D, H)."""
        return Cell(self.heads[d](h[..., d, :]), d, self.integers)

    @property
    def groups(self) -> list[tuple[list[int], Alike]]:
        """The columns, at least two, that are read at once in training, and what reads them."""
        if self._groups is None:
            forms: dict[Hashable, list[int]] = {}
            for d, head in enumerate(self.heads):
                if (form := head.form()) is not None:  # type: ignore[operator]
                    forms.setdefault(form, []).append(d)
            self._groups = [
                (columns, self.heads[columns[0]].beside([self.heads[d] for d in columns]))  # type: ignore[operator]
                for columns in forms.values()
                if len(columns) > 1
            ]
        return self._groups

    @property
    def alone(self) -> list[int]:
        """The columns that are read one by one."""
        together = {d for columns, _ in self.groups for d in columns}
        return [d for d in range(len(self.heads)) if d not in together]

    def at(self, d: int, h: Tensor, x: Tensor) -> Cell:
        return Cell(self.heads[d](h), d, self.integers)

    def decisions(self, d: int, x: Tensor) -> Tensor:
        head: Head = self.heads[d]  # type: ignore[assignment]
        return head.decisions(0, x)

    def initialise(self, x: Tensor) -> None:
        """Start every column from its data, rows (N, D)."""
        if x.ndim != 2 or x.shape[1] != len(self.heads):
            raise InputError(f"the rows have the shape {tuple(x.shape)}, expected (N, {len(self.heads)})")
        for d, head in enumerate(self.heads):
            try:
                head.initialise(x[:, d : d + 1])  # type: ignore[operator]
            except InputError as error:
                raise InputError(f"column {d}: {error}") from error
