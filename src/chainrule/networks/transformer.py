"""The causal transformer: every element weighs all the elements before it."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from chainrule.errors import InputError
from chainrule.networks.base import AutoregressiveNetwork
from chainrule.networks.embedding import ElementEmbedding

__all__ = ["Transformer"]


def rotary_angles(length: int, size: int, base: float = 10_000.0) -> tuple[Tensor, Tensor]:
    """cos and sin of m * base^(-2i/size) for positions m and pairs i, each of shape (length, size / 2).

    Paper: Su et al., *RoFormer*, 2021.
    """
    frequency = base ** (-torch.arange(0, size, 2, dtype=torch.float64) / size)
    angle = torch.arange(length, dtype=torch.float64)[:, None] * frequency
    return angle.cos(), angle.sin()


def rotate(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Turn each pair (x_i, x_{i + size/2}) by its position's angle; x is (..., D, size)."""
    a, b = x.chunk(2, -1)
    return torch.cat([a * cos - b * sin, a * sin + b * cos], -1)


class Attention(nn.Module):
    """softmax(q k^T / sqrt(size)) v over the past and the present, with unit-norm q and k and rotary positions.

    Queries and keys are RMS-normalised (Henry et al., *Query-key normalization for transformers*, 2020), with a learned
    scale, so that logits stay bounded; the output projection starts at zero, so that a block starts as the identity.
    """

    cos: Tensor
    sin: Tensor

    def __init__(self, width: int, heads: int, length: int, dropout: float) -> None:
        super().__init__()
        self.heads, self.size, self.drop = heads, width // heads, dropout
        self.qkv = nn.Linear(width, 3 * width, bias=False)
        self.query_norm, self.key_norm = nn.RMSNorm(self.size), nn.RMSNorm(self.size)
        self.out = nn.Linear(width, width, bias=False)
        nn.init.zeros_(self.out.weight)
        cos, sin = rotary_angles(length, self.size)
        self.register_buffer("cos", cos.float(), persistent=False)
        self.register_buffer("sin", sin.float(), persistent=False)

    def project(self, x: Tensor, start: int) -> tuple[Tensor, Tensor, Tensor]:
        """Queries, keys and values of positions start, start + 1, ..., each (B, heads, D, size)."""
        q, k, v = self.qkv(x).view(*x.shape[:2], 3, self.heads, self.size).permute(2, 0, 3, 1, 4)
        here = slice(start, start + x.shape[1])
        cos, sin = self.cos[here].to(x.dtype), self.sin[here].to(x.dtype)
        return rotate(self.query_norm(q), cos, sin), rotate(self.key_norm(k), cos, sin), v

    def forward(self, x: Tensor) -> Tensor:
        q, k, v = self.project(x, 0)
        drop = self.drop if self.training else 0.0
        mixed = F.scaled_dot_product_attention(q, k, v, is_causal=True, dropout_p=drop)
        return self.out(mixed.transpose(1, 2).reshape(x.shape))

    def cache(self, batch_size: int, length: int) -> Tensor:
        """Room for the keys and values of every position, shape (2, B, heads, length, size)."""
        return self.out.weight.new_zeros(2, batch_size, self.heads, length, self.size)

    def step(self, x: Tensor, d: int, cache: Tensor) -> Tensor:
        """The attention's output at position d, shape (B, width); writes its key and value into the cache."""
        q, k, v = self.project(x.unsqueeze(1), d)
        cache[0, :, :, d], cache[1, :, :, d] = k.squeeze(2), v.squeeze(2)
        keys, values = cache[:, :, :, : d + 1]
        mixed = F.scaled_dot_product_attention(q, keys, values)
        return self.out(mixed.reshape(x.shape))


class FeedForward(nn.Module):
    """W_2 relu(W_1 x)^2 (So et al., *Primer*, 2021)."""

    def __init__(self, width: int, expansion: int, dropout: float) -> None:
        super().__init__()
        self.into = nn.Linear(width, expansion * width, bias=False)
        self.out = nn.Linear(expansion * width, width, bias=False)
        self.dropout = nn.Dropout(dropout)
        nn.init.zeros_(self.out.weight)

    def forward(self, x: Tensor) -> Tensor:
        return self.out(self.dropout(F.relu(self.into(x)).square()))


