"""Causal convolutions by portable arithmetic: exact products of the taps, norms in fixed order, gates by a table."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from torch import Tensor

from chainrule.batch import Array
from chainrule.coding.exact_products import on_grid
from chainrule.coding.portable_elements import refuse_context
from chainrule.coding.portable_layers import ExactLinear, PortableEmbedding, PortableNorm, gate, gate_tanh
from chainrule.errors import InputError
from chainrule.networks.causal_conv import CausalConv, GatedBlock

__all__ = ["PortableCausalConv"]


@dataclass
class PortableConvState:
    """The position, the number of examples, and what the taps of each block look at, by the position's remainder.

    rings: shape (reach + 1, B, width) each; zeros are the padding.
    """

    d: int
    batch_size: int
    rings: list[Array]


class PortableBlock:
    """y = x + W_out [tanh(a) sigmoid(b)], see `GatedBlock`.

    block: the block in float32.
    """

    def __init__(self, block: GatedBlock) -> None:
        self.offsets, self.norm = block.past.offsets, PortableNorm(block.norm)
        bound = np.tile(self.norm.bound, len(self.offsets))
        self.taps = ExactLinear(block.taps.weight, block.taps.bias, bound)
        self.out = ExactLinear(block.out.weight, block.out.bias, np.ones(len(self.norm.bound)))

    def step(self, x: Array, d: int, ring: Array) -> Array:
        """The block's output at a position, shape (B, width); writes into the ring."""
        ring[d % len(ring)] = self.norm.of(x)
        taps = np.concatenate([ring[(d - back) % len(ring)] for back in self.offsets], 1)
        a, b = np.split(self.taps.of(taps), 2, 1)
        return np.asarray(x + self.out.of(on_grid(gate_tanh(a) * gate(b))))


class PortableCausalConv:
    """h_d of a gated `CausalConv`, a model of its own, see `ExactProduct`.

    network: the float32 network, without a context.
    """

    def __init__(self, network: CausalConv) -> None:
        refuse_context(network.embedding.context, network)
        if not all(isinstance(block, GatedBlock) for block in network.blocks):
            raise InputError("a CausalConv without gates has no portable form")
        self.embedding = PortableEmbedding(network.embedding)
        self.blocks = [PortableBlock(block) for block in network.blocks]  # type: ignore[arg-type]
        self.norm = PortableNorm(network.norm)  # type: ignore[arg-type]
        self.bound = self.norm.bound

    def begin(self, batch_size: int) -> PortableConvState:
        """The state before the first element."""
        width = len(self.bound)
        return PortableConvState(
            0, batch_size, [np.zeros((block.offsets[0] + 1, batch_size, width)) for block in self.blocks]
        )

    def next(self, x_previous: Tensor | None, state: PortableConvState) -> Array:
        """The features of the next element, multiples of 2^-16, shape (B, H); moves the state on.

        x_previous: the elements before it, None for the first.
        """
        h = self.embedding.of(state.d, x_previous, state.batch_size)
        for block, ring in zip(self.blocks, state.rings, strict=True):
            h = block.step(h, state.d, ring)
        state.d += 1
        return self.norm.of(h)
