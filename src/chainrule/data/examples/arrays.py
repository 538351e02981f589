"""Examples of one length that stand in an array."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256
from math import prod

import numpy as np
import torch

from chainrule.batch import Array, Batch, Rows
from chainrule.data.examples.base import Examples
from chainrule.data.examples.stored import let_go

__all__ = ["ArrayExamples"]

CHUNK = 1 << 24  # elements that are hashed at once


@dataclass(frozen=True)
class ArrayExamples(Examples):
    """Examples of one length in an array.

    x: elements, shape (N, D).
    context: what each example is conditioned on, shape (N,) or (N, C); None for p(x).
    impossible: True where the raw value lies outside the domain, p(x) = 0, shape (N,); None where there are none.

    >>> ArrayExamples(np.array([[1, 2], [3, 4]])).batch(np.array([1])).x
    tensor([[3, 4]])
    """

    x: Array
    context: Array | None = None
    impossible: Array | None = None

    def __len__(self) -> int:
        return len(self.x)

    def batch(self, rows: Rows) -> Batch:
        x = torch.from_numpy(np.ascontiguousarray(self.x[rows]))
        x = x if x.is_floating_point() else x.long()
        context, impossible = (
            None if part is None else torch.from_numpy(np.ascontiguousarray(part[rows]))
            for part in (self.context, self.impossible)
        )
        return Batch(x, context=context, impossible=impossible)

    def digest(self) -> str:
        digest = sha256()
        for part in (part for part in (self.x, self.context, self.impossible) if part is not None):
            digest.update(f"{part.dtype.str}{part.shape}".encode())
            rows = max(1, CHUNK // max(1, prod(part.shape[1:])))
            for start in range(0, len(part), rows):
                digest.update(np.ascontiguousarray(part[start : start + rows]).reshape(-1).view(np.uint8).data)
                let_go(part)
        return digest.hexdigest()

    def first(self, count: int) -> ArrayExamples:
        parts = (None if part is None else part[:count] for part in (self.context, self.impossible))
        return ArrayExamples(self.x[:count], *parts)

    def contents(self) -> Iterator[bytes]:
        """The bytes of each example; one whose raw value lies outside the domain is like no other."""
        if self.impossible is None:
            return (np.ascontiguousarray(x).tobytes() for x in self.x)
        outside = (f"outside {n}".encode() if gone else b"" for n, gone in enumerate(self.impossible.tolist()))
        return (np.ascontiguousarray(x).tobytes() + mark for x, mark in zip(self.x, outside, strict=True))
