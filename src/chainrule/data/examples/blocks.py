"""Images in blocks: s x s pixels that lie together are neighbours in the chain, and one pixel to the network.

    (H, W, C) -> (H/s, W/s, s s C)        a permutation of the elements: ln p(x) is of the same images

The chain rule holds in any order. In this one a network of pixels walks H W / s^2 places in place of H W, so that its
layers cost a fraction and reach s times as far, and the chain inside a place is short.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import prod
from typing import Any, ClassVar

import numpy as np

from chainrule.batch import Batch
from chainrule.data.encodings.images import ImageEncoding
from chainrule.data.examples.arrays import ArrayEncoding
from chainrule.data.examples.base import Array, DataSet, Encoding, Examples, Rows, Source
from chainrule.data.examples.conditions import Classes
from chainrule.domain import Domain
from chainrule.errors import InputError
from chainrule.likelihood import Protocol

__all__ = ["BlockEncoding", "Reordered", "block_order", "in_blocks", "in_raster", "whole_images"]


def block_order(shape: tuple[int, ...], side: int) -> Rows:
    """The raster number of each element, block by block, shape (D,).

    >>> block_order((2, 4), 2).tolist()
    [0, 1, 4, 5, 2, 3, 6, 7]
    """
    rows, columns, channels = (*shape, 1)[:3]
    places = np.arange(prod(shape)).reshape(rows // side, side, columns // side, side, channels)
    return places.transpose(0, 2, 1, 3, 4).reshape(-1)


@dataclass(frozen=True)
class Reordered:
    """Examples of one length whose d-th element is element order[d] of the ones within, shape (D,).

    >>> from chainrule.data import ArrayExamples
    >>> Reordered(ArrayExamples(np.array([[5, 6, 7]])), np.array([2, 0, 1])).batch(np.array([0])).x.tolist()
    [[7, 5, 6]]
    """

    examples: Examples
    order: Rows

    @property
    def context(self) -> Array | None:
        """What each example is conditioned on."""
        context: Array | None = getattr(self.examples, "context", None)
        return context

    def __len__(self) -> int:
        return len(self.examples)

    def batch(self, rows: Rows) -> Batch:
        batch = self.examples.batch(rows)
        return replace(batch, x=batch.x[:, self.order], mask=batch.mask[:, self.order])

    def epoch(self, seed: int, epoch: int) -> Reordered:
        return Reordered(self.examples.epoch(seed, epoch), self.order)

    def digest(self) -> str:
        """That of the examples within: their likelihoods may be compared, whatever the order."""
        return self.examples.digest()


@dataclass(frozen=True)
class BlockEncoding:
    """Images of another encoding, block by block.

    images: how the images become elements in raster order. side: s, of which both sides of the image are multiples.
    """

    images: ArrayEncoding | ImageEncoding
    side: int
    kind: ClassVar[str] = "blocks"
    is_image: ClassVar[bool] = True

    def __post_init__(self) -> None:
        shape = self.images.domain.shape
        if not self.images.is_image:
            raise InputError(
                f"blocks are of images, of rows and columns, got examples of shape {shape}; leave them out"
            )
        if self.side < 2 or shape[0] % self.side or shape[1] % self.side:
            raise InputError(
                f"blocks of {self.side}x{self.side} do not fill images of {shape[0]}x{shape[1]} pixels; "
                "take a side of at least 2 that divides both, or leave blocks out"
            )

    @property
    def order(self) -> Rows:
        """The raster number of each element, shape (D,)."""
        return block_order(self.images.domain.shape, self.side)

    @property
    def domain(self) -> Domain:
        """The layout (H/s, W/s, s s C)."""
        rows, columns, channels = (*self.images.domain.shape, 1)[:3]
        shape = (rows // self.side, columns // self.side, self.side * self.side * channels)
        return replace(self.images.domain, shape=shape)

    @property
    def conditions(self) -> Classes | None:
        """The classes where the label is given."""
        return self.images.conditions

    @property
    def protocol(self) -> Protocol:
        """That of the images: all elements are scored."""
        return self.images.protocol

    @property
    def picture_levels(self) -> int:
        """How many levels a picture of `decode` has."""
        return self.images.picture_levels

    def encode(self, source: Source) -> Reordered:
        return Reordered(self.images.encode(source), self.order)

    def decode(self, x: Array) -> Array:
        """Images as they were, (n, H, W) or (n, H, W, C)."""
        return self.images.decode(x[:, self.order.argsort()])

    def to_json(self) -> dict[str, Any]:
        return {"kind": self.kind, "side": self.side, "images": self.images.to_json()}

    @classmethod
    def from_json(cls, fields: dict[str, Any]) -> BlockEncoding:
        """The encoding that `to_json` wrote."""
        of = ArrayEncoding if fields["images"]["kind"] == ArrayEncoding.kind else ImageEncoding
        return cls(of.from_json(fields["images"]), fields["side"])


def in_blocks(data: DataSet, side: int) -> DataSet:
    """The same images, block by block.

    >>> from chainrule.data import open
    >>> open("digits", blocks=2).encoding.domain.shape
    (4, 4, 4)
    """
    if not isinstance(data.encoding, ArrayEncoding | ImageEncoding):
        raise InputError(f"{data.name}: blocks are of images, this is {data.note}; leave them out")
    encoding = BlockEncoding(data.encoding, side)
    train, valid, test = (Reordered(data.split(name), encoding.order) for name in ("train", "valid", "test"))
    note = f"{data.note}; in blocks of {side}x{side}"
    return DataSet(data.name, encoding, train, valid, test, note, data.options | {"blocks": side})


def whole_images(encoding: Encoding) -> Encoding:
    """The encoding of the images that are in blocks, any other as it is.

    >>> from chainrule.data import open
    >>> whole_images(open("digits", blocks=2).encoding).domain.shape
    (8, 8)
    """
    return encoding.images if isinstance(encoding, BlockEncoding) else encoding


def in_raster(encoding: Encoding, values: Array) -> Array:
    """What is known of each element, shape (D, ...), in the order in which images are read.

    >>> from chainrule.data import open
    >>> encoding = open("digits", blocks=2).encoding
    >>> in_raster(encoding, encoding.order)[:9].tolist()
    [0, 1, 2, 3, 4, 5, 6, 7, 8]
    """
    return values[encoding.order.argsort()] if isinstance(encoding, BlockEncoding) else values
