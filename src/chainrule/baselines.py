"""Baselines: what a model has to beat before its number means anything."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from chainrule.batch import Batch
from chainrule.data.base import Examples
from chainrule.errors import InputError

__all__ = ["IndependentElements"]


class IndependentElements(nn.Module):
    """p(x) = prod_d p_d(x_d), each p_d from counts plus one (Laplace).

    counts: how often each symbol was seen at each position, shape (D, V), or (1, V) where positions do not matter (the
    windows of a stream).
    """

    def __init__(self, counts: Tensor) -> None:
        super().__init__()
        smoothed = counts.double() + 1
        self.register_buffer("log_pmf", (smoothed / smoothed.sum(1, keepdim=True)).log())

    log_pmf: Tensor

    @classmethod
    def fit(cls, examples: Examples, num_symbols: int, *, pooled: bool = False) -> IndependentElements:
        """Count the elements that are scored. pooled: one distribution for all positions."""
        counts: Tensor | None = None
        for start in range(0, len(examples), 4096):
            batch = examples.batch(np.arange(start, min(start + 4096, len(examples))))
            x, mask = batch.x, batch.mask
            position = torch.zeros_like(x) if pooled else torch.arange(x.shape[1]).expand_as(x)
            cell = (position * num_symbols + x)[mask]
            size = num_symbols * (1 if pooled else x.shape[1])
            seen = torch.bincount(cell, minlength=size).view(-1, num_symbols)
            counts = seen if counts is None else counts + seen
        if counts is None:
            raise InputError("a baseline needs at least one example, got none")
        return cls(counts)

    def element_log_prob(self, batch: Batch) -> Tensor:
        """ln p_d(x_d), shape (B, D), 0 where an element does not count."""
        position = torch.zeros_like(batch.x) if len(self.log_pmf) == 1 else torch.arange(batch.x.shape[1])
        return torch.where(batch.mask, self.log_pmf[position, batch.x], 0.0)

    def forward(self, batch: Batch) -> Tensor:
        return self.element_log_prob(batch).sum(1)
