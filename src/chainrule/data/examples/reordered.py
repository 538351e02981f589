"""The same examples with their elements in another order."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from chainrule.batch import Batch, Rows
from chainrule.data.examples.base import Examples
from chainrule.data.examples.wrapper import WrappedExamples

__all__ = ["Reordered"]


@dataclass(frozen=True)
class Reordered(WrappedExamples):
    """Examples of one length whose d-th element is element order[d] of the original ones.

    examples: the original examples.
    order: a permutation of the elements, shape (D,).

    >>> import numpy as np
    >>> from chainrule.data import ArrayExamples
    >>> Reordered(ArrayExamples(np.array([[5, 6, 7]])), np.array([2, 0, 1])).batch(np.array([0])).x.tolist()
    [[7, 5, 6]]
    """

    examples: Examples
    order: Rows

    def batch(self, rows: Rows) -> Batch:
        batch = self.examples.batch(rows)
        return replace(batch, x=batch.x[:, self.order], mask=batch.mask[:, self.order])

    def epoch(self, seed: int, epoch: int) -> Reordered:
        return Reordered(self.examples.epoch(seed, epoch), self.order)

    def first(self, count: int) -> Reordered:
        return Reordered(self.examples.first(count), self.order)

    def contents(self) -> Iterator[bytes] | None:
        return self.examples.contents()
