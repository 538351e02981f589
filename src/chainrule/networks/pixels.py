"""The pixel of an image: how its channels become one vector, and how one vector becomes features of its channels."""

from __future__ import annotations

from math import prod

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from chainrule.errors import InputError
from chainrule.networks.dropout import Dropout
from chainrule.networks.embedding import ElementEmbedding

__all__ = ["ChannelFeatures", "PixelEmbedding"]


class PixelEmbedding(nn.Module):
    """e_c(x_c) = A_c (E[x_c] + v(x_c) - E[x_0]) for each channel c of a pixel; the pixel's vector is their sum.

    E, v and the learned start E[x_0] are those of `ElementEmbedding`. The start stands outside the image, where
    convolutions read zeros: hence the difference. A has a matrix for each channel, and is left out for a single one.

    num_symbols: V, number of symbols; None for real numbers.
    shape: layout of the image, (H, W, C).
    ordinal: whether symbols are levels, so that their value is read as well.
    num_classes: number of classes of the context, for p(x | c).
    context_size: size of the vectors of the context, for p(x | c).
    """

    def __init__(
        self,
        num_symbols: int | None,
        shape: tuple[int, int, int],
        width: int,
        *,
        ordinal: bool = False,
        num_classes: int | None = None,
        context_size: int | None = None,
    ) -> None:
        super().__init__()
        self.shape = shape
        rows, columns, channels = shape
        self.element = ElementEmbedding(
            num_symbols,
            shape,
            width,
            ordinal=ordinal,
            positions=False,
            num_classes=num_classes,
            context_size=context_size,
        )
        self.row_table = nn.Parameter(torch.randn(rows, width) * 0.02)
        self.column_table = nn.Parameter(torch.randn(columns, width) * 0.02)
        self.mix = nn.Parameter(torch.randn(channels, width, width) / width**0.5) if channels > 1 else None

    def background(self, batch_size: int, context: Tensor | None) -> Tensor:
        """Coordinates and context, shape (1 or B, H, W, width)."""
        table = (self.row_table.unsqueeze(1) + self.column_table).unsqueeze(0)
        vector = self.element.context(context, batch_size)
        return table + (vector[:, None, None] if isinstance(vector, Tensor) else vector)

    def forward(self, x: Tensor) -> Tensor:
        """e_c(x_c) of every channel, shape (B, rows, W, C, width), from elements (B, D) that fill these rows.

        A last row that is not full is filled up with zeros, which are in the future and have no influence.
        """
        self.element.check(x)
        _, columns, channels = self.shape
        if x.shape[1] > prod(self.shape):
            raise InputError(
                f"examples have {x.shape[1]} elements, but the network was built for at most {prod(self.shape)}"
            )
        x = F.pad(x, (0, -x.shape[1] % (columns * channels)))
        vectors = self.element.elements(x, slice(0, x.shape[1])) - self.element.start
        vectors = vectors.unflatten(1, (-1, columns, channels))  # type: ignore[no-untyped-call]
        return vectors if self.mix is None else torch.einsum("...cv,cvw->...cw", vectors, self.mix)

    def step(self, x: Tensor, d: int) -> Tensor:
        """e_c(x) of element d, shape (B, width)."""
        vector = self.element.elements(x, d) - self.element.start
        return vector if self.mix is None else vector @ self.mix[d % self.shape[2]]


class ChannelFeatures(nn.Module):
    """f_c = u_c + F_2 gelu(F_1 n(u_c)),  u_c = f + b_c + A sum_{k<c} e_k(x_k): the chain inside a pixel.

    The features f of a pixel know the pixels before it; those of its channel c know its first c channels as well. n is
    a norm, e the pixel's embedding.
    """

    def __init__(self, channels: int, width: int, dropout: float) -> None:
        super().__init__()
        self.channel = nn.Parameter(torch.randn(channels, width) * 0.02)
        self.known = nn.Linear(width, width, bias=False)
        self.norm = nn.LayerNorm(width)
        self.into, self.out = nn.Linear(width, 2 * width), nn.Linear(2 * width, width)
        self.dropout = Dropout(dropout)
        nn.init.zeros_(self.out.weight)
        nn.init.zeros_(self.out.bias)

    def features(self, pixel: Tensor, known: Tensor, channel: Tensor) -> Tensor:
        """f_c from f, the sum of the known channels' vectors and b_c, all of shape (..., width)."""
        u = pixel + channel + self.known(known)
        return u + self.out(self.dropout(F.gelu(self.into(self.norm(u)))))

    def forward(self, pixel: Tensor, embedded: Tensor) -> Tensor:
        """The features of all channels, (..., C, width), from (..., width) and the channels' (..., C, width)."""
        known = F.pad(embedded[..., :-1, :], (0, 0, 1, 0)).cumsum(-2)
        return self.features(pixel.unsqueeze(-2), known, self.channel)

    def step(self, pixel: Tensor, known: Tensor, channel: int) -> Tensor:
        """The features of one channel, (B, width); known: the sum of the vectors of the channels before it."""
        return self.features(pixel, known, self.channel[channel])
