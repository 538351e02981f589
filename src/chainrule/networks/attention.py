"""Causal attention: rotary positions, normed queries and keys, grouped queries, sliding windows, packed rows."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from chainrule.errors import InputError
from chainrule.networks.kv_cache import reserved
from chainrule.networks.packed_attention import Packing

__all__ = ["Attention"]


def rotary_angles(length: int, size: int, base: float = 10_000.0) -> tuple[Tensor, Tensor]:
    """What the two halves of a vector are multiplied with: (cos, cos) and (-sin, sin), each of shape (length, size).

    The angles are m * base^(-2i/size) for positions m and pairs i. Paper: Su et al., *RoFormer*, 2021.
    """
    frequency = base ** (-torch.arange(0, size, 2, dtype=torch.float64) / size)
    angle = torch.arange(length, dtype=torch.float64)[:, None] * frequency
    return torch.cat([angle.cos(), angle.cos()], 1), torch.cat([-angle.sin(), angle.sin()], 1)


def rotate(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Turn each pair (x_i, x_{i + size/2}) by its position's angle; x is (..., D, size)."""
    a, b = x.chunk(2, -1)  # `roll` would do the same, slower in a long row and element by element where compiled
    if not torch.is_grad_enabled() and x.shape[-2] > 1 and not torch.compiler.is_compiling():
        turned = x * cos  # in half of the time: nothing is put together, nothing is allocated twice
        for half, other, factor in zip(turned.chunk(2, -1), (b, a), sin.chunk(2, -1), strict=True):
            half.addcmul_(other, factor)
        return turned
    return torch.addcmul(x * cos, torch.cat([b, a], -1), sin)


class Attention(nn.Module):
    """softmax(q k^T / sqrt(size)) v over the past and the present.

    Queries and keys are normalised with a learned scale, so that logits stay bounded (Dehghani et al., *Scaling vision
    transformers to 22 billion parameters*, 2023), and turned by their position. The output projection starts at zero,
    so that a block starts as the identity.

    width: size of the vectors.
    heads: number of heads of the queries.
    groups: number of heads of the keys and values, each shared by heads / groups queries (Ainslie et al., *GQA*, 2023).
    length: most positions that there may be.
    window: number of positions that an element sees, its own included; None for all of the past (Child et al.,
        *Generating long sequences with sparse transformers*, 2019).
    """

    cos: Tensor
    sin: Tensor

    def __init__(self, width: int, heads: int, groups: int, length: int, window: int | None) -> None:
        super().__init__()
        if width % (2 * heads):
            raise InputError(f"rotary attention needs width / heads even, got {width} / {heads}; change one of them")
        if groups < 1 or heads % groups:
            raise InputError(f"queries are grouped evenly, got {heads} heads in {groups} groups; take a divisor")
        if window is not None and window < 1:
            raise InputError(f"a window holds at least the present position, got {window}")
        self.heads, self.groups, self.size = heads, groups, width // heads
        self.window = None if window is None or window >= length else window
        self.length = length
        self.qkv = nn.Linear(width, (heads + 2 * groups) * self.size, bias=False)
        self.scale = nn.Parameter(torch.ones(self.size))
        self.out = nn.Linear(width, width, bias=False)
        nn.init.zeros_(self.out.weight)
        cos, sin = rotary_angles(length, self.size)
        self.register_buffer("cos", cos.float(), persistent=False)
        self.register_buffer("sin", sin.float(), persistent=False)

    def project(
        self, x: Tensor, values: Tensor | None, position: slice | Tensor, first: int = 0
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Queries (B, heads, D, size), keys and values (B, groups, D, size) of positions, a slice or (B, 1, D).

        x: inputs, shape (B, D, width).
        values: vectors that are added to the values, shape (B, D, groups * size); None for none.
        position: positions of the elements, a slice or shape (B, 1, D).
        first: number of the first element that has a query.
        """
        qkv = self.qkv(x).view(*x.shape[:2], -1, self.size).transpose(1, 2)
        qk, v = qkv[:, : -self.groups], qkv[:, -self.groups :]
        if values is not None:
            v = v + values.reshape(*x.shape[:2], -1, self.size).transpose(1, 2)
        if first:
            q, k = qk[:, : self.heads, first:], qk[:, self.heads :]
            return self.turned(q, slice(first, x.shape[1])), self.turned(k, position), v
        qk = self.turned(qk, position)
        return qk[:, : self.heads], qk[:, self.heads :], v

    def turned(self, qk: Tensor, position: slice | Tensor) -> Tensor:
        """Queries and keys normalised and turned by their positions."""
        qk = F.layer_norm(qk, (self.size,), self.scale)
        return rotate(qk, self.cos[position].to(qk.dtype), self.sin[position].to(qk.dtype))

    def forward(
        self, x: Tensor, values: Tensor | None = None, packing: Packing | None = None, first: int = 0
    ) -> Tensor:
        """The outputs of the elements from `first` on, shape (B, D - first, width)."""
        q, k, v = self.project(x, values, slice(x.shape[1]) if packing is None else packing.position, first)
        if packing is not None:
            mixed = packing.attention(q, k, v, self.window)
        else:
            band = None if self.window is None and not first else self.band(x.shape[1])[first:]
            grouped = self.groups < self.heads
            mixed = F.scaled_dot_product_attention(q, k, v, band, is_causal=band is None, enable_gqa=grouped)
        return self.out(mixed.transpose(1, 2).flatten(2))

    def band(self, length: int) -> Tensor:
        """True where element i sees element j of the window that ends with it, shape (D, D)."""
        place = torch.arange(length, device=self.cos.device)
        ago = place.unsqueeze(1) - place
        return (ago >= 0) & (ago < (self.window or length))

    def cache(self, batch_size: int, places: int) -> list[Tensor]:
        """Caches of keys and values, each (B, groups, room, size), with room for at first `ROOM` of all places."""
        shape = (batch_size, self.groups, places, self.size)
        return [reserved(self.out.weight, shape, 2, 0.0) for _ in range(2)]

    def step(
        self, x: Tensor, plus: Tensor | None, position: Tensor, keys: Tensor, values: Tensor, unseen: Tensor
    ) -> Tensor:
        """The attention's output at a position, shape (B, width); writes its key and value into the cache.

        x: inputs, shape (B, width).
        plus: vector that is added to the value, shape (B, groups * size); None for none.
        position: number of the position, an integer of shape (1,).
        keys: cache of the keys, shape (B, groups, room, size).
        values: cache of the values, of the same shape.
        unseen: -inf for the places of the cache that are empty, 0 for the others, shape (room,).

        With one query per head two batched products are twice as fast as `scaled_dot_product_attention`, which is made
        for many.
        """
        qkv = self.qkv(x).view(len(x), -1, 1, self.size)
        qk, v = self.turned(qkv[:, : -self.groups], position), qkv[:, -self.groups :]
        place = position if self.window is None else position % self.window
        keys.index_copy_(2, place, qk[:, self.heads :])
        values.index_copy_(2, place, v if plus is None else v + plus.view(v.shape))
        q = qk[:, : self.heads].reshape(len(x) * self.groups, -1, self.size)
        score = torch.baddbmm(unseen, q, keys.flatten(0, 1).transpose(1, 2), alpha=self.size**-0.5)
        mixed = torch.bmm(score.softmax(-1), values.flatten(0, 1))
        return self.out(mixed.view(len(x), -1))
