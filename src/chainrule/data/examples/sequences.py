"""Examples of different lengths, one after the other in one array; long ones are read through windows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from hashlib import sha256

import numpy as np
import torch

from chainrule.batch import Array, Batch, Rows
from chainrule.data.examples.base import Examples
from chainrule.data.examples.packing import PackedExamples
from chainrule.errors import InputError
from chainrule.noise import uniforms

__all__ = ["SequenceExamples"]


@dataclass(frozen=True)
class SequenceExamples(Examples):
    """Examples of different lengths; padding is known by length, and the end, where there is one, is an element.

    An example of up to `window` elements is one row. A longer one is several: the first scores all of its elements,
    each later one moves on by `stride` and scores its last `stride` elements given those before, so that every element
    of every example is scored exactly once. `owner` says which example a row belongs to.

    flat: elements of all examples, shape (sum of T,).
    start: where each example begins and, last, where the last one ends, shape (N + 1,).
    window: the number of elements that the network reads at once.
    stride: the number of elements that a window moves on by.
    end: the symbol that is appended to each example; None where lengths are given.
    byte_lengths: bytes per symbol, shape (V,).
    per_dim: elements per scalar of the raw data.
    first_row: elements of the first row of a long example; None for a window.
    pack: the length of the rows into which training packs examples; None for padding.

    >>> names = SequenceExamples.of([[1, 2, 3], [4]], window=8, end=0)
    >>> names.batch(np.arange(2)).x.tolist(), names.batch(np.arange(2)).elements.tolist()
    ([[1, 2, 3, 0], [4, 0, 0, 0]], [4, 2])
    """

    flat: Array
    start: Rows
    window: int
    stride: int
    end: int | None = None
    byte_lengths: Array | None = None
    per_dim: int = 1
    first_row: int | None = None
    pack: int | None = None

    def __post_init__(self) -> None:
        if not 1 <= self.stride <= self.window or self.stride % self.per_dim or self.window % self.per_dim:
            units = "" if self.per_dim == 1 else f", both multiples of the {self.per_dim} elements of a step"
            raise InputError(f"a stride is between 1 and the window's {self.window}{units}, got {self.stride}")

    @classmethod
    def of(
        cls,
        sequences: Sequence[Sequence[int] | Array],
        window: int,
        stride: int | None = None,
        end: int | None = None,
        byte_lengths: Array | None = None,
        per_dim: int = 1,
        pack: int | None = None,
    ) -> SequenceExamples:
        """Examples from a list of sequences."""
        arrays = [np.asarray(sequence) for sequence in sequences]
        flat = np.concatenate(arrays) if arrays else np.zeros(0, dtype=np.uint8)
        start = np.cumsum([0, *map(len, arrays)])
        return cls(flat, start, window, window if stride is None else stride, end, byte_lengths, per_dim, None, pack)

    @cached_property
    def example_lengths(self) -> Rows:
        """T of each example, including its end, shape (N,)."""
        return np.diff(self.start) + (self.end is not None)

    @cached_property
    def _rows_before(self) -> Rows:
        """The number of rows before those of each example, shape (N + 1,)."""
        later = np.maximum(0, -(-(self.example_lengths - (self.first_row or self.window)) // self.stride))
        return np.concatenate([[0], np.cumsum(1 + later)])

    def __len__(self) -> int:
        return int(self._rows_before[-1])

    @cached_property
    def owner(self) -> Rows:
        """The example of each row, shape (rows,)."""
        return np.repeat(np.arange(len(self.example_lengths)), np.diff(self._rows_before))

    def _borders(self, rows: Rows) -> tuple[Rows, Rows, Rows, Rows]:
        """The example of each row, and where in it the row begins, begins to score, and stops."""
        example = self.owner[rows]
        number = rows - self._rows_before[example]
        first = self.first_row or self.window
        stop = np.minimum(first + number * self.stride, self.example_lengths[example])
        scored = np.where(number == 0, 0, first + (number - 1) * self.stride)
        return example, np.maximum(0, stop - self.window), scored, stop

    @cached_property
    def row_lengths(self) -> Rows:
        """The number of elements of each row, shape (rows,); batches are made of rows of similar length."""
        _, begin, _, stop = self._borders(np.arange(len(self)))
        return stop - begin

    def batch(self, rows: Rows) -> Batch:
        example, begin, scored, stop = self._borders(np.asarray(rows))
        position = begin[:, None] + np.arange(int((stop - begin).max(initial=1)))
        inside = position < stop[:, None]
        is_end = (
            position == self.example_lengths[example][:, None] - 1 if self.end is not None else np.zeros_like(inside)
        )
        place = np.where(inside & ~is_end, self.start[example][:, None] + position, 0)
        x = self.flat[place].astype(np.int64) if len(self.flat) else np.zeros(place.shape, dtype=np.int64)
        x = np.where(inside, np.where(is_end, self.end or 0, x), 0)
        counts = inside & (position >= scored[:, None])
        elements = counts.sum(1)
        sizes = (
            np.zeros_like(elements) if self.byte_lengths is None else np.where(counts, self.byte_lengths[x], 0).sum(1)
        )
        dims = torch.from_numpy(elements // self.per_dim)
        return Batch(torch.from_numpy(x), torch.from_numpy(counts), dims=dims, bytes=torch.from_numpy(sizes))

    def epoch(self, seed: int, epoch: int) -> Examples:
        """Disjoint windows of the long examples, whose borders move from epoch to epoch; packed if `pack` is set."""
        steps = self.window // self.per_dim
        first = self.per_dim * (1 + int(uniforms(seed, [epoch], [0])[0, 0] * steps))
        long = bool((self.example_lengths > self.window).any())
        windows = replace(self, stride=self.window, first_row=first if long else None)
        return windows if self.pack is None else PackedExamples.of(windows, self.pack, seed, epoch)

    def digest(self) -> str:
        digest = sha256(np.ascontiguousarray(self.start).tobytes())
        digest.update(np.ascontiguousarray(self.flat.astype(np.int64)).tobytes())
        return digest.hexdigest()

    @property
    def windows(self) -> tuple[int, int]:
        return self.window, self.stride

    @property
    def are_whole(self) -> bool:
        return bool((self.example_lengths <= self.window).all())

    def with_windows(self, window: int, stride: int) -> SequenceExamples:
        return replace(self, window=window, stride=stride)

    def first(self, count: int) -> SequenceExamples:
        start = self.start[: count + 1]
        return replace(self, flat=self.flat[: start[-1]], start=start)

    def contents(self) -> Iterator[bytes]:
        borders = zip(self.start[:-1].tolist(), self.start[1:].tolist(), strict=True)
        return (np.ascontiguousarray(self.flat[start:stop]).tobytes() for start, stop in borders)

    def sequences(self, most: int | None = None) -> list[Array]:
        return np.split(self.flat, self.start[1:-1])[-most if most else 0 :]
