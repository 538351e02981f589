"""Causal 1-d convolutions: dilated, gated, residual."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from chainrule.errors import InputError
from chainrule.networks.base import AutoregressiveNetwork
from chainrule.networks.dropout import Dropout
from chainrule.networks.embedding import ElementEmbedding

__all__ = ["CausalConv"]


class CausalConvBlock(nn.Module):
    """z = norm(x);  y = x + W_out [ tanh(a) * sigmoid(b) ],  (a, b) = sum_k W_k z_{d - k * dilation}.

    A causal convolution is a linear map of its taps, the k values that it looks at; written so, the parallel pass and
    the step share one product and one weight. The gate is that of WaveNet (van den Oord et al. 2016).
    """

    back: Tensor

    def __init__(self, width: int, kernel_size: int, dilation: int, dropout: float) -> None:
        super().__init__()
        self.offsets = [k * dilation for k in reversed(range(kernel_size))]
        self.register_buffer("back", torch.tensor(self.offsets), persistent=False)
        self.norm = nn.LayerNorm(width, bias=False)
        self.taps = nn.Linear(kernel_size * width, 2 * width)
        self.out = nn.Linear(width, width)
        self.dropout = Dropout(dropout)
        nn.init.zeros_(self.out.weight)
        nn.init.zeros_(self.out.bias)

    @property
    def reach(self) -> int:
        """How many positions back the farthest tap lies."""
        return self.offsets[0]

    def update(self, x: Tensor, taps: Tensor) -> Tensor:
        """The block's output from its input and the taps of its normed input, (..., width) and (..., k * width)."""
        a, b = self.taps(taps).chunk(2, -1)
        return x + self.out(self.dropout(torch.tanh(a) * torch.sigmoid(b)))

    def forward(self, x: Tensor) -> Tensor:
        z = F.pad(self.norm(x), (0, 0, self.reach, 0))
        length = x.shape[1]
        taps = [z[:, self.reach - offset : self.reach - offset + length] for offset in self.offsets]
        return self.update(x, torch.cat(taps, -1))

    def cache(self, batch_size: int) -> Tensor:
        """A ring of the last normed inputs, shape (reach + 1, B, width); zeros are the padding."""
        return self.out.weight.new_zeros(self.reach + 1, batch_size, self.out.in_features)

    def step(self, x: Tensor, position: Tensor, cache: Tensor) -> Tensor:
        """The block's output at a position, an integer of shape (1,), of shape (B, width); writes the ring in place."""
        cache.index_copy_(0, position % len(cache), self.norm(x).unsqueeze(0))
        taps = cache.index_select(0, (position - self.back) % len(cache))
        return self.update(x, taps.transpose(0, 1).flatten(1))


@dataclass
class CausalConvState:
    """The position, a ring of normed inputs a block, and the embedding's background."""

    position: Tensor
    caches: list[Tensor]
    background: Tensor


class CausalConv(AutoregressiveNetwork):
    """A stack of gated residual causal convolutions over the elements in their order.

    h_d sees the `receptive_field` elements before it: 1 + sum over blocks of (kernel_size - 1) * dilation. For images,
    dilations that alternate 1 and the row's length let a tap look at the pixel above.

    num_symbols: V, None for reals. shape: the layout of an example. width: H. depth: blocks. kernel_size: taps a block.
    dilations: one a block, repeated as needed; by default 1, 2, 4, ... up to the length. ordinal: symbols are levels.
    num_classes, context_size: for conditional models.

    Paper: van den Oord et al., *WaveNet: a generative model for raw audio*, 2016. Warns when the receptive field does
    not cover the example.

    >>> net = CausalConv(num_symbols=17, shape=(8, 8), width=16, depth=6)
    >>> net(torch.zeros(2, 64, dtype=torch.long)).shape, net.receptive_field
    (torch.Size([2, 64, 16]), 127)
    """

    def __init__(
        self,
        num_symbols: int | None,
        shape: int | tuple[int, ...],
        width: int = 128,
        depth: int = 6,
        *,
        kernel_size: int = 3,
        dilations: Sequence[int] | None = None,
        dropout: float = 0.0,
        ordinal: bool = False,
        num_classes: int | None = None,
        context_size: int | None = None,
    ) -> None:
        super().__init__(shape, width)
        if min(width, depth, kernel_size) < 1:
            raise InputError(f"width, depth and kernel_size start at 1, got {width}, {depth}, {kernel_size}")
        if dilations is None:
            steps = max(1, (self.length - 1).bit_length())
            dilations = [2 ** (block % steps) for block in range(depth)]
        if not dilations or min(dilations) < 1:
            raise InputError(f"dilations are at least 1, got {list(dilations)}")
        dilations = [dilations[block % len(dilations)] for block in range(depth)]
        self.embedding = ElementEmbedding(
            num_symbols, self.shape, width, ordinal=ordinal, num_classes=num_classes, context_size=context_size
        )
        self.blocks = nn.ModuleList(CausalConvBlock(width, kernel_size, dilation, dropout) for dilation in dilations)
        self.norm = nn.LayerNorm(width, bias=False)
        if self.receptive_field < self.length - 1:
            warnings.warn(
                f"the receptive field covers {self.receptive_field} of the {self.length - 1} elements before the last; "
                "for the whole past take more blocks, a larger kernel_size or larger dilations",
                stacklevel=2,
            )

    @property
    def receptive_field(self) -> int:
        return 1 + sum(block.reach for block in self.blocks)  # type: ignore[misc]

    def layers(self, x: Tensor, context: Tensor | None = None) -> list[Tensor]:
        h = [self.embedding(x, context)]
        for block in self.blocks:
            h.append(block(h[-1]))
        return [*h[:-1], self.norm(h[-1])]

    def initial_state(self, batch_size: int, context: Tensor | None = None) -> CausalConvState:
        caches = [block.cache(batch_size) for block in self.blocks]  # type: ignore[operator]
        background = self.embedding.background(batch_size, context)
        return CausalConvState(torch.zeros(1, dtype=torch.long, device=background.device), caches, background)

    def step(self, x_previous: Tensor | None, state: CausalConvState) -> tuple[Tensor, CausalConvState]:
        h = self.advance(x_previous, state.position, state.background, state.caches)
        state.position += 1
        return h, state

    def advance(
        self, x_previous: Tensor | None, position: Tensor, background: Tensor, caches: list[Tensor], whole: bool = True
    ) -> Tensor:
        """The features at a position, an integer of shape (1,), so that one compiled graph serves every position."""
        h = self.embedding.step(x_previous, position, background, caches[0].shape[1])
        for block, cache in zip(self.blocks, caches, strict=True):
            h = block.step(h, position, cache)  # type: ignore[operator]
        return self.norm(h)
