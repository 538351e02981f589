"""Independent elements: the baseline that knows nothing of the chain."""

from __future__ import annotations

import torch
from torch import Tensor

from chainrule.batch import Batch
from chainrule.data.examples.base import Examples
from chainrule.data.examples.in_batches import in_batches
from chainrule.errors import InputError
from chainrule.models.base import Model

__all__ = ["IndependentElements"]


class IndependentElements(Model):
    """p(x) = prod_d p_d(x_d), each p_d from counts plus one (Laplace).

    counts: how often each symbol was seen at each position modulo the period, shape (period, V): (D, V) where every
        position has its own distribution, (1, V) where positions do not matter (a text).
    sizes: number of symbols of each position, by default V.
    """

    def __init__(self, counts: Tensor, sizes: list[int] | None = None) -> None:
        super().__init__()
        real = torch.arange(counts.shape[1]) < torch.tensor(sizes or [counts.shape[1]] * len(counts))[:, None]
        smoothed = torch.where(real, counts.double() + 1, 0.0)
        self.register_buffer("log_pmf", (smoothed / smoothed.sum(1, keepdim=True)).log())

    log_pmf: Tensor

    @classmethod
    def fit(
        cls, examples: Examples, num_symbols: int, *, period: int | None = None, sizes: list[int] | None = None
    ) -> IndependentElements:
        """Count the elements that are scored. period: after how many positions distributions repeat, None for never."""
        counts: Tensor | None = None
        for _, batch in in_batches(examples, 4096):
            x, mask = batch.x, batch.mask
            repeat = period or x.shape[1]
            position = (torch.arange(x.shape[1]) % repeat).expand_as(x)
            cell = (position * num_symbols + x)[mask]
            seen = torch.bincount(cell, minlength=num_symbols * repeat).view(-1, num_symbols)
            counts = seen if counts is None else counts + seen
        if counts is None:
            raise InputError("a baseline needs at least one example, got none")
        return cls(counts, sizes)

    def element_log_prob(self, batch: Batch) -> Tensor:
        """ln p_d(x_d), shape (B, D), 0 where an element does not count."""
        position = torch.arange(batch.x.shape[1]) % len(self.log_pmf)
        return torch.where(batch.mask, self.log_pmf[position, batch.x], 0.0)
