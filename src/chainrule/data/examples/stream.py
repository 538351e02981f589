"""One long stream of elements, read through windows."""

from __future__ import annotations

from dataclasses import dataclass, replace
from hashlib import sha256
from typing import ClassVar

import numpy as np
import torch

from chainrule.batch import Array, Batch, Rows
from chainrule.data.examples.base import Examples
from chainrule.data.examples.stored import LARGE, let_go
from chainrule.errors import InputError
from chainrule.noise import uniforms

__all__ = ["StreamExamples"]


@dataclass(frozen=True)
class StreamExamples(Examples):
    """Windows over a stream, placed so that every element is scored exactly once.

    The first window scores all of its elements; each later one moves on by `stride` and scores its last `stride`
    elements, given the `window - stride` before them. The last window ends with the stream.

    stream: elements, shape (T,), perhaps mapped from disk.
    window: the number of elements that the network reads at once.
    stride: the number of elements that a window moves on by.
    offset: the number of elements at the start that are left out (training only).
    byte_lengths: bytes per symbol, shape (V,); None for one each.

    >>> windows = StreamExamples(np.arange(10, dtype=np.uint8), window=4, stride=2)
    >>> batch = windows.batch(np.arange(len(windows)))
    >>> batch.x[batch.mask].tolist()
    [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]
    """

    stream: Array
    window: int
    stride: int
    offset: int = 0
    byte_lengths: Array | None = None
    is_stream: ClassVar[bool] = True

    def __post_init__(self) -> None:
        if not 1 <= self.stride <= self.window:
            raise InputError(f"a stride is between 1 and the window's {self.window} elements, got {self.stride}")

    @property
    def windows(self) -> tuple[int, int]:
        return self.window, self.stride

    def __len__(self) -> int:
        left = len(self.stream) - self.offset
        return 0 if left < 1 else 1 + max(0, -(-(left - self.window) // self.stride))

    def batch(self, rows: Rows) -> Batch:
        total = len(self.stream)
        size = min(self.window, total - self.offset)
        end = np.minimum(self.offset + self.window + rows * self.stride, total)
        scored_from = np.where(rows == 0, self.offset, self.offset + self.window + (rows - 1) * self.stride)
        position = end[:, None] + np.arange(-size, 0)
        mask = torch.from_numpy(position >= scored_from[:, None])
        x = torch.from_numpy(self.stream[position]).long()
        count = mask.sum(1)
        sizes = count
        if self.byte_lengths is not None:
            sizes = torch.where(mask, torch.from_numpy(self.byte_lengths)[x], 0).sum(1)
        return Batch(x, mask, dims=count, bytes=sizes)

    def epoch(self, seed: int, epoch: int) -> StreamExamples:
        """Disjoint windows from a start that differs from epoch to epoch, so that their borders move."""
        start = int(uniforms(seed, [epoch], [0])[0, 0] * self.window)
        return replace(self, stride=self.window, offset=start if len(self.stream) > 2 * self.window else 0)

    def digest(self) -> str:
        digest = sha256()
        for start in range(0, len(self.stream), LARGE):
            digest.update(np.ascontiguousarray(self.stream[start : start + LARGE]).data)
            let_go(self.stream)
        return digest.hexdigest()

    def first(self, count: int) -> StreamExamples:
        return replace(self, stream=self.stream[: self.window + (count - 1) * self.stride])

    def with_windows(self, window: int, stride: int) -> StreamExamples:
        return replace(self, window=window, stride=stride)

    def sequences(self, most: int | None = None) -> list[Array]:
        return [self.stream[-most if most else 0 :]]
