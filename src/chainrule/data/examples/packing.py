"""Packing: short examples side by side in rows of one length, kept apart by segment ids, with little padding."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from chainrule.batch import Batch, Rows
from chainrule.data.examples.base import Examples
from chainrule.errors import InputError

__all__ = ["PackedExamples"]


@dataclass(frozen=True)
class PackedExamples(Examples):
    """Rows of whole examples, each of them once; `Batch.segment_ids` keeps them apart.

    The log-probability and the gradient of a packed row are the sums of those of its examples: a network that packs
    starts each example anew and lets none see another.

    examples: what is packed.
    order: the numbers of the examples in the order of the packed rows, shape (N,).
    start: where each packed row begins in the order and, last, its length, shape (packed rows + 1,).
    lengths: elements of each example, shape (N,).
    """

    examples: Examples
    order: Rows
    start: Rows
    lengths: Rows

    @classmethod
    def of(cls, examples: Examples, length: int, seed: int, epoch: int) -> PackedExamples:
        """Fill rows of `length` elements one after the other, in a permutation that is a function of (seed, epoch)."""
        lengths = examples.row_lengths
        if lengths is None:
            raise InputError(f"{type(examples).__name__} have one length and need no packing; leave out --pack")
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
        return cls(examples, order, np.array([*start, len(order)]), lengths)

    def __len__(self) -> int:
        return len(self.start) - 1

    def batch(self, rows: Rows) -> Batch:
        members = [self.order[self.start[row] : self.start[row + 1]] for row in rows]
        apart = self.examples.batch(np.concatenate(members))
        widths = self.lengths[np.concatenate(members)]
        width = int(max(self.lengths[numbers].sum() for numbers in members))
        x = torch.zeros(len(rows), width, dtype=apart.x.dtype)
        mask = torch.zeros(len(rows), width, dtype=torch.bool)
        segment_ids = torch.full((len(rows), width), -1)
        dims, sizes = (torch.zeros(len(rows), dtype=torch.long) for _ in range(2))
        example = 0
        for row, numbers in enumerate(members):
            place = 0
            for _ in numbers:
                size = int(widths[example])
                here = slice(place, place + size)
                x[row, here], mask[row, here] = apart.x[example, :size], apart.mask[example, :size]
                segment_ids[row, here] = example
                dims[row] += apart.dims[example]
                sizes[row] += apart.bytes[example]
                place, example = place + size, example + 1
        return Batch(x, mask, dims=dims, bytes=sizes, segment_ids=segment_ids)

    def digest(self) -> str:
        return self.examples.digest()
