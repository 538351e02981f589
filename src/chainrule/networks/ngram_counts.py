"""What followed contexts of one length, and how often: rows of symbols and counts, one row for each context."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

__all__ = ["Followers", "find"]

TENSORS = ("offset", "symbol", "count", "discount")


class Followers(nn.Module):
    """The symbols that followed each of C contexts.

    offset: where the row of each context begins, and the end of the last, shape (C + 1,).
    symbol: symbols of all rows, shape (N,).
    count: their counts, shape (N,).
    discount: D, what is subtracted from each count, a scalar.
    """

    offset: Tensor
    symbol: Tensor
    count: Tensor
    discount: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("offset", torch.zeros(0, dtype=torch.int64))
        self.register_buffer("symbol", torch.zeros(0, dtype=torch.int32))
        self.register_buffer("count", torch.zeros(0, dtype=torch.int32))
        self.register_buffer("discount", torch.tensor(0.5, dtype=torch.float64))

    def load(self, offset: Tensor, symbol: Tensor, count: Tensor, discount: float) -> None:
        """Take counts in place of those before."""
        values = (offset, symbol, count, torch.tensor(discount))
        for name, value in zip(TENSORS, values, strict=True):
            before = self.get_buffer(name)
            self.register_buffer(name, value.to(before.device, before.dtype))

    def seen(self, node: Tensor, known: Tensor) -> Tensor:
        """How often each known context was seen, shape (T,); zero for the others."""
        if not len(self.offset):
            return torch.zeros_like(node)
        running = torch.cat([self.count.new_zeros(1, dtype=torch.int64), self.count.cumsum(0)])
        here = torch.where(known, node, 0)
        return torch.where(known, running[self.offset[here + 1]] - running[self.offset[here]], 0)

    def forward(self, node: Tensor, lower: Tensor) -> Tensor:
        """max(N(x) - D, 0) / N + D K / N lower(x) for the contexts that are known, and `lower` for the others.

        node: number of the context, -1 where it is not known, shape (T,).
        lower: distribution of every symbol, shape (T, V).
        """
        rows = (node >= 0).nonzero().squeeze(1)
        if not len(rows):
            return lower
        begin, end = self.offset[node[rows]], self.offset[node[rows] + 1]
        kinds = end - begin
        owner = torch.repeat_interleave(torch.arange(len(rows), device=rows.device), kinds)
        first = kinds.cumsum(0) - kinds
        place = torch.arange(len(owner), device=rows.device) + (begin - first)[owner]
        count = self.count[place].to(lower.dtype)
        discount = self.discount.to(lower.dtype)
        total = lower.new_zeros(len(rows)).index_add_(0, owner, count)
        scale = torch.ones_like(lower[:, 0])
        scale[rows] = discount * kinds / total
        p = lower * scale.unsqueeze(1)
        added = (count - discount).clamp(min=0) / total[owner]
        return p.index_put_((rows[owner], self.symbol[place].long()), added, accumulate=True)

    def _load_from_state_dict(self, state_dict: Mapping[str, Any], prefix: str, *rest: Any) -> None:
        for name in TENSORS[:-1]:
            if (saved := state_dict.get(prefix + name)) is not None:
                self.register_buffer(name, torch.zeros_like(saved, device=self.discount.device))
        super()._load_from_state_dict(state_dict, prefix, *rest)


def find(keys: Tensor, wanted: Tensor) -> Tensor:
    """The place of each wanted key among sorted ones, -1 where it is not.

    >>> find(torch.tensor([2, 5]), torch.tensor([5, 3]))
    tensor([ 1, -1])
    """
    if not len(keys):
        return torch.full_like(wanted, -1)
    place = torch.searchsorted(keys, wanted.contiguous()).clamp(max=len(keys) - 1)
    return torch.where(keys[place] == wanted, place, -1)
