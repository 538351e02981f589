"""The PixelCNN of pixels of one channel by portable arithmetic: convolutions as exact products of their taps."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

import numpy as np
from torch import Tensor

from chainrule.batch import Array
from chainrule.coding.exact_products import ExactProduct
from chainrule.coding.portable_elements import PortableElements, as_float64, refuse_context
from chainrule.coding.portable_layers import LARGEST, ExactLinear, PortableNorm, concat_elu, gate
from chainrule.errors import InputError
from chainrule.networks.pixelcnn import PixelCNN
from chainrule.networks.pixelcnn_layers import Above, Left, ResidualBlock

__all__ = ["PortablePixelCNN"]


class PortableAbove:
    """A convolution over the rows above, see `Above`.

    above: the layer in float32.
    bound: largest absolute value of each input, shape (inputs,).
    """

    def __init__(self, above: Above, bound: Array) -> None:
        weight = as_float64(above.conv.weight).transpose(2, 3, 1, 0)
        self.rows, self.across, self.inputs, outputs = weight.shape
        taps = self.rows * self.across
        self.product = ExactProduct(weight.reshape(taps * self.inputs, outputs), np.tile(bound, taps))
        self.bias = 0.0 if above.conv.bias is None else as_float64(above.conv.bias)

    def cache(self, batch_size: int, columns: int) -> Array:
        """The rows that a row looks at, zero above the image, shape (B, rows, W, inputs)."""
        return np.zeros((batch_size, self.rows, columns, self.inputs))

    def push(self, row: Array, cache: Array) -> None:
        """Move the cache down by one row, shape (B, W, inputs)."""
        cache[:, :-1] = cache[:, 1:].copy()
        cache[:, -1] = row

    def below(self, cache: Array) -> Array:
        """The row that looks at these, shape (B, W, outputs)."""
        batch_size, _, columns, _ = cache.shape
        side = self.across // 2
        padded = np.pad(cache, ((0, 0), (0, 0), (side, side), (0, 0)))
        taps = [padded[:, r, c : c + columns] for r in range(self.rows) for c in range(self.across)]
        y = self.product.of(np.concatenate(taps, -1).reshape(batch_size * columns, -1))
        return np.asarray(y.reshape(batch_size, columns, -1) + self.bias)


class PortableLeft:
    """A convolution over the pixels to the left, see `Left`; bound: as for `PortableAbove`."""

    def __init__(self, left: Left, bound: Array) -> None:
        self.taps, self.inputs = left.size + (not left.strict), left.inputs
        self.product = ExactProduct(as_float64(left.taps.weight).T, np.tile(bound, self.taps))

    def cache(self, batch_size: int) -> deque[Array]:
        """The pixels that a pixel looks at, zero left of the image."""
        return deque([np.zeros((batch_size, self.inputs))] * self.taps, maxlen=self.taps)

    def beside(self, pixels: deque[Array]) -> Array:
        """The pixel that looks at these, shape (B, outputs)."""
        return self.product.of(np.concatenate(tuple(pixels), -1))


@dataclass
class BlockCache:
    """What a block remembers, see `RowCache`."""

    above: list[Array]
    left: list[deque[Array]]
    across: Array


class PortableBlock:
    """v' = v + g(V_2 c(V_1 c(v))),  h' = h + g(H_2 c(H_1 c(h) + C c(v'))), see `ResidualBlock`."""

    def __init__(self, block: ResidualBlock) -> None:
        bound = np.full(2 * block.across.out_features, LARGEST)
        self.above, self.above_out = (PortableAbove(conv, bound) for conv in (block.above, block.above_out))
        self.left, self.left_out = (PortableLeft(conv, bound) for conv in (block.left, block.left_out))
        self.across = ExactLinear(block.across.weight, block.across.bias, bound)
        self.left_bias = as_float64(block.left_bias)

    def cache(self, batch_size: int, columns: int) -> BlockCache:
        """The cache of `row` and `pixel`."""
        rows = [conv.cache(batch_size, columns) for conv in (self.above, self.above_out)]
        return BlockCache(rows, [], np.zeros(0))

    def row(self, v: Array, cache: BlockCache) -> Array:
        """The next row of the vertical stack, (B, W, width) to the same."""
        batch_size, columns, width = v.shape
        self.above.push(concat_elu(v), cache.above[0])
        self.above_out.push(concat_elu(self.above.below(cache.above[0])), cache.above[1])
        v = v + _glu(self.above_out.below(cache.above[1]))
        across = self.across.of(concat_elu(v).reshape(batch_size * columns, -1))
        cache.across = across.reshape(batch_size, columns, width)
        cache.left = [conv.cache(batch_size) for conv in (self.left, self.left_out)]
        return v

    def pixel(self, h: Array, column: int, cache: BlockCache) -> Array:
        """The pixel of the horizontal stack at a column, (B, width) to the same."""
        cache.left[0].append(concat_elu(h))
        b = self.left.beside(cache.left[0]) + cache.across[:, column]
        cache.left[1].append(concat_elu(b))
        return np.asarray(h + _glu(self.left_out.beside(cache.left[1]) + self.left_bias))


@dataclass
class PortablePixelCNNState:
    """What is needed to go on with an image, see `PixelCNNState`."""

    d: int
    above: Array
    line: list[Array]
    left: deque[Array]
    start: Array
    summit: Array
    blocks: list[BlockCache]


class PortablePixelCNN:
    """h_d of a `PixelCNN` of blocks of PixelCNN++, one channel and no attention, a model of its own.

    network: the float32 network, without a context.
    """

    def __init__(self, network: PixelCNN) -> None:
        refuse_context(network.embedding.element.context, network)
        plain = all(isinstance(block, ResidualBlock) for block in network.blocks)
        if network.channels > 1 or network.attention or not plain:
            raise InputError("a PixelCNN of several channels, with attention or with gated blocks has no portable form")
        embedding = network.embedding
        self.elements = PortableElements(embedding.element, as_float64(embedding.element.start)[None])
        self.rows, self.columns = network.rows, network.columns
        self.background = as_float64(embedding.row_table)[:, None] + as_float64(embedding.column_table)
        self.above = PortableAbove(network.above, self.elements.bound[0])
        self.left = PortableLeft(network.left, self.elements.bound[0])
        self.blocks = [PortableBlock(block) for block in network.blocks]  # type: ignore[arg-type]
        self.norm = PortableNorm(network.norm)
        self.bound = self.norm.bound

    def begin(self, batch_size: int) -> PortablePixelCNNState:
        """The state before the first element."""
        return PortablePixelCNNState(
            d=0,
            above=self.above.cache(batch_size, self.columns),
            line=[],
            left=self.left.cache(batch_size),
            start=np.zeros(0),
            summit=np.zeros(0),
            blocks=[block.cache(batch_size, self.columns) for block in self.blocks],
        )

    def next(self, x_previous: Tensor | None, state: PortablePixelCNNState) -> Array:
        """The features of the next element, multiples of 2^-16, shape (B, H); moves the state on.

        x_previous: the elements before it, None for the first.
        """
        row, column = divmod(state.d, self.columns)
        if x_previous is not None:
            vector = self.elements.of(x_previous, state.d - 1)
            state.line.append(vector)
            state.left.append(vector)
        if column == 0:
            self._start_row(row, state)
        h = self.left.beside(state.left) + state.start[:, column]
        for block, cache in zip(self.blocks, state.blocks, strict=True):
            h = block.pixel(h, column, cache)
        state.d += 1
        return self.norm.of(h + state.summit[:, column])

    def _start_row(self, row: int, state: PortablePixelCNNState) -> None:
        """Run the vertical stack for all pixels of a row; the row before it is complete."""
        if row > 0:
            self.above.push(np.stack(state.line, 1), state.above)
        state.line, state.left = [], self.left.cache(len(state.above))
        v = self.above.below(state.above) + self.background[row]
        state.start = v
        for block, cache in zip(self.blocks, state.blocks, strict=True):
            v = block.row(v, cache)
        state.summit = v


def _glu(x: Array) -> Array:
    """a sigmoid(b), where a and b are the halves of x."""
    a, b = np.split(x, 2, -1)
    return np.asarray(a * gate(b))
