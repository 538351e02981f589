"""Examples that are images: grey values 0..255 as L equal steps, or as bits drawn from the grey value."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from hashlib import sha256
from math import prod

import numpy as np
import torch

from chainrule.batch import Array, Batch, Rows
from chainrule.data.examples.base import Examples
from chainrule.data.examples.stored import Selected
from chainrule.errors import InputError
from chainrule.noise import uniforms

__all__ = ["DrawnBits", "StoredLevels", "check_levels", "draw_bits", "to_grey", "to_levels"]

CHUNK = 4096  # images at once


def check_levels(levels: int) -> int:
    """The number of levels, if it is valid."""
    if not 2 <= levels <= 256:
        raise InputError(f"an image has from 2 to 256 levels, got {levels}; 256 keeps every grey value")
    return levels


def to_levels(grey: Array, levels: int) -> Array:
    """floor(g L / 256): grey values 0..255 in L steps of equal width; two levels are a threshold at 128.

    >>> to_levels(np.array([0, 127, 128, 255], dtype=np.uint8), 2).tolist()
    [0, 0, 1, 1]
    """
    return (grey.astype(np.uint16) * levels // 256).astype(np.uint8)


def to_grey(level: Array, levels: int) -> Array:
    """round(255 l / (L - 1)), within the step of the level: so `to_levels` gives it back.

    >>> to_grey(np.array([0, 8, 16]), 17).tolist()
    [0, 128, 255]
    """
    level = level.astype(np.int64)
    first, after = (-(-256 * edge // levels) for edge in (level, level + 1))
    return np.clip(np.rint(level * 255 / (levels - 1)), first, after - 1).astype(np.uint8)


def draw_bits(grey: Array, key: int, examples: Rows) -> Array:
    """x_d ~ Bernoulli(g_d / 255), a pure function of (key, number of the example, d); shape of grey, (B, D)."""
    return (uniforms(key, examples, np.arange(grey.shape[1])) < grey / 255.0).astype(np.uint8)


@dataclass(frozen=True)
class DrawnBits(Examples):
    """Images whose bits are drawn from their grey values, fixed by a key.

    Salakhutdinov and Murray (2008) drew once; drawing anew in every epoch of training is the dynamic binarization of
    later papers, whose numbers are 1 to 3 nats lower. Validation and test keep one draw.

    grey: grey values 0..255, shape (N, ...), perhaps on disk.
    context: what each image is conditioned on, shape (N,); None for p(x).
    key: key of the draws.
    fresh: whether training draws anew in every epoch.
    """

    grey: Array | Selected
    context: Array | None = None
    key: int = 0
    fresh: bool = False

    def __len__(self) -> int:
        return len(self.grey)

    def batch(self, rows: Rows) -> Batch:
        bits = torch.from_numpy(draw_bits(self.grey[rows].reshape(len(rows), -1), self.key, rows)).long()
        return Batch(bits, context=None if self.context is None else torch.from_numpy(self.context[rows]))

    def epoch(self, seed: int, epoch: int) -> DrawnBits:
        """The same images, drawn for this epoch if the draws are to be fresh."""
        return replace(self, key=(seed << 32) + (1 << 31) + epoch) if self.fresh else self

    def digest(self) -> str:
        shape = (len(self.grey), prod(self.grey.shape[1:]))
        digest = sha256(f"{shape} drawn with key {self.key}, fresh {self.fresh}".encode())
        for part in (self.grey, self.context):
            if part is not None:
                for start in range(0, len(part), CHUNK):
                    digest.update(np.ascontiguousarray(part[start : start + CHUNK]).tobytes())
        return digest.hexdigest()

    def first(self, count: int) -> DrawnBits:
        return replace(self, grey=self.grey[:count], context=None if self.context is None else self.context[:count])

    def contents(self) -> Iterator[bytes]:
        return (np.ascontiguousarray(self.grey[n]).tobytes() for n in range(len(self)))


@dataclass(frozen=True)
class StoredLevels(Examples):
    """Images on disk as levels, made when they are needed; the same examples as an array of `to_levels`.

    grey: grey values 0..255, shape (N, ...).
    levels: L.
    context: what each image is conditioned on, shape (N,); None for p(x).
    """

    grey: Array | Selected
    levels: int
    context: Array | None = None

    def __len__(self) -> int:
        return len(self.grey)

    def batch(self, rows: Rows) -> Batch:
        x = to_levels(self.grey[rows].reshape(len(rows), -1), self.levels)
        context = None if self.context is None else torch.from_numpy(self.context[rows])
        return Batch(torch.from_numpy(x).long(), context=context)

    def digest(self) -> str:
        """The digest of the same images in memory, see `ArrayExamples`."""
        digest = sha256(f"|u1{(len(self.grey), prod(self.grey.shape[1:]))}".encode())
        for start in range(0, len(self.grey), CHUNK):
            digest.update(to_levels(self.grey[start : start + CHUNK], self.levels).tobytes())
        if self.context is not None:
            digest.update(f"{self.context.dtype.str}{self.context.shape}".encode() + self.context.tobytes())
        return digest.hexdigest()

    def first(self, count: int) -> StoredLevels:
        return replace(self, grey=self.grey[:count], context=None if self.context is None else self.context[:count])

    def contents(self) -> Iterator[bytes]:
        return (np.ascontiguousarray(self.grey[n]).tobytes() for n in range(len(self)))
