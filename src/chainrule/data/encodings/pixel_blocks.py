"""Images in pixel blocks: s x s pixels that lie together are neighbours in the chain, and one place of the network.

    (H, W, C) -> (H/s, W/s, s s C)        a permutation of the elements: ln p(x) is that of the same images

The chain rule holds in any order. In this one a network walks H W / s^2 places instead of H W, so that its layers cost
a fraction and reach s times as far, and the chain inside a place is short.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import prod
from typing import Any, ClassVar

import numpy as np

from chainrule.batch import Array, Rows
from chainrule.data.encodings.arrays import ArrayEncoding
from chainrule.data.encodings.base import Encoding
from chainrule.data.encodings.conditions import Conditions
from chainrule.data.encodings.data_set import DataSet
from chainrule.data.encodings.images import ImageEncoding
from chainrule.data.examples.base import Examples
from chainrule.data.examples.reordered import Reordered
from chainrule.data.sources.objects import Source
from chainrule.domain import Domain
from chainrule.errors import InputError

__all__ = ["PixelBlockEncoding", "block_order", "in_pixel_blocks"]

IMAGES: dict[str, type[Encoding]] = {encoding.kind: encoding for encoding in (ArrayEncoding, ImageEncoding)}


def block_order(shape: tuple[int, ...], side: int) -> Rows:
    """The raster number of each element, block by block, shape (D,).

    shape: the layout of the image, (H, W) or (H, W, C).
    side: s, pixels per side of a block.

    >>> block_order((2, 4), 2).tolist()
    [0, 1, 4, 5, 2, 3, 6, 7]
    """
    rows, columns, channels = (*shape, 1)[:3]
    places = np.arange(prod(shape)).reshape(rows // side, side, columns // side, side, channels)
    return places.transpose(0, 2, 1, 3, 4).reshape(-1)


@dataclass(frozen=True)
class PixelBlockEncoding(Encoding):
    """Images of another encoding, block by block.

    images: how the images become elements in raster order.
    side: s, of which both sides of the image are multiples.
    """

    images: Encoding
    side: int
    kind: ClassVar[str] = "pixel_blocks"
    is_image: ClassVar[bool] = True

    def __post_init__(self) -> None:
        shape = self.images.domain.shape
        if not self.images.is_image:
            raise InputError(
                f"pixel blocks need images of rows and columns, got examples of shape {shape}; leave out --pixel-block"
            )
        if self.side < 2 or shape[0] % self.side or shape[1] % self.side:
            raise InputError(
                f"blocks of {self.side}x{self.side} do not fill images of {shape[0]}x{shape[1]} pixels; "
                "take a side of at least 2 that divides both, or leave out --pixel-block"
            )

    @property
    def order(self) -> Rows:
        """The raster number of each element, shape (D,)."""
        return block_order(self.raster_shape, self.side)

    @property
    def domain(self) -> Domain:
        """The layout (H/s, W/s, s s C)."""
        rows, columns, channels = (*self.raster_shape, 1)[:3]
        shape = (rows // self.side, columns // self.side, self.side * self.side * channels)
        return replace(self.images.domain, shape=shape)

    @property
    def conditions(self) -> Conditions | None:
        return self.images.conditions

    @property
    def picture_levels(self) -> int:
        return self.images.picture_levels

    @property
    def pixel_block(self) -> int:
        return self.side

    @property
    def raster_shape(self) -> tuple[int, ...]:
        return self.images.domain.shape

    def in_raster(self, values: Array) -> Array:
        """Values per element, shape (D, ...), in raster order.

        >>> from chainrule.data import load
        >>> encoding = load("digits", pixel_block=2).encoding
        >>> encoding.in_raster(encoding.order)[:9].tolist()
        [0, 1, 2, 3, 4, 5, 6, 7, 8]
        """
        return values[self.order.argsort()]

    def encode(self, source: Source) -> Reordered:
        return Reordered(self.images.encode(source), self.order)

    def encode_parts(self, source: Source) -> dict[str, Examples]:
        parts = self.images.encode_parts(source)
        return {name: Reordered(examples, self.order) for name, examples in parts.items()}

    def example_names(self, source: Source) -> dict[str, list[str]]:
        return self.images.example_names(source)

    def decode(self, x: Array) -> Any:
        """Images as they were, (n, H, W) or (n, H, W, C)."""
        return self.images.decode(x[:, self.order.argsort()])

    @property
    def file_endings(self) -> tuple[str, ...]:
        return self.images.file_endings

    def write_folder(self, raw: Any) -> dict[str, bytes]:
        return self.images.write_folder(raw)

    def to_json(self) -> dict[str, Any]:
        return {"kind": self.kind, "side": self.side, "images": self.images.to_json()}

    @classmethod
    def from_json(cls, fields: dict[str, Any]) -> PixelBlockEncoding:
        return cls(IMAGES[fields["images"]["kind"]].from_json(fields["images"]), fields["side"])


def in_pixel_blocks(data: DataSet, side: int) -> DataSet:
    """The same images, block by block.

    data: images in raster order.
    side: pixels per side of a block; 1 changes nothing.

    >>> from chainrule.data import load
    >>> load("digits", pixel_block=2).encoding.domain.shape
    (4, 4, 4)
    """
    if side == 1:
        return data
    if not data.encoding.is_image or data.encoding.pixel_block != 1:
        raise InputError(f"{data.name}: pixel blocks need images, got {data.note}; leave out --pixel-block")
    encoding = PixelBlockEncoding(data.encoding, side)
    train, valid, test = (Reordered(examples, encoding.order) for examples in data.splits.values())
    note = f"{data.note}; in blocks of {side}x{side}"
    options = data.options | {"pixel_block": side}
    return replace(data, encoding=encoding, train=train, valid=valid, test=test, note=note, options=options)
