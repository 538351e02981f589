"""PixelCNN: images pixel by pixel, from 2-d convolutions that see only what is above and to the left."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from chainrule.errors import InputError
from chainrule.networks.base import AutoregressiveNetwork
from chainrule.networks.dropout import Dropout
from chainrule.networks.pixelcnn_layers import Above, GatedBlock, Left, ResidualBlock, RowCache
from chainrule.networks.pixels import ChannelFeatures, PixelEmbedding

__all__ = ["PixelCNN"]


class PixelAttention(nn.Module):
    """h_p' = h_p + O sum_{q<=p} softmax_q(Q h_p . K h_q / sqrt(size)) V h_q, over the pixels in their order.

    Paper: Chen, Mishra, Rohaninejad, Abbeel, *PixelSNAIL*, 2018.
    """

    def __init__(self, width: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.heads, self.size = heads, width // heads
        self.norm = nn.LayerNorm(width)
        self.qkv, self.out = nn.Linear(width, 3 * width, bias=False), nn.Linear(width, width, bias=False)
        self.dropout = Dropout(dropout)
        nn.init.zeros_(self.out.weight)

    def project(self, h: Tensor) -> Tensor:
        """Queries, keys and values from (B, P, width), shape (3, B, heads, P, size)."""
        return self.qkv(self.norm(h)).unflatten(-1, (3, self.heads, self.size)).permute(2, 0, 3, 1, 4)

    def forward(self, h: Tensor) -> Tensor:
        q, k, v = self.project(h.flatten(1, 2))
        mixed = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        return h + self.dropout(self.out(mixed.transpose(1, 2).flatten(2))).view(h.shape)

    def cache(self, batch_size: int, pixels: int) -> Tensor:
        """Room for the keys and values of every pixel, shape (2, B, heads, P, size)."""
        return self.out.weight.new_zeros(2, batch_size, self.heads, pixels, self.size)

    def step(self, h: Tensor, p: int, cache: Tensor) -> Tensor:
        """h' of pixel p, shape (B, width); writes its key and value into the cache."""
        q, k, v = self.project(h.unsqueeze(1))
        cache[0, :, :, p], cache[1, :, :, p] = k.squeeze(2), v.squeeze(2)
        mixed = F.scaled_dot_product_attention(q, cache[0, :, :, : p + 1], cache[1, :, :, : p + 1])
        return h + self.out(mixed.reshape(h.shape))


@dataclass
class PixelCNNState:
    """What is needed to go on with an image.

    d: number of the element to come.
    background: coordinates and context, shape (1 or B, rows, W, width).
    above: the vectors of the pixels in the rows above.
    line: the vectors of the present row so far, each (B, width).
    left: the last of these.
    known: the sum of the vectors of the present pixel's channels so far, pixel: its features, both (B, width).
    start: h_0 of the present row without its left neighbours, for each column.
    summit: v_L of the present row, for each column.
    blocks: cache of each block.
    attention: cache of each attention.
    """

    d: int
    background: Tensor
    above: Tensor
    line: list[Tensor]
    left: deque[Tensor]
    known: Tensor
    pixel: Tensor
    start: Sequence[Tensor]
    summit: Sequence[Tensor]
    blocks: list[RowCache]
    attention: dict[str, Tensor]


