"""Causal 1-d convolutions: dilated, gated and residual, or plain."""

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


class Taps(nn.Module):
    """The k values z_{d - k * dilation} that a causal convolution looks at, side by side: (..., k * width).

    A causal convolution is a linear map of its taps; written so, the parallel pass and the step share one product and
    one weight, which the step reads once, from its beginning to its end.
    """

    back: Tensor

    def __init__(self, kernel_size: int, dilation: int) -> None:
        super().__init__()
        self.offsets = [k * dilation for k in reversed(range(kernel_size))]
        self.register_buffer("back", torch.tensor(self.offsets), persistent=False)

    @property
    def reach(self) -> int:
        """How many positions back the farthest tap lies."""
        return self.offsets[0]

    def forward(self, z: Tensor) -> Tensor:
        padded = F.pad(z, (0, 0, self.reach, 0))
        length = z.shape[1]
        return torch.cat([padded[:, self.reach - back : self.reach - back + length] for back in self.offsets], -1)

    def step(self, z: Tensor, position: Tensor, ring: Tensor) -> Tensor:
        """The taps at a position, an integer of shape (1,), of shape (B, k * width); writes z into the ring in place.

        ring: the last values, shape (reach + 1, B, width); zeros are the padding.
        """
        ring.index_copy_(0, position % len(ring), z.unsqueeze(0))
        return ring.index_select(0, (position - self.back) % len(ring)).transpose(0, 1).flatten(1)


class GatedBlock(nn.Module):
    """z = norm(x);  y = x + W_out [ tanh(a) * sigmoid(b) ],  (a, b) = sum_k W_k z_{d - k * dilation}.

    The gate is that of WaveNet (van den Oord et al. 2016).
    """

    def __init__(self, width: int, kernel_size: int, dilation: int, dropout: float) -> None:
        super().__init__()
        self.past = Taps(kernel_size, dilation)
        self.norm = nn.LayerNorm(width, bias=False)
        self.taps = nn.Linear(kernel_size * width, 2 * width)
        self.out = nn.Linear(width, width)
        self.dropout = Dropout(dropout)
        nn.init.zeros_(self.out.weight)
        nn.init.zeros_(self.out.bias)

    def update(self, x: Tensor, taps: Tensor) -> Tensor:
        """The block's output from its input and the taps of its normed input."""
        a, b = self.taps(taps).chunk(2, -1)
        return x + self.out(self.dropout(torch.tanh(a) * torch.sigmoid(b)))

    def forward(self, x: Tensor) -> Tensor:
        return self.update(x, self.past(self.norm(x)))

    def step(self, x: Tensor, position: Tensor, ring: Tensor) -> Tensor:
        """The block's output at a position, shape (B, width)."""
        return self.update(x, self.past.step(self.norm(x), position, ring))


class PlainBlock(nn.Module):
    """y = leaky_relu(sum_k W_k x_{d - k * dilation}): a convolution and its activation, nothing else."""

    def __init__(self, width: int, kernel_size: int, dilation: int, dropout: float) -> None:
        super().__init__()
        self.past = Taps(kernel_size, dilation)
        self.taps = nn.Linear(kernel_size * width, width)
        self.dropout = Dropout(dropout)

    def update(self, taps: Tensor) -> Tensor:
        """The block's output from the taps of its input."""
        return self.dropout(F.leaky_relu(self.taps(taps)))

    def forward(self, x: Tensor) -> Tensor:
        return self.update(self.past(x))

    def step(self, x: Tensor, position: Tensor, ring: Tensor) -> Tensor:
        """The block's output at a position, shape (B, width)."""
        return self.update(self.past.step(x, position, ring))


@dataclass
class CausalConvState:
    """The position, a ring of what the taps of each block look at, and the embedding's background."""

    position: Tensor
    caches: list[Tensor]
    background: Tensor


class CausalConv(AutoregressiveNetwork):
    """A stack of causal convolutions over the elements in their order, by default gated and residual.

    h_d sees the `receptive_field` elements before it: 1 + sum over blocks of (kernel_size - 1) * dilation. For images,
    dilations that alternate 1 and the row's length let a tap look at the pixel above.

    num_symbols: V, number of symbols; None for real numbers.
    shape: layout of an example in elements.
    width: H, size of the features.
    depth: number of blocks.
    kernel_size: number of taps per block.
    dilations: dilation of each block, repeated as needed; by default 1, 2, 4, ... up to the length.
    gated: whether blocks are gated and residual; otherwise each is a convolution and a leaky rectifier, without a
        norm at the end.
    ordinal: whether symbols are levels, so that their value is read as well.
    num_classes: number of classes of the context, for p(x | c).
    context_size: size of the vectors of the context, for p(x | c).

    Paper: van den Oord et al., *WaveNet: a generative model for raw audio*, 2016. Warns when the receptive field does
    not cover the example.

    >>> net = CausalConv(num_symbols=17, shape=(8, 8), width=16, depth=6)
    >>> net(torch.zeros(2, 64, dtype=torch.long)).shape, net.receptive_field
    (torch.Size([2, 64, 16]), 127)
    """

    takes_levels = takes_context = True
    can_compile = True

    def __init__(
        self,
        num_symbols: int | None,
        shape: int | tuple[int, ...],
        width: int = 128,
        depth: int = 6,
        *,
        kernel_size: int = 3,
        dilations: Sequence[int] | None = None,
        gated: bool = True,
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
        block = GatedBlock if gated else PlainBlock
        self.blocks: Sequence[GatedBlock | PlainBlock] = nn.ModuleList(  # type: ignore[assignment]
            block(width, kernel_size, dilation, dropout) for dilation in dilations
        )
        self.norm = nn.LayerNorm(width, bias=False) if gated else nn.Identity()
        if self.receptive_field < self.length - 1:
            warnings.warn(
                f"the receptive field covers {self.receptive_field} of the {self.length - 1} elements before the last; "
                "for the whole past take more blocks, a larger kernel_size or larger dilations",
                stacklevel=2,
            )

    @property
    def receptive_field(self) -> int:
        return 1 + sum(block.past.reach for block in self.blocks)

    def layers(self, x: Tensor, context: Tensor | None = None) -> list[Tensor]:
        h = [self.embedding(x, context)]
        for block in self.blocks:
            h.append(block(h[-1]))
        return [*h[:-1], self.norm(h[-1])]

    def initial_state(self, batch_size: int, context: Tensor | None = None) -> CausalConvState:
        background = self.embedding.background(batch_size, context)
        caches = [background.new_zeros(block.past.reach + 1, batch_size, self.features) for block in self.blocks]
        return CausalConvState(torch.zeros(1, dtype=torch.long, device=background.device), caches, background)

    def step(self, x_previous: Tensor | None, state: CausalConvState) -> tuple[Tensor, CausalConvState]:
        h = self.advance(x_previous, state.position, state.background, state.caches)
        state.position += 1
        return h, state

    def advance(self, x_previous: Tensor | None, position: Tensor, background: Tensor, caches: list[Tensor]) -> Tensor:
        h = self.embedding.step(x_previous, position, background, caches[0].shape[1])
        for block, cache in zip(self.blocks, caches, strict=True):
            h = block.step(h, position, cache)
        return self.norm(h)
