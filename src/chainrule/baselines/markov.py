"""First-order Markov chains: the baseline that knows one element back."""

from __future__ import annotations

import torch
from torch import Tensor

from chainrule.batch import Batch
from chainrule.data.examples.base import Examples
from chainrule.data.examples.in_batches import in_batches
from chainrule.errors import InputError
from chainrule.models.base import Model

__all__ = ["MarkovChain"]


class MarkovChain(Model):
    """p(x) = prod_d p_d(x_d | x_{d - lag}), each from counts plus a tenth.

    Elements without one `lag` before them have a distribution of their own, as after a symbol that never occurs.

    counts: shape (period, V + 1, V): positions d mod period, the symbol before (V for none), the symbol.
    lag: how far back to look: 1 for letters, the elements of a step for voices or keys.
    """

    log_pmf: Tensor

    def __init__(self, counts: Tensor, lag: int = 1) -> None:
        super().__init__()
        smoothed = counts.double() + 0.1
        self.register_buffer("log_pmf", (smoothed / smoothed.sum(2, keepdim=True)).log())
        self.lag = lag

    @classmethod
    def fit(cls, examples: Examples, num_symbols: int, *, period: int = 1, lag: int = 1) -> MarkovChain:
        """Count the scored elements after what stands before them, in 4096 examples at a time."""
        counts = torch.zeros(period * (num_symbols + 1) * num_symbols, dtype=torch.long)
        for _, batch in in_batches(examples, 4096):
            position, before = _address(batch.x, num_symbols, period, lag)
            cell = ((position * (num_symbols + 1) + before) * num_symbols + batch.x)[batch.mask]
            counts += torch.bincount(cell, minlength=len(counts))
        if not len(examples):
            raise InputError("a baseline needs at least one example, got none")
        return cls(counts.view(period, num_symbols + 1, num_symbols), lag)

    def element_log_prob(self, batch: Batch) -> Tensor:
        """ln p(x_d | x_{d - lag}), shape (B, D), 0 where an element does not count."""
        period, _, num_symbols = self.log_pmf.shape
        position, before = _address(batch.x, num_symbols, period, self.lag)
        return torch.where(batch.mask, self.log_pmf[position, before, batch.x], 0.0)


def _address(x: Tensor, num_symbols: int, period: int, lag: int) -> tuple[Tensor, Tensor]:
    """The position modulo the period and the symbol before, V for none, of each element."""
    before = torch.full_like(x, num_symbols)
    before[:, lag:] = x[:, :-lag]
    return (torch.arange(x.shape[1]) % period).expand_as(x), before