class TransformerBlock(nn.Module):
    """x + attention(norm(x)), then x + feed-forward(norm(x)) (pre-norm; Xiong et al. 2020)."""

    def __init__(self, width: int, heads: int, length: int, expansion: int, dropout: float) -> None:
        super().__init__()
        self.attention_norm, self.feed_forward_norm = nn.RMSNorm(width), nn.RMSNorm(width)
        self.attention = Attention(width, heads, length, dropout)
        self.feed_forward = FeedForward(width, expansion, dropout)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.dropout(self.attention(self.attention_norm(x)))
        return x + self.dropout(self.feed_forward(self.feed_forward_norm(x)))

    def step(self, x: Tensor, d: int, cache: Tensor) -> Tensor:
        """The block's output at position d, shape (B, width)."""
        x = x + self.dropout(self.attention.step(self.attention_norm(x), d, cache))
        return x + self.dropout(self.feed_forward(self.feed_forward_norm(x)))


@dataclass
class TransformerState:
    """The position, a key/value cache a block, and the embedding's background."""

    d: int
    batch_size: int
    caches: list[Tensor]
    background: Tensor


class Transformer(AutoregressiveNetwork):
    """A stack of causal attention blocks; h_d sees every element before it.

    num_symbols: V, None for reals. shape: the layout of the longest example; an image's rows and columns enter as
    learned coordinates, a plain sequence is told apart by its rotary positions. width: H. depth: blocks. heads:
    attention heads, a divisor of the width with an even quotient. expansion: of the feed-forward layer. dropout: on
    attention weights, hidden layers and residuals. ordinal: symbols are levels. num_classes, context_size: for
    conditional models.

    Paper: Vaswani et al., *Attention is all you need*, 2017.

    >>> net = Transformer(num_symbols=256, shape=32, width=16, depth=2, heads=2)
    >>> net(torch.zeros(2, 32, dtype=torch.long)).shape
    torch.Size([2, 32, 16])
    """

    def __init__(
        self,
        num_symbols: int | None,
        shape: int | tuple[int, ...],
        width: int = 128,
        depth: int = 4,
        heads: int = 4,
        *,
        expansion: int = 4,
        dropout: float = 0.0,
        ordinal: bool = False,
        num_classes: int | None = None,
        context_size: int | None = None,
    ) -> None:
        super().__init__(shape, width)
        if min(width, depth, heads, expansion) < 1:
            raise InputError(f"width, depth, heads, expansion start at 1, got {width}, {depth}, {heads}, {expansion}")
        if width % (2 * heads):
            raise InputError(f"rotary attention needs width / heads even, got {width} / {heads}; change one of them")
        self.embedding = ElementEmbedding(
            num_symbols,
            self.shape,
            width,
            ordinal=ordinal,
            positions=len(self.shape) > 1,
            num_classes=num_classes,
            context_size=context_size,
        )
        self.blocks = nn.ModuleList(
            TransformerBlock(width, heads, self.length, expansion, dropout) for _ in range(depth)
        )
        self.norm = nn.RMSNorm(width)

    def _fits(self, length: int) -> None:
        if length > self.length:
            raise InputError(
                f"the example has at least {length} elements, but the network was built for at most {self.length}; "
                "build it with a larger shape or cut the example into windows"
            )

    def layers(self, x: Tensor, context: Tensor | None = None) -> list[Tensor]:
        self._fits(x.shape[1])
        h = [self.embedding(x, context)]
        for block in self.blocks:
            h.append(block(h[-1]))
        return [*h[:-1], self.norm(h[-1])]

    def initial_state(self, batch_size: int, context: Tensor | None = None) -> TransformerState:
        caches = [block.attention.cache(batch_size, self.length) for block in self.blocks]  # type: ignore[union-attr, operator]
        return TransformerState(0, batch_size, caches, self.embedding.background(batch_size, context))

    def step(self, x_previous: Tensor | None, state: TransformerState) -> tuple[Tensor, TransformerState]:
        self._fits(state.d + 1)
        h = self.embedding.step(x_previous, state.d, state.background, state.batch_size)
        for block, cache in zip(self.blocks, state.caches, strict=True):
            h = block.step(h, state.d, cache)  # type: ignore[operator]
        state.d += 1
        return self.norm(h), state
