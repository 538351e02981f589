"""Packing: short examples side by side in rows of one length, kept apart by a number, so that no row is padding."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch

from chainrule.batch import Batch
from chainrule.data.examples.base import Rows
from chainrule.errors import InputError

__all__ = ["PackedExamples"]


class Unpacked(Protocol):
    """Examples that say how long each of them is."""

    @property
    def lengths(self) -> Rows:
        """Elements of each example, shape (N,)."""

    def __len__(self) -> int:
        """How many examples."""

    def batch(self, rows: Rows) -> Batch:
        """The examples of these numbers."""

    def digest(self) -> str:
        """SHA-256 of the content."""


@dataclass(frozen=True)
class PackedExamples:
    """Rows of whole examples, each of them once; `Batch.segment_ids` tells them apart.

    The log-probability and the gradient of a packed row are the sums of those of its examples: a network that packs
    starts each example anew and lets none see another.

    examples: what is packed. order: their numbers in the order of the rows. start: where each row begins in the order
    and, last, its length, shape (rows + 1,).
    """

    examples: Unpacked
    order: Rows
    start: Rows

    @classmethod
    def of(cls, examples: Unpacked, length: int, seed: int, epoch: int) -> PackedExamples:
        """Fill rows of `length` elements one after the other, in a permutation that is a function of (seed, epoch)."""
        lengths = examples.lengths
        if lengths.max(initial=0) > length:
            raise InputError(
                f"an example has {lengths.max()} elements, a packed row holds {length}; pack into longer rows"
            )
        order = np.random.default_rng([seed % 2**63, epoch]).permutation(len(examples))
        start, filled = [0], 0
        for place, size in enumerate(lengths[order].tolist()):
            if filled + size > length:
                start.append(place)
                filled = 0
            filled += size
        return cls(examples, order, np.array([*start, len(order)]))

    def __len__(self) -> int:
        return len(self.start) - 1

    def batch(self, rows: Rows) -> Batch:
        members = [self.order[self.start[row] : self.start[row + 1]] for row in rows]
        apart = self.examples.batch(np.concatenate(members))
        held = self.examples.lengths[np.concatenate(members)]
        width = int(max(self.examples.lengths[numbers].sum() for numbers in members))
        x = torch.zeros(len(rows), width, dtype=apart.x.dtype)
        mask = torch.zeros(len(rows), width, dtype=torch.bool)
        segment_ids = torch.full((len(rows), width), -1)
        dims, sizes = (torch.zeros(len(rows), dtype=torch.long) for _ in range(2))
        example = 0
        for row, numbers in enumerate(members):
            place = 0
            for _ in numbers:
                size = int(held[example])
                here = slice(place, place + size)
                x[row, here], mask[row, here] = apart.x[example, :size], apart.mask[example, :size]
                segment_ids[row, here] = example
                dims[row] += apart.dims[example]
                sizes[row] += apart.bytes[example]
                place, example = place + size, example + 1
        return Batch(x, mask, dims=dims, bytes=sizes, segment_ids=segment_ids)

    def epoch(self, seed: int, epoch: int) -> PackedExamples:
        return self

    def digest(self) -> str:
        return self.examples.digest()
