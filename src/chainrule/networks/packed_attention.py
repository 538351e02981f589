"""Attention inside each example of a packed row: what may see what, as a mask or as blocks.

On a CPU the mask is a tensor of booleans. On a GPU `flex_attention` skips the blocks that nothing may see, so that a
long row of short examples costs what the examples cost.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F
from torch.nn.attention.flex_attention import BlockMask, create_block_mask, flex_attention

__all__ = ["Packing"]


class Packing:
    """The position of each element of packed rows in its own example, and the elements that it may attend to.

    segment_ids: number of each element's example, below zero for padding, shape (B, D).
    position: position in the example, from 0, shape (B, 1, D).

    >>> Packing(torch.tensor([[7, 7, 7, 2, 2]])).position.tolist()
    [[[0, 1, 2, 0, 1]]]
    """

    def __init__(self, segment_ids: Tensor) -> None:
        self.segment_ids = segment_ids
        place = torch.arange(segment_ids.shape[1], device=segment_ids.device)
        starts = torch.ones_like(segment_ids, dtype=torch.bool)
        starts[:, 1:] = segment_ids[:, 1:] != segment_ids[:, :-1]
        position = torch.where(segment_ids < 0, 0, place - torch.where(starts, place, 0).cummax(1).values)
        self.position = position.unsqueeze(1)
        self._seen: dict[int | None, Tensor] = {}
        self._blocks: dict[int | None, BlockMask] = {}

    def seen(self, window: int | None) -> Tensor:
        """True where the row's element i sees its element j: j <= i < j + window of one example, (B, 1, D, D)."""
        if window not in self._seen:
            place = torch.arange(self.segment_ids.shape[1], device=self.segment_ids.device)
            ago = place.unsqueeze(1) - place
            band = ago >= 0 if window is None else (ago >= 0) & (ago < window)
            same = self.segment_ids.unsqueeze(1) == self.segment_ids.unsqueeze(2)
            self._seen[window] = (same & band).unsqueeze(1)
        return self._seen[window]

    def blocks(self, window: int | None) -> BlockMask:
        """The same as blocks for `flex_attention`, computed once for all layers of one window."""
        if window not in self._blocks:
            segment_ids, reach = self.segment_ids, self.segment_ids.shape[1] if window is None else window

            def sees(b: Tensor, h: Tensor, i: Tensor, j: Tensor) -> Tensor:
                return (segment_ids[b, i] == segment_ids[b, j]) & (j <= i) & (i - j < reach)

            rows, length = segment_ids.shape
            self._blocks[window] = create_block_mask(sees, rows, None, length, length, device=str(segment_ids.device))
        return self._blocks[window]

    def attention(self, q: Tensor, k: Tensor, v: Tensor, window: int | None) -> Tensor:
        """softmax(q k^T / sqrt(size)) v within each example, shape (B, heads, D, size)."""
        grouped = k.shape[1] < q.shape[1]
        if q.is_cuda:
            mixed: Tensor = _compiled()(q, k, v, block_mask=self.blocks(window), enable_gqa=grouped)
            return mixed
        return F.scaled_dot_product_attention(q, k, v, self.seen(window), enable_gqa=grouped)


@cache
def _compiled() -> Any:
    return torch.compile(flex_attention)
