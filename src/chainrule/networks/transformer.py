"""The causal transformer: every element weighs the elements before it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from chainrule.errors import InputError
from chainrule.networks.attention import Attention
from chainrule.networks.base import AutoregressiveNetwork
from chainrule.networks.dropout import Dropout
from chainrule.networks.embedding import ElementEmbedding
from chainrule.networks.kv_cache import lengthened, longest, reserved
from chainrule.networks.ngrams import LONGEST, NgramEmbedding
from chainrule.networks.packed_attention import Packing

__all__ = ["Transformer"]


HELD = 2**18  # features of the elements that are scored at once


class FeedForward(nn.Module):
    """W_2 relu(W_1 x)^2 (So et al., *Primer*, 2021)."""

    def __init__(self, width: int, expansion: int, dropout: float) -> None:
        super().__init__()
        self.into = nn.Linear(width, expansion * width, bias=False)
        self.out = nn.Linear(expansion * width, width, bias=False)
        self.dropout = Dropout(dropout)
        nn.init.zeros_(self.out.weight)

    def forward(self, x: Tensor) -> Tensor:
        hidden = F.relu(self.into(x))
        # in its own place where no gradient needs it: this is the widest tensor
        squared = hidden.square() if torch.is_grad_enabled() else hidden.mul_(hidden)
        return self.out(self.dropout(squared))


class TransformerBlock(nn.Module):
    """x + attention(norm(x)), then x + feed-forward(norm(x)) (pre-norm; Xiong et al. 2020)."""

    def __init__(self, width: int, attention: Attention, expansion: int, dropout: float) -> None:
        super().__init__()
        self.attention_norm, self.feed_forward_norm = nn.LayerNorm(width, bias=False), nn.LayerNorm(width, bias=False)
        self.attention = attention
        self.feed_forward = FeedForward(width, expansion, dropout)
        self.dropout = Dropout(dropout)
        self.value_weight = nn.Parameter(torch.zeros(attention.groups * attention.size))

    def _values(self, values: Tensor | None) -> Tensor | None:
        return None if values is None else values * self.value_weight

    def forward(
        self, x: Tensor, values: Tensor | None = None, packing: Packing | None = None, first: int = 0
    ) -> Tensor:
        """The block's output of the elements from `first` on, shape (B, D - first, width)."""
        mixed = self.attention(self.attention_norm(x), self._values(values), packing, first)
        x = (x[:, first:] if first else x) + self.dropout(mixed)
        return x + self.dropout(self.feed_forward(self.feed_forward_norm(x)))

    def step(
        self, x: Tensor, values: Tensor | None, position: Tensor, cache: Sequence[Tensor], unseen: Tensor
    ) -> Tensor:
        """The block's output at a position, shape (B, width)."""
        keys, past = cache
        x = x + self.attention.step(self.attention_norm(x), self._values(values), position, keys, past, unseen)
        return x + self.feed_forward(self.feed_forward_norm(x))


@dataclass
class TransformerState:
    """The position, what the blocks and the n-grams remember, and the embedding's background.

    caches: -inf for the places that are empty yet and 0 for the others; the keys and the values of each block; the last
        symbols, where there are n-grams.
    """

    position: Tensor
    caches: list[Tensor]
    background: Tensor