class PixelCNN(AutoregressiveNetwork):
    """Gated vertical and horizontal stacks of 2-d convolutions; no blind spot.

        v_0 = V * e (rows above) + background,   h_0 = H * e (pixels to the left) + v_0
        (v_l, h_l) = block_l(v_{l-1}, h_{l-1}),  h = norm(h_L + v_L)

    The elements are the image in raster order, channels innermost; e are the pixels' vectors, and the background is a
    learned table for rows and one for columns, plus the context. The channels of a pixel are chained on its features.

    num_symbols: V, number of symbols; None for real numbers.
    shape: layout of the image, (H, W) or (H, W, channels).
    width: H, size of the features.
    depth: number of blocks.
    kernel_size: side of the convolutions, an odd number, of which the past half is used.
    concat_elu: whether blocks are those of PixelCNN++, with two convolutions each, instead of gated ones with one.
    attention: numbers of the blocks, from 1, that causal attention over all pixels follows.
    heads: number of heads of the attention, a divisor of the width.
    dropout: probability with which a feature inside the blocks is dropped.
    ordinal: whether symbols are levels, so that their value is read as well.
    num_classes: number of classes of the context, for p(x | c).
    context_size: size of the vectors of the context, for p(x | c).

    Papers: van den Oord et al., *Conditional image generation with PixelCNN decoders*, 2016; Salimans et al.,
    *PixelCNN++*, 2017; Chen et al., *PixelSNAIL*, 2018.

    >>> net = PixelCNN(num_symbols=17, shape=(8, 8), width=16, depth=2)
    >>> net(torch.zeros(2, 64, dtype=torch.long)).shape, net.receptive_field
    (torch.Size([2, 64, 16]), 46)
    """

    takes_levels = takes_context = True

    def __init__(
        self,
        num_symbols: int | None,
        shape: int | tuple[int, ...],
        width: int = 64,
        depth: int = 3,
        *,
        kernel_size: int = 3,
        concat_elu: bool = True,
        attention: Sequence[int] = (),
        heads: int = 4,
        dropout: float = 0.0,
        ordinal: bool = False,
        num_classes: int | None = None,
        context_size: int | None = None,
    ) -> None:
        super().__init__(shape, width)
        _check_options(self.shape, width, depth, kernel_size, attention, heads)
        self.rows, self.columns, self.channels = (*self.shape, 1)[:3]
        self.size = kernel_size // 2
        self.embedding = PixelEmbedding(
            num_symbols,
            (self.rows, self.columns, self.channels),
            width,
            ordinal=ordinal,
            num_classes=num_classes,
            context_size=context_size,
        )
        self.above = Above(width, width, self.size, strict=True)
        self.left = Left(width, width, self.size, strict=True)
        block = ResidualBlock if concat_elu else GatedBlock
        self.blocks: Sequence[GatedBlock | ResidualBlock] = nn.ModuleList(  # type: ignore[assignment]
            block(width, self.size, dropout) for _ in range(depth)
        )
        self.attention: Mapping[str, PixelAttention] = nn.ModuleDict(  # type: ignore[assignment]
            {str(number): PixelAttention(width, heads, dropout) for number in sorted(set(attention))}
        )
        self.channel_features = ChannelFeatures(self.channels, width, dropout) if self.channels > 1 else None
        self.norm = nn.LayerNorm(width)

    @property
    def receptive_field(self) -> int:
        """How many elements before the last can influence its features, in raster order.

        The farthest is the leftmost pixel that it sees in the topmost row that it sees.
        """
        if self.attention:
            return self.length - 1
        reach = [block.reach for block in self.blocks]
        up = min(self.rows - 1, self.size + sum(rows for rows, _, _ in reach))
        aside = max(across for _, _, across in reach) if up else 0
        left = min(self.columns - 1, self.size + sum(columns for _, columns, _ in reach) + aside)
        return (up * self.columns + left) * self.channels + self.channels - 1

    def maps(self, x: Tensor, context: Tensor | None) -> tuple[list[Tensor], Tensor]:
        """h_0, ..., h_{L-1}, h_L + v_L and the embedded channels of the rows that x fills, (B, rows, W, ...)."""
        embedded = self.embedding(x)
        e = embedded.sum(3)
        v = self.above(e) + self.embedding.background(len(x), context)[:, : e.shape[1]]
        h = [v + self.left(e)]
        for number, block in enumerate(self.blocks, 1):
            v, after = block(v, h[-1])
            h.append(self.attention[str(number)](after) if str(number) in self.attention else after)
        h[-1] = h[-1] + v
        return h, embedded

    def layers(self, x: Tensor, context: Tensor | None = None) -> list[Tensor]:
        h, embedded = self.maps(x, context)
        spread = [a.flatten(1, 2).repeat_interleave(self.channels, 1)[:, : x.shape[1]] for a in h[:-1]]
        return [*spread, self.read(h[-1], embedded)[:, : x.shape[1]]]

    def forward(self, x: Tensor, context: Tensor | None = None) -> Tensor:
        h, embedded = self.maps(x, context)
        return self.read(h[-1], embedded)[:, : x.shape[1]]

    def read(self, pixel: Tensor, embedded: Tensor) -> Tensor:
        """The features of every element, (B, D, width), from those of the pixels."""
        f = pixel if self.channel_features is None else self.channel_features(pixel, embedded)
        return self.norm(f).flatten(1, -2)

    def initial_state(self, batch_size: int, context: Tensor | None = None) -> PixelCNNState:
        nothing = self.embedding.row_table.new_zeros(batch_size, self.features)
        return PixelCNNState(
            d=0,
            background=self.embedding.background(batch_size, context),
            above=self.above.cache(batch_size, self.columns),
            line=[],
            left=self.left.cache(batch_size),
            known=nothing,
            pixel=nothing,
            start=[],
            summit=[],
            blocks=[block.cache(batch_size, self.columns) for block in self.blocks],
            attention={n: block.cache(batch_size, self.rows * self.columns) for n, block in self.attention.items()},
        )

    def step(self, x_previous: Tensor | None, state: PixelCNNState) -> tuple[Tensor, PixelCNNState]:
        pixel, channel = divmod(state.d, self.channels)
        row, column = divmod(pixel, self.columns)
        if row >= self.rows:
            raise InputError(f"an image has {self.length} elements, and all of them have been walked")
        if x_previous is not None:
            self._know(x_previous, state)
        if column == channel == 0:
            self._start_row(row, state)
        if channel == 0:
            self._start_pixel(pixel, column, state)
        state.d += 1
        if self.channel_features is None:
            return self.norm(state.pixel), state
        return self.norm(self.channel_features.step(state.pixel, state.known, channel)), state

    def _know(self, x_previous: Tensor, state: PixelCNNState) -> None:
        """Add the element before to its pixel; a pixel that is complete belongs to its row."""
        channel = (state.d - 1) % self.channels
        state.known = state.known + self.embedding.step(x_previous, state.d - 1)
        if channel == self.channels - 1:
            state.line.append(state.known)
            state.left.append(state.known)
            state.known = torch.zeros_like(state.known)

    def _start_row(self, row: int, state: PixelCNNState) -> None:
        """Run the vertical stack for all pixels of a row; the row before it is complete."""
        if row > 0:
            self.above.push(torch.stack(state.line, 1).unsqueeze(1), state.above)
        state.line, state.left = [], self.left.cache(len(state.known))
        v = self.above.below(state.above) + state.background[:, row : row + 1]
        state.start = v.squeeze(1).unbind(1)
        for block, cache in zip(self.blocks, state.blocks, strict=True):
            v = block.row(v, cache)
        state.summit = v.squeeze(1).unbind(1)

    def _start_pixel(self, pixel: int, column: int, state: PixelCNNState) -> None:
        """Run the horizontal stack for one pixel."""
        h = self.left.beside(state.left, state.start[column])
        for number, (block, cache) in enumerate(zip(self.blocks, state.blocks, strict=True), 1):
            h = block.pixel(h, column, cache)
            if str(number) in self.attention:
                h = self.attention[str(number)].step(h, pixel, state.attention[str(number)])
        state.pixel = h + state.summit[column]


def _check_options(
    shape: tuple[int, ...], width: int, depth: int, kernel_size: int, attention: Sequence[int], heads: int
) -> None:
    """Refuse options of a `PixelCNN` that do not fit together."""
    if len(shape) not in (2, 3):
        raise InputError(f"a PixelCNN reads images, (H, W) or (H, W, channels), got the shape {shape}")
    if min(width, depth, heads) < 1 or kernel_size < 3 or kernel_size % 2 == 0:
        raise InputError(
            "width, depth and heads start at 1 and kernel_size is odd and at least 3, "
            f"got {width}, {depth}, {heads} and {kernel_size}"
        )
    if attention and (width % heads or not set(attention) <= set(range(1, depth + 1))):
        raise InputError(
            f"attention follows blocks 1 to {depth} with a number of heads that divides the width {width}, "
            f"got blocks {list(attention)} and {heads} heads"
        )
