"""Fitting kernels: rows, widths, weights of the levels, and for each column how much the kernels count."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from chainrule.data.examples.base import Examples
from chainrule.data.examples.in_batches import in_batches
from chainrule.domain import detect_resolution
from chainrule.errors import InputError
from chainrule.heads.columns import ColumnsHead
from chainrule.heads.kernels import KernelsHead
from chainrule.models.chain import AutoregressiveModel
from chainrule.networks.kernels import Kernels
from chainrule.training.fitted_state import load_whole
from chainrule.training.kernel_widths import RowKernels, level_weights, widths_found
from chainrule.training.simplex import simplex_weights

__all__ = ["KernelFitting"]

ROWS = 5000  # training rows with a kernel; of more it is a seeded choice
CELLS = 200_000  # numbers in these rows, where there are many columns
LEFT_OUT = 500  # rows whose conditionals are read, each without itself
KERNELS = 1e8  # kernels that are read for that
NARROWEST, WIDEST = 0.06, 0.6  # first widths, in standard deviations
WORTH = 10.0  # rows that equal weights of the kernels and of the column's own distribution are worth
FLOOR = 1e-3  # narrowest kernel of a density, in standard deviations


class KernelFitting:
    """Kernels while they are fitted: rows and widths, the weights of the levels, the weights in each column.

    model: kernels with their heads, initialised; changed in place.
    train: the examples. All that is found is found on them, by leaving one row out.
    seed: of the rows that are taken.

    step: number of parts that are done.
    parts: 3.
    """

    def __init__(self, model: AutoregressiveModel, train: Examples, *, seed: int = 0) -> None:
        if not isinstance(model.network, Kernels) or not isinstance(model.head, ColumnsHead):
            raise InputError(f"this fits Kernels with a head of columns, got a {type(model.network).__name__}")
        self.network, self.model = model.network, model
        self.heads = [head for head in model.head.heads if isinstance(head, KernelsHead)]
        self.train = _elements(train, seed, min(ROWS, max(1, CELLS // model.network.length)))
        self.factors = torch.from_numpy(np.geomspace(NARROWEST, WIDEST, self.network.levels))
        self.step, self.parts = 0, 3

    def fit_next(self) -> None:
        """Find the widths, the weights of the levels, or how much the kernels count."""
        if self.step == 0:
            self._hold()
            self._find_widths()
        elif self.step == 1:
            self.network.log_level.copy_(level_weights(self._kernels()))
        else:
            self._weigh()
        self.step += 1

    def load_into_network(self) -> None:
        """Nothing is left to do."""

    def _hold(self) -> None:
        """Put kernels at the rows, in groups by the values of each column."""
        network, x = self.network, self.train
        read, group = torch.zeros_like(x), torch.zeros(x.shape, dtype=torch.int64)
        middle = torch.zeros_like(network.middle)
        for d, column in enumerate(network.columns):
            if column.num_symbols is not None:
                table = network.tables[d]
                table.fit(x[:, d].long(), column.ordinal, self.factors)
                read[:, d] = network.as_read(x[:, d], d)
                group[:, d] = read[:, d].long()
                found = table.log_pmf().transpose(0, 1).flatten(0, 1)
                self.heads[d].log_pmf[: len(found)] = found  # groups first, then levels
                continue
            read[:, d] = network.as_read(x[:, d], d)
            there = ~read[:, d].isnan()
            if bool(there.any()):
                group[there, d], middle[:, d] = _groups(read[there, d], network.groups)
        network.hold(read, group, middle)

    def _find_widths(self) -> None:
        network, x = self.network, self.train
        if not (numbers := [d for d, c in enumerate(network.columns) if c.num_symbols is None]):
            return
        rounding = torch.zeros(network.length).double()
        floor = torch.full((network.length,), FLOOR).double()
        for d in numbers:
            column, spread = network.columns[d], float(network.spread[d])
            if column.count:
                floor[d] = 0.01
            elif column.resolution is not None:
                floor[d] = 0.1 * column.resolution / spread
                rounding[d] = column.resolution / spread / 12**0.5
            elif (step := detect_resolution(x[:, d].numpy())) is not None:
                floor[d] = max(FLOOR, step / spread / 12**0.5)
        if len(x) > 2:
            network.width[:, numbers] = widths_found(self._kernels(), self.factors, floor[numbers], rounding[numbers])

    def _kernels(self) -> RowKernels:
        network = self.network
        numbers = [d for d, c in enumerate(network.columns) if c.num_symbols is None]
        symbols = [d for d, c in enumerate(network.columns) if c.num_symbols is not None]
        return RowKernels(
            network.row[:, numbers].nan_to_num(),
            network.width[:, numbers],
            network.group[:, symbols].long(),
            [network.tables[d].log_kernel for d in symbols],
        )

    def _weigh(self) -> None:
        """The weight of the kernels in each column that is best on rows, each left out of the kernels."""
        network = self.network
        number = len(self.train)
        if number < 2:
            network.gate.zero_()
            return
        asked = min(LEFT_OUT, int(KERNELS / (number * network.levels * network.length)) + 1)
        own = torch.arange(number)[:: max(1, number // asked)]
        with torch.no_grad():
            h, parts = network.without(self.train[own], own), []
            for gate in (40.0, -40.0):
                h[..., -2] = gate
                parts.append(self.model.head(h).log_prob(self.train[own]).double().numpy())
        even = torch.tensor([0.5, 0.5]).double()
        for d in range(network.length):
            both = np.maximum(np.stack([part[:, d] for part in parts]), -1e3)
            first, second = simplex_weights(both, even, WORTH).clamp(min=1e-6).log().tolist()
            network.gate[d] = first - second

    def state_dict(self) -> dict[str, Any]:
        """What a checkpoint holds."""
        return {"model": self.model.state_dict(), "progress": {"step": self.step}}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from a saved state; raises InputError, and changes nothing, if it does not fit."""
        load_whole(self.model, state["model"])
        self.step = state["progress"]["step"]


def _groups(values: Tensor, groups: int) -> tuple[Tensor, Tensor]:
    """The group of each value, those next to each other together, and a value in the middle of each group, (G,)."""
    different, place, count = values.unique(return_inverse=True, return_counts=True)  # type: ignore[no-untyped-call]
    group = torch.arange(len(different))
    if len(different) > groups:
        group = ((count.cumsum(0) - count / 2) / len(values) * groups).long().clamp(0, groups - 1)
    total = values.new_zeros(groups).index_add(0, group[place], values)
    rows = values.new_zeros(groups).index_add(0, group[place], torch.ones_like(values))
    return group[place], total / rows.clamp(min=1)


def _elements(examples: Examples, seed: int, most: int) -> Tensor:
    """Examples as rows, float64; of very many a choice."""
    chosen = np.sort(np.random.default_rng(seed).permutation(len(examples))[:most])
    parts = []
    for _, batch in in_batches(examples, 4096, chosen):
        if batch.context is not None:
            raise InputError("kernels take no context; take another network, or leave out --given")
        parts.append(batch.x.double())
    return torch.cat(parts) if parts else torch.zeros(0, 0).double()
