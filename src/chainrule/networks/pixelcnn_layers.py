"""Two stacks of causal 2-d convolutions, the blocks of a PixelCNN: one looks at the rows above, one to the left.

A square kernel with its future masked leaves a blind spot above and to the right, and multiplies by zeros. Two stacks
of kernels that are cut to their past leave none: the vertical one v sees whole rows above, the horizontal one h sees
the row to the left and v (van den Oord, Kalchbrenner, Vinyals et al., *Conditional image generation with PixelCNN
decoders*, 2016).

Maps have the shape (B, rows, W, width), features last, so that a pixel is a vector. While an image is drawn, the
vertical stack runs once a row, for all its pixels together; only the horizontal stack runs for each pixel.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from chainrule.networks.dropout import Dropout

__all__ = ["Above", "GatedBlock", "Left", "ResidualBlock", "RowCache"]


class Above(nn.Module):
    """y[i, j] = sum_{r, c} W[r, c] x[i - r, j + c] for r = 0..s, c = -s..s: the row itself and the s rows above.

    size: s, number of rows above that are seen.
    strict: whether the row itself is left out, r = 1..s.
    """

    def __init__(self, inputs: int, outputs: int, size: int, *, strict: bool = False) -> None:
        super().__init__()
        self.size, self.strict = size, strict
        self.conv = nn.Conv2d(inputs, outputs, (size + (not strict), 2 * size + 1), padding=(0, size))

    def forward(self, x: Tensor) -> Tensor:
        return self.below(F.pad(x, (0, 0, 0, 0, self.size, -int(self.strict))))

    def below(self, rows: Tensor) -> Tensor:
        """The rows of y that look at nothing but the given rows of x: one for as many as the kernel has."""
        return self.conv(rows.permute(0, 3, 1, 2)).permute(0, 2, 3, 1)

    def cache(self, batch_size: int, columns: int) -> Tensor:
        """The rows of x that a row of y looks at, zero above the image, shape (B, rows, W, inputs)."""
        _, inputs, rows, _ = self.conv.weight.shape
        return self.conv.weight.new_zeros(batch_size, rows, columns, inputs)

    def push(self, row: Tensor, cache: Tensor) -> None:
        """Move the cache down by one row of x, shape (B, 1, W, inputs)."""
        cache.copy_(torch.cat([cache[:, 1:], row], 1))


class Left(nn.Module):
    """y[i, j] = sum_c W[c] x[i, j - c] for c = 0..s: the pixel itself and the s pixels to its left.

    One weight, of shape (outputs, taps * inputs), is the kernel for a map and the matrix for a pixel. There is no bias:
    the maps that are added have one.

    size: s, number of pixels to the left that are seen.
    strict: whether the pixel itself is left out, c = 1..s.
    """

    def __init__(self, inputs: int, outputs: int, size: int, *, strict: bool = False) -> None:
        super().__init__()
        self.inputs, self.size, self.strict = inputs, size, strict
        self.taps = nn.Linear((size + (not strict)) * inputs, outputs, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        past = F.pad(x, (0, 0, self.size, -int(self.strict))).permute(0, 3, 1, 2)
        kernel = self.taps.weight.view(self.taps.out_features, 1, -1, self.inputs).permute(0, 3, 1, 2)
        return F.conv2d(past, kernel).permute(0, 2, 3, 1)

    def beside(self, pixels: deque[Tensor], plus: Tensor) -> Tensor:
        """The pixel of y that looks at the given pixels of x, plus what is added to it, shape (B, outputs)."""
        return torch.addmm(plus, torch.cat(tuple(pixels), -1), self.taps.weight.t())

    def cache(self, batch_size: int) -> deque[Tensor]:
        """The pixels of x that a pixel of y looks at, zero left of the image, each (B, inputs); append moves it on."""
        taps = self.size + (not self.strict)
        return deque([self.taps.weight.new_zeros(batch_size, self.inputs)] * taps, maxlen=taps)


@dataclass
class RowCache:
    """What a block remembers while an image is drawn.

    above: cache of each vertical convolution.
    left: cache of each horizontal convolution.
    across: what the vertical stack hands to the horizontal one in the present row, (B, outputs) for each column.
    """

    above: list[Tensor]
    left: list[deque[Tensor]]
    across: Sequence[Tensor]


def gate(x: Tensor) -> Tensor:
    """tanh(a) * sigmoid(b), where a and b are the halves of x."""
    a, b = x.chunk(2, -1)
    return torch.tanh(a) * torch.sigmoid(b)


def concat_elu(x: Tensor) -> Tensor:
    """elu(x) and elu(-x) side by side: twice as many features, and no sign is lost."""
    return F.elu(torch.cat([x, -x], -1))


class GatedBlock(nn.Module):
    """v' = v + V_2 g(V_1 * n(v)),  h' = h + H_2 g(H_1 * n(h) + C v'),  g(a, b) = tanh(a) sigmoid(b),  n a norm.

    Paper: van den Oord et al. 2016; norms and residual vertical stack are ours. size: s, half of the kernel.
    """

    def __init__(self, width: int, size: int, dropout: float) -> None:
        super().__init__()
        self.above_norm, self.left_norm = nn.LayerNorm(width), nn.LayerNorm(width)
        self.above, self.left = Above(width, 2 * width, size), Left(width, 2 * width, size)
        self.across = nn.Linear(width, 2 * width)
        self.above_out, self.left_out = nn.Linear(width, width, bias=False), nn.Linear(width, width, bias=False)
        self.dropout = Dropout(dropout)
        nn.init.zeros_(self.above_out.weight)
        nn.init.zeros_(self.left_out.weight)

    @property
    def reach(self) -> tuple[int, int, int]:
        """How far it looks: rows up; columns left within a stack; more columns left on the way from v to h."""
        return self.above.size, self.left.size, 0

    def forward(self, v: Tensor, h: Tensor) -> tuple[Tensor, Tensor]:
        v = v + self.above_out(self.dropout(gate(self.above(self.above_norm(v)))))
        b = self.left(self.left_norm(h)) + self.across(v)
        return v, h + self.left_out(self.dropout(gate(b)))

    def cache(self, batch_size: int, columns: int) -> RowCache:
        """The cache of `row` and `pixel`, for images of a number of columns."""
        return RowCache([self.above.cache(batch_size, columns)], [], [])

    def row(self, v: Tensor, cache: RowCache) -> Tensor:
        """The next row of the vertical stack, (B, 1, W, width) to the same."""
        self.above.push(self.above_norm(v), cache.above[0])
        v = v + self.above_out(gate(self.above.below(cache.above[0])))
        cache.across = self.across(v).squeeze(1).unbind(1)
        cache.left = [self.left.cache(len(v))]
        return v

    def pixel(self, h: Tensor, j: int, cache: RowCache) -> Tensor:
        """The pixel of the horizontal stack at column j of the present row, (B, width) to the same."""
        cache.left[0].append(self.left_norm(h))
        b = self.left.beside(cache.left[0], cache.across[j])
        return torch.addmm(h, gate(b), self.left_out.weight.t())


class ResidualBlock(nn.Module):
    """v' = v + g(V_2 * c(V_1 * c(v))),  h' = h + g(H_2 * c(H_1 * c(h) + C c(v'))),  g(a, b) = a sigmoid(b).

    c is the concatenated ELU. Paper: Salimans, Karpathy, Chen, Kingma, *PixelCNN++*, 2017, without its down- and
    upsampling. size: s, half of the kernel.
    """

    def __init__(self, width: int, size: int, dropout: float) -> None:
        super().__init__()
        self.above, self.left = Above(2 * width, width, size), Left(2 * width, width, size)
        self.across = nn.Linear(2 * width, width)
        self.above_out, self.left_out = Above(2 * width, 2 * width, size), Left(2 * width, 2 * width, size)
        self.left_bias = nn.Parameter(torch.zeros(2 * width))
        self.dropout = Dropout(dropout)
        nn.init.zeros_(self.above_out.conv.weight)
        nn.init.zeros_(self.left_out.taps.weight)

    @property
    def reach(self) -> tuple[int, int, int]:
        """How far it looks: rows up; columns left within a stack; more columns left on the way from v to h."""
        return 2 * self.above.size, 2 * self.left.size, self.left.size

    def forward(self, v: Tensor, h: Tensor) -> tuple[Tensor, Tensor]:
        v = v + F.glu(self.above_out(self.dropout(concat_elu(self.above(concat_elu(v))))))
        b = self.left(concat_elu(h)) + self.across(concat_elu(v))
        return v, h + F.glu(self.left_out(self.dropout(concat_elu(b))) + self.left_bias)

    def cache(self, batch_size: int, columns: int) -> RowCache:
        """The cache of `row` and `pixel`, for images of a number of columns."""
        return RowCache([conv.cache(batch_size, columns) for conv in (self.above, self.above_out)], [], [])

    def row(self, v: Tensor, cache: RowCache) -> Tensor:
        """The next row of the vertical stack, (B, 1, W, width) to the same."""
        self.above.push(concat_elu(v), cache.above[0])
        self.above_out.push(concat_elu(self.above.below(cache.above[0])), cache.above[1])
        v = v + F.glu(self.above_out.below(cache.above[1]))
        cache.across = self.across(concat_elu(v)).squeeze(1).unbind(1)
        cache.left = [conv.cache(len(v)) for conv in (self.left, self.left_out)]
        return v

    def pixel(self, h: Tensor, j: int, cache: RowCache) -> Tensor:
        """The pixel of the horizontal stack at column j of the present row, (B, width) to the same."""
        cache.left[0].append(concat_elu(h))
        b = self.left.beside(cache.left[0], cache.across[j])
        cache.left[1].append(concat_elu(b))
        return h + F.glu(self.left_out.beside(cache.left[1], self.left_bias))
