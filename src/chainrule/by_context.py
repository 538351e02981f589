"""Nats by available context: how much a model gains from seeing farther back."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from chainrule.batch import Batch
from chainrule.model import AutoregressiveModel

__all__ = ["ByContext"]


class ByContext(nn.Module):
    """A model that keeps, while it scores windows, the nats of elements by how many stand before them in the window.

    >>> from chainrule import CategoricalHead, CausalConv
    >>> watched = ByContext(AutoregressiveModel(CausalConv(3, 4, width=8), CategoricalHead(8, 3)))
    >>> _ = watched(Batch(torch.zeros(2, 4, dtype=torch.long)))
    >>> [(row["context"], row["elements"]) for row in watched.table()]
    [('0', 2), ('1', 2), ('2 to 3', 4)]
    """

    def __init__(self, model: AutoregressiveModel) -> None:
        super().__init__()
        self.model = model
        self.nats = np.zeros(0)
        self.elements = np.zeros(0, dtype=np.int64)

    def element_log_prob(self, batch: Batch) -> Tensor:
        """ln p of each element (B, D), as the model says."""
        log_prob = self.model.element_log_prob(batch)
        missing = max(0, log_prob.shape[1] - len(self.nats))
        self.nats, self.elements = np.pad(self.nats, (0, missing)), np.pad(self.elements, (0, missing))
        self.nats[: log_prob.shape[1]] -= log_prob.detach().sum(0, dtype=torch.float64).cpu().numpy()
        self.elements[: log_prob.shape[1]] += batch.mask.sum(0).cpu().numpy()
        return log_prob

    def forward(self, batch: Batch) -> Tensor:
        return self.element_log_prob(batch).sum(1)

    def table(self) -> list[dict[str, Any]]:
        """Rows for 0, 1, 2 to 3, 4 to 7, ... elements of context: how many elements, and their mean nats."""
        rows = []
        start, stop = 0, 1
        while start < len(self.nats):
            here = slice(start, stop)
            count = int(self.elements[here].sum())
            last = min(stop, len(self.nats)) - 1
            if count:
                span = str(start) if start == last else f"{start} to {last}"
                rows.append(
                    {"context": span, "elements": count, "nats_per_element": float(self.nats[here].sum()) / count}
                )
            start, stop = stop, 2 * stop
        return rows
