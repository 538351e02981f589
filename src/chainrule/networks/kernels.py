"""Kernels at the training rows: a kernel density estimate of whole rows, whose conditionals are features."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from chainrule.domain import Column
from chainrule.errors import InputError
from chainrule.networks.base import AutoregressiveNetwork
from chainrule.networks.column_numbers import common_symbols, units_of
from chainrule.networks.joint_gaussians import CUT
from chainrule.networks.kernel_table import KernelTable

if TYPE_CHECKING:
    from chainrule.heads.marginal import Marginal

__all__ = ["Kernels"]

CELLS = 1 << 21  # weights of rows that are held at once
FARTHEST = 18.0  # what one number can tell against a row, in nats
TINY = 1e-250
LEAST = -100.0  # ln of a weight
OF_ROWS = ("row", "group")


@dataclass
class KernelsState:
    """The position, and the logarithm of the weight of each row at each level, up to a constant, shape (N, B, J)."""

    d: int
    log_weight: Tensor


class Kernels(AutoregressiveNetwork):
    """p(x) = sum over levels j and rows i of v_j / N prod_d k_j(x_d, x_id): its conditionals, weights w_ij(x_<d).

    Each element multiplies the weight of a row by its kernel, which is all that a step has to do. Levels differ in how
    wide their kernels are, so that rows that come twice and rows without neighbours each find their own. Widths and the
    weights of the levels are found by leaving one row out (see `training.kernel_fitting`). Kernels of numbers are
    Gaussian, those of symbols tables. A missing number tells nothing.

    columns: what each element may be.
    marginals: of each column the distribution of its numbers, which `initialise` fits; counts are read as their normal
        scores, other numbers in standard deviations.
    levels: J, number of widths of the kernels.
    groups: G, number of groups of rows whose kernels are one Gaussian each, with their mean and their spread: those of
        one value where a column has no more values than that.

    The features of an element are ln of the weights, means and ln of the scales of levels and groups, the weight of the
    kernels as a logit, and the logit of being there: 3 G J + 2.

    Papers: Parzen, *On estimation of a probability density function and mode*, 1962; Aitchison, Aitken, *Multivariate
    binary discrimination by the kernel method*, 1976.

    >>> from chainrule.heads.marginal import Marginal
    >>> columns = [Column(None, resolution=0.5), Column(3), Column(None)]
    >>> network = Kernels(columns, [Marginal(column.resolution) for column in columns], levels=2, groups=4)
    >>> network(torch.zeros(5, 3)).shape
    torch.Size([5, 3, 26])
    """

    fitted_by_gradients = False

    centre: Tensor
    spread: Tensor
    gate: Tensor
    present: Tensor
    unit: Tensor
    row: Tensor
    group: Tensor
    middle: Tensor
    width: Tensor
    log_level: Tensor

    def __init__(
        self, columns: Sequence[Column], marginals: Sequence[Marginal], levels: int = 4, groups: int = 48
    ) -> None:
        if not columns or levels < 1 or groups < 1:
            raise InputError(f"columns, levels and groups start at 1, got {len(columns)}, {levels} and {groups}")
        super().__init__(len(columns), 3 * levels * groups + 2)
        self.columns, self.levels, self.groups = tuple(columns), levels, groups
        sizes = [0 if c.num_symbols is None else c.num_symbols + c.missing for c in columns]
        self.marginals: Sequence[Marginal] = torch.nn.ModuleList(marginals)  # type: ignore[assignment]
        self.tables: Sequence[KernelTable] = torch.nn.ModuleList(  # type: ignore[assignment]
            KernelTable(max(1, size), levels, groups if size else 1) for size in sizes
        )
        width = len(columns)
        zeros = {
            "centre": (width,),
            "gate": (width,),
            "present": (width,),
            "row": (1, width),
            "middle": (groups, width),
        }
        for name, shape in zeros.items():
            self.register_buffer(name, torch.zeros(shape).double())
        self.register_buffer("spread", torch.ones(width).double())
        self.register_buffer("group", torch.zeros(1, width, dtype=torch.int16))
        self.register_buffer("width", torch.ones(levels, width).double())
        self.register_buffer("log_level", torch.zeros(levels).log_softmax(0).double())
        self.register_buffer("unit", torch.ones(()), persistent=False)

    @property
    def symbols_read(self) -> int | None:
        """V, where all elements are symbols."""
        return common_symbols(self.columns)

    def initialise(self, x: Tensor) -> None:
        """Take the columns' own distributions, units and shares of values that are there from rows (N, D)."""
        for buffer, found in zip(
            (self.centre, self.spread, self.present), units_of(self.columns, self.marginals, x), strict=True
        ):
            buffer.copy_(found)

    def as_read(self, x: Tensor, d: int) -> Tensor:
        """Elements d in the units of the kernels, float64, NaN where missing: the group of a symbol."""
        x = x.double()
        if self.columns[d].num_symbols is not None:
            return self.tables[d].group_of[x.long()].double()
        if not self.columns[d].count:
            return (x - self.centre[d]) / self.spread[d]
        low, high, _ = self.marginals[d].scores(x.nan_to_num())
        score = (low.clamp(-CUT, CUT) + high.clamp(-CUT, CUT)) / 2
        return torch.where(x.isnan(), torch.nan, score)

    def hold(self, rows: Tensor, group: Tensor, middle: Tensor) -> None:
        """Put kernels at rows in the units of the kernels (N, D), in these groups with their middles (G, D)."""
        self.row, self.group = rows.to(self.row), group.to(self.group)
        self.middle.copy_(middle)

    def layers(self, x: Tensor, context: Tensor | None = None) -> list[Tensor]:
        """The features alone, (B, D, H)."""
        self._check(x, context)
        return [self.without(x, None)]

    def without(self, x: Tensor, own: Tensor | None) -> Tensor:
        """The features (B, D, H), with one row, by its number (B,), without a weight for each example; None for all."""
        size = max(1, CELLS // (len(self.row) * self.levels))
        parts = []
        for first in range(0, len(x), size):
            here = x[first : first + size]
            log_weight = self._start(len(here))
            if own is not None:
                log_weight[own[first : first + size], torch.arange(len(here))] = -torch.inf
            parts.append(torch.stack(list(self._walk(here, log_weight)), 1))
        return torch.cat(parts) if parts else self.unit.new_zeros(0, x.shape[1], self.features)

    def _walk(self, x: Tensor, log_weight: Tensor) -> Iterator[Tensor]:
        for d in range(x.shape[1]):
            yield self._features(d, log_weight)
            log_weight = self._told(d, x[:, d], log_weight)

    def _start(self, batch_size: int) -> Tensor:
        return self.log_level.expand(len(self.row), batch_size, -1).clone()

    def _told(self, d: int, x: Tensor, log_weight: Tensor) -> Tensor:
        """The weights of rows after element d."""
        read, row = self.as_read(x, d), self.row[:, d]
        if self.columns[d].num_symbols is not None:
            return log_weight + self.tables[d].log_kernel[:, self.group[:, d].long()][:, :, read.long()].permute(
                1, 2, 0
            )
        off, width = (read - row[:, None]).square(), self.width[:, d]
        near = (off.unsqueeze(-1) * (-0.5 / width.square())).clamp(min=-FARTHEST) - width.log()
        usual = (-read.square() / 2).unsqueeze(-1)
        near = torch.where(row.isnan()[:, None, None], usual, near)
        return log_weight + torch.where(read.isnan().unsqueeze(-1), 0.0, near)

    def _features(self, d: int, log_weight: Tensor) -> Tensor:
        """The features of element d, shape (B, H)."""
        batch_size = log_weight.shape[1]
        weight = torch.exp(log_weight - log_weight.amax((0, 2), keepdim=True))
        weight = (weight / weight.sum((0, 2), keepdim=True)).flatten(1)  # (N, B J)
        row, group = self.row[:, d], self.group[:, d].long()
        member = (group == torch.arange(self.groups, device=group.device)[:, None]).double()
        member = torch.where(row.isnan(), 0.0, member)
        off = torch.where(row.isnan(), 0.0, row - self.middle[group, d])[:, None]
        total, first, second = (member @ part for part in (weight, weight * off, weight * off.square()))
        mean = first / (total + TINY)
        variance = (second / (total + TINY) - mean.square()).clamp(min=0)
        shape = (self.groups, batch_size, self.levels)
        mean = self.middle[:, d, None, None] + mean.view(shape)
        scale = (variance.view(shape) + self.width[:, d].square()).log() / 2
        parts = [(total + TINY).log().clamp(min=LEAST).view(shape), mean, scale]
        rest = [constant[d].expand(batch_size, 1) for constant in (self.gate, self.present)]
        return torch.cat([part.transpose(0, 1).flatten(1) for part in parts] + rest, 1).to(self.unit.dtype)

    def initial_state(self, batch_size: int, context: Tensor | None = None) -> KernelsState:
        self._check(self.gate.new_zeros(batch_size, 0), context)
        return KernelsState(0, self._start(batch_size))

    def step(self, x_previous: Tensor | None, state: KernelsState) -> tuple[Tensor, KernelsState]:
        d = state.d
        if d >= self.length:
            raise InputError(f"an example has {self.length} elements, and all of them have been walked")
        if x_previous is not None:
            state.log_weight = self._told(d - 1, x_previous, state.log_weight)
        state.d += 1
        return self._features(d, state.log_weight), state

    def _check(self, x: Tensor, context: Tensor | None) -> None:
        if context is not None:
            raise InputError("kernels take no context; take another network, or leave out --given")
        if x.shape[1] > self.length:
            raise InputError(f"examples have {x.shape[1]} elements, but the network was built for {self.length}")

    def _load_from_state_dict(self, state_dict: Mapping[str, Any], prefix: str, *rest: Any) -> None:
        for name in OF_ROWS:  # the number of rows is known from the file alone
            saved, before = state_dict.get(prefix + name), self.get_buffer(name)
            if saved is not None and saved.ndim == 2 and len(saved):
                self.register_buffer(name, before.new_zeros(len(saved), before.shape[1]))
        super()._load_from_state_dict(state_dict, prefix, *rest)
        errors: list[str] = rest[-1]
        if not errors and (len(self.row) != len(self.group) or not bool((self.group >= 0).all())):
            errors.append(f"{prefix.rstrip('.')}: rows and their groups do not fit each other")
