"""Nats by position: how much a model gains from seeing farther back, and what each column of a table costs."""

from __future__ import annotations

from collections.abc import Sequence
from math import sqrt
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from chainrule.batch import Batch
from chainrule.likelihood import Units
from chainrule.models.base import Model

__all__ = ["NatsByPosition"]


class NatsByPosition(Model):
    """A model that adds up, while it scores, the nats of the elements at each position of the window or row.

    Examples outside the domain, p(x) = 0, are left out.

    model: the model that scores; it has conditionals.
    units: which rows belong together, in the order in which they are scored; None where each is one of its own.

    >>> from chainrule import AutoregressiveModel, CategoricalHead, CausalConv
    >>> watched = NatsByPosition(AutoregressiveModel(CausalConv(3, 4, width=8), CategoricalHead(8, 3)))
    >>> _ = watched(Batch(torch.zeros(2, 4, dtype=torch.long)))
    >>> [(row["position"], row["elements"]) for row in watched.table()]
    [('0', 2), ('1', 2), ('2 to 3', 4)]
    """

    def __init__(self, model: Model, units: Units | None = None) -> None:
        super().__init__()
        self.model = model
        self.units = None if units is None else np.unique(units.number, return_inverse=True)[1]
        self.sums, self.sizes, self.scored = np.zeros((0, 0)), np.zeros(0), 0
        self.nats = np.zeros(0)
        self.squares = np.zeros(0)
        self.elements = np.zeros(0, dtype=np.int64)

    @property
    def features_per_element(self) -> int:
        return self.model.features_per_element

    @property
    def elements_at_once(self) -> int | None:
        return self.model.elements_at_once

    def element_log_prob(self, batch: Batch) -> Tensor:
        """ln p of each element (B, D), as the model says."""
        log_prob = self.model.element_log_prob(batch)
        missing, here = max(0, log_prob.shape[1] - len(self.nats)), slice(log_prob.shape[1])
        self.nats, self.squares = np.pad(self.nats, (0, missing)), np.pad(self.squares, (0, missing))
        self.elements = np.pad(self.elements, (0, missing))
        everywhere = torch.ones(len(batch), dtype=torch.bool, device=log_prob.device)
        known = everywhere if batch.impossible is None else ~batch.impossible
        found = log_prob.detach()[known].to(torch.float64)
        self.nats[here] -= found.sum(0).cpu().numpy()
        self.squares[here] += found.square().sum(0).cpu().numpy()
        self.elements[here] += batch.mask[known].sum(0).cpu().numpy()
        if self.units is not None:
            rows = self.units[self.scored : self.scored + len(batch)]
            self._add_to_units(found.cpu().numpy(), rows[known.cpu().numpy()])
        self.scored += len(batch)
        return log_prob

    def _add_to_units(self, log_prob: npt.NDArray[np.float64], units: npt.NDArray[np.int64]) -> None:
        """Add rows, all of them of one length, to the sums of their units."""
        assert self.units is not None
        if not self.sums.size:
            self.sums = np.zeros((int(self.units.max()) + 1, log_prob.shape[1]))
            self.sizes = np.zeros(len(self.sums))
        np.subtract.at(self.sums, units, log_prob)
        self.sizes += np.bincount(units, minlength=len(self.sizes))

    def table(self) -> list[dict[str, Any]]:
        """Rows for the positions 0, 1, 2 to 3, 4 to 7, ...: number of elements, and their mean nats."""
        rows = []
        start, stop = 0, 1
        while start < len(self.nats):
            here = slice(start, stop)
            count = int(self.elements[here].sum())
            last = min(stop, len(self.nats)) - 1
            if count:
                span = str(start) if start == last else f"{start} to {last}"
                rows.append(
                    {"position": span, "elements": count, "nats_per_element": float(self.nats[here].sum()) / count}
                )
            start, stop = stop, 2 * stop
        return rows

    def columns(self, names: Sequence[str]) -> list[dict[str, Any]]:
        """A row for each column of a table, in its order: number of cells, mean nats and their standard error.

        Where rows belong together, the error is that of units, as in `LogLikelihood`.

        names: the names of the columns.
        """
        if self.units is not None:
            return self._columns_by_unit(names)
        rows = []
        for name, nats, squares, count in zip(names, self.nats, self.squares, self.elements.tolist(), strict=True):
            mean = float(nats) / max(count, 1)
            spread = sqrt(max(float(squares) - count * mean**2, 0.0) / (count - 1)) if count > 1 else 0.0
            rows.append({"column": name, "cells": count, "nats": mean, "nats_se": spread / sqrt(max(count, 1))})
        return rows

    def _columns_by_unit(self, names: Sequence[str]) -> list[dict[str, Any]]:
        here, rows = self.sizes > 0, []
        sizes, units = self.sizes[here], int(here.sum())
        for name, sums in zip(names, self.sums[here].T, strict=True):
            count = int(sizes.sum())
            mean = float(sums.sum()) / max(count, 1)
            squares = float(((sums - mean * sizes) ** 2).sum())
            error = sqrt(units / (units - 1) * squares) / count if units > 1 else 0.0
            rows.append({"column": name, "cells": count, "nats": mean, "nats_se": error})
        return rows