class Transformer(AutoregressiveNetwork):
    """A stack of causal attention blocks.

    An image's rows and columns enter as learned coordinates, a row of a table by a learned vector for each column, a
    plain sequence by its rotary positions alone.

    num_symbols: V, number of symbols; None for real numbers.
    shape: layout of the longest example in elements.
    width: H, size of the features.
    depth: number of blocks.
    heads: number of attention heads, a divisor of the width with an even quotient.
    groups: number of heads of keys and values, by default as many.
    window: number of positions that a block sees; the receptive field is 1 + depth * (window - 1), 3 + ... with
        n-grams.
    value_embeddings: whether there is a second table of the symbols, added to the values of every block with learned
        weights (Zhou et al., *Value residual learning*, 2024, for the idea).
    ngrams: number of rows of a table of the last two and three symbols together, see `NgramEmbedding`; 0 for none.
    positions: whether every place of the shape has learned coordinates; by default images do.
    expansion: factor by which the feed-forward layer is wider.
    dropout: probability with which a feature of hidden layers and residuals is dropped; on attention weights it would
        keep attention from its fused kernel.
    ordinal: whether symbols are levels, so that their value is read as well.
    num_classes: number of classes of the context, for p(x | c).
    context_size: size of the vectors of the context, for p(x | c).

    Paper: Vaswani et al., *Attention is all you need*, 2017.

    >>> net = Transformer(num_symbols=256, shape=32, width=16, depth=2, heads=2)
    >>> net(torch.zeros(2, 32, dtype=torch.long)).shape
    torch.Size([2, 32, 16])
    """

    takes_levels = takes_context = True
    can_compile = skips_given = True

    def __init__(
        self,
        num_symbols: int | None,
        shape: int | tuple[int, ...],
        width: int = 128,
        depth: int = 4,
        heads: int = 4,
        *,
        groups: int | None = None,
        window: int | None = None,
        value_embeddings: bool = False,
        ngrams: int = 0,
        positions: bool | None = None,
        expansion: int = 4,
        dropout: float = 0.0,
        ordinal: bool = False,
        num_classes: int | None = None,
        context_size: int | None = None,
    ) -> None:
        super().__init__(shape, width)
        if min(width, depth, heads, expansion) < 1:
            raise InputError(f"width, depth, heads, expansion start at 1, got {width}, {depth}, {heads}, {expansion}")
        if value_embeddings and num_symbols is None:
            raise InputError("value embeddings are a table of symbols, these elements are real; leave them out")
        self.window, self.depth = window, depth
        self.embedding = ElementEmbedding(
            num_symbols,
            self.shape,
            width,
            ordinal=ordinal,
            positions=len(self.shape) > 1 if positions is None else positions,
            num_classes=num_classes,
            context_size=context_size,
        )
        attention = [Attention(width, heads, groups or heads, self.length, window) for _ in range(depth)]
        self.blocks: Sequence[TransformerBlock] = nn.ModuleList(  # type: ignore[assignment]
            TransformerBlock(width, each, expansion, dropout) for each in attention
        )
        size = attention[0].groups * attention[0].size
        self.values = nn.Embedding(num_symbols or 0, size) if value_embeddings else None
        self.ngrams = NgramEmbedding(num_symbols, ngrams, width) if ngrams else None
        self.norm = nn.LayerNorm(width, bias=False)

    @property
    def receptive_field(self) -> int:
        everything = self.length - 1
        if self.window is None:
            return everything
        return min(everything, (LONGEST if self.ngrams else 1) + self.depth * (self.window - 1))

    @property
    def elements_at_once(self) -> int:
        """As many as leave the widest layer, of four features or more each, in 4 MB; products want a thousand rows."""
        return max(1024, HELD // self.features)

    def _fits(self, length: int) -> None:
        if length > self.length:
            raise InputError(
                f"the example has at least {length} elements, but the network was built for at most {self.length}; "
                "build it with a larger shape or cut the example into windows"
            )

    def layers(self, x: Tensor, context: Tensor | None = None) -> list[Tensor]:
        h, values = self._read(x, context)
        every = [h]
        for block in self.blocks:
            every.append(block(every[-1], values))
        return [*every[:-1], self.norm(every[-1])]

    def forward(self, x: Tensor, context: Tensor | None = None, first: int = 0) -> Tensor:
        """The features of the elements from `first` on; of those before, the last block needs keys and values only."""
        h, values = self._read(x, context)
        for block in self.blocks[:-1]:
            h = block(h, values)
        return self.norm(self.blocks[-1](h, values, None, first))

    def _read(self, x: Tensor, context: Tensor | None) -> tuple[Tensor, Tensor | None]:
        """What the first block reads, shape (B, D, width), and what is added to the values of every block."""
        self._fits(x.shape[1])
        h = self.embedding(x, context)
        if self.ngrams is not None:
            h = h + self.ngrams(x)
        return h, None if self.values is None else F.pad(self.values(x[:, :-1]), (0, 0, 1, 0))

    def packed(self, x: Tensor, segment_ids: Tensor) -> Tensor:
        if self.embedding.axes:
            raise InputError("packing is for sequences, this network has learned coordinates; train without it")
        packing = Packing(segment_ids)
        self._fits(int(packing.position.max()) + 1)
        starts = packing.position.squeeze(1).unsqueeze(-1) == 0
        h = torch.where(starts, self.embedding.start, self.embedding(x))
        if self.ngrams is not None:
            h = h + self.ngrams(x, packing.position.squeeze(1))
        values = None if self.values is None else F.pad(self.values(x[:, :-1]), (0, 0, 1, 0)).masked_fill(starts, 0.0)
        for block in self.blocks:
            h = block(h, values, packing)
        return self.norm(h)

    @property
    def reach(self) -> int:
        """How many positions a block sees at once, the present one included."""
        return min(self.window or self.length, self.length)

    def initial_state(self, batch_size: int, context: Tensor | None = None) -> TransformerState:
        places = longest(self.reach)
        caches = [reserved(self.norm.weight, (places,), 0, -torch.inf)]
        for block in self.blocks:
            caches += block.attention.cache(batch_size, places)
        if self.ngrams is not None:
            caches.append(self.ngrams.cache(batch_size))
        background = self.embedding.background(batch_size, context)
        return TransformerState(torch.zeros(1, dtype=torch.long, device=background.device), caches, background)

    def step(self, x_previous: Tensor | None, state: TransformerState) -> tuple[Tensor, TransformerState]:
        self.make_room(state)
        h = self.advance(x_previous, state.position, state.background, state.caches)
        state.position += 1
        return h, state

    def make_room(self, state: TransformerState) -> None:
        """Lengthen caches that are full, where they lie; new places are -inf in the first, zeros in the others."""
        d, room = int(state.position), len(state.caches[0])
        self._fits(d + 1)
        if d == room < self.reach:
            for number, dim in enumerate(self.growing_axes(state)):
                if dim is not None:
                    value = 0.0 if number else -torch.inf
                    state.caches[number] = lengthened(state.caches[number], dim, longest(self.reach), value)

    def growing_axes(self, state: TransformerState) -> list[int | None]:
        if len(state.caches[0]) >= self.reach:
            return [None] * len(state.caches)
        return [0, *[2] * (2 * self.depth), *[None] * (self.ngrams is not None)]

    def advance(self, x_previous: Tensor | None, position: Tensor, background: Tensor, caches: list[Tensor]) -> Tensor:
        unseen, *pasts = caches
        unseen.index_fill_(0, position % self.reach, 0.0)
        batch_size = pasts[0].shape[0]
        h = self.embedding.step(x_previous, position, background, batch_size)
        if self.ngrams is not None:
            h = h + self.ngrams.step(x_previous, position, pasts[-1])
        values = None
        if self.values is not None:
            empty = x_previous is None
            values = h.new_zeros(batch_size, self.values.embedding_dim) if empty else self.values(x_previous)
        for number, block in enumerate(self.blocks):
            h = block.step(h, values, position, pasts[2 * number : 2 * number + 2], unseen)
        return self.norm(h)
