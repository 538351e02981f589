"""What followed contexts of one length, and how often: rows of symbols and counts, one row for each context."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

__all__ = ["Followers", "Found", "find"]

TENSORS = ("offset", "symbol", "count", "discount")


@dataclass
class Found:
    """The rows of those of T contexts that are known.

    known: which contexts these are, shape (R,).
    owner: to which of them each follower belongs, shape (N,).
    symbol: the followers, shape (N,).
    count: how often each followed, shape (N,).
    """

    known: Tensor
    owner: Tensor
    symbol: Tensor
    count: Tensor

    def sum(self, values: Tensor) -> Tensor:
        """The sum of values of followers, (N,), over those of each known context, (R,)."""
        return values.new_zeros(len(self.known)).index_add_(0, self.owner, values)

    def amounts(self) -> tuple[Tensor, Tensor]:
        """How often each known context was seen, and by how many symbols it was followed, shape (R,) each."""
        return self.sum(self.count), self.sum((self.count > 0).to(self.count.dtype))

    def of(self, symbol: Tensor, contexts: int) -> Tensor:
        """How often a symbol followed each of all T contexts. symbol: one for each of them, shape (T,)."""
        own = torch.where(self.symbol == symbol[self.known][self.owner], self.count, 0)
        return own.new_zeros(contexts).index_copy_(0, self.known, self.sum(own))

    def without(self, symbol: Tensor, amount: Tensor) -> Found:
        """The rows with some of the counts of a symbol taken away. symbol, amount: for each of all contexts, (T,)."""
        here = self.symbol == symbol[self.known][self.owner]
        count = self.count - torch.where(here, amount[self.known][self.owner], 0)
        return Found(self.known, self.owner, self.symbol, count)


class Followers(nn.Module):
    """The symbols that followed each of C contexts.

    offset: where the row of each context begins, and the end of the last, shape (C + 1,).
    symbol: symbols of all rows, shape (N,).
    count: their counts, shape (N,).
    discount: D_1, D_2, D_3, what is subtracted from a count of one, of two, and of three or more, or one D for all.
    """

    offset: Tensor
    symbol: Tensor
    count: Tensor
    discount: Tensor
    running: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("offset", torch.zeros(0, dtype=torch.int64))
        self.register_buffer("symbol", torch.zeros(0, dtype=torch.int32))
        self.register_buffer("count", torch.zeros(0, dtype=torch.int32))
        self.register_buffer("discount", torch.tensor(0.5, dtype=torch.float64))
        self.register_buffer("running", torch.zeros(1, dtype=torch.int64), persistent=False)

    def load(self, offset: Tensor, symbol: Tensor, count: Tensor, discount: Tensor) -> None:
        """Take counts in place of those before."""
        for name, value in zip(TENSORS, (offset, symbol, count, discount), strict=True):
            before = self.get_buffer(name)
            self.register_buffer(name, value.to(before.device, before.dtype))
        self._add_up()

    def _add_up(self) -> None:
        running = torch.cat([self.count.new_zeros(1, dtype=torch.int64), self.count.cumsum(0)])
        self.register_buffer("running", running, persistent=False)

    def seen(self, node: Tensor, known: Tensor) -> Tensor:
        """How often each known context was seen, shape (T,); zero for the others."""
        if not len(self.offset):
            return torch.zeros_like(node)
        here = torch.where(known, node, 0)
        return torch.where(known, self.running[self.offset[here + 1]] - self.running[self.offset[here]], 0)

    def found(self, node: Tensor) -> Found:
        """The rows of contexts by their numbers, -1 where one is not known, shape (T,)."""
        known = (node >= 0).nonzero().squeeze(1)
        begin, end = self.offset[node[known]], self.offset[node[known] + 1]
        kinds = end - begin
        owner = torch.repeat_interleave(torch.arange(len(known), device=node.device), kinds)
        first = kinds.cumsum(0) - kinds
        place = torch.arange(len(owner), device=node.device) + (begin - first)[owner]
        return Found(known, owner, self.symbol[place].long(), self.count[place])

    def forward(self, found: Found, lower: Tensor) -> Tensor:
        """max(N(x) - D, 0) / N + sum D / N lower(x) for the contexts that are known, and `lower` for the others.

        found: their rows; those whose counts are all zero are not known.
        lower: distribution of every symbol, shape (T, V).
        """
        if not len(found.known):
            return lower
        count = found.count.to(lower.dtype)
        total = found.sum(count)
        taken = self._discount(found.count, lower.dtype)
        scale = torch.ones_like(lower[:, 0])
        scale[found.known] = torch.where(total > 0, found.sum(taken) / total.clamp(min=1), 1.0)
        added = (count - taken).clamp(min=0) / total.clamp(min=1)[found.owner]
        p = lower * scale.unsqueeze(1)
        p.view(-1).index_add_(0, found.known[found.owner] * lower.shape[1] + found.symbol, added)
        return p

    def _discount(self, count: Tensor, dtype: torch.dtype) -> Tensor:
        """What is subtracted from each count, shape (N,); nothing from zero."""
        steps = self.discount.expand(3) if self.discount.ndim == 0 else self.discount
        return torch.cat([steps.new_zeros(1), steps]).to(dtype)[count.clamp(0, 3).long()]

    def _load_from_state_dict(self, state_dict: Mapping[str, Any], prefix: str, *rest: Any) -> None:
        for name in TENSORS:
            if (saved := state_dict.get(prefix + name)) is not None:
                self.register_buffer(name, torch.zeros_like(saved, device=self.discount.device))
        super()._load_from_state_dict(state_dict, prefix, *rest)
        self._add_up()


def find(keys: Tensor, wanted: Tensor) -> Tensor:
    """The place of each wanted key among sorted ones, -1 where it is not.

    >>> find(torch.tensor([2, 5]), torch.tensor([5, 3]))
    tensor([ 1, -1])
    """
    if not len(keys):
        return torch.full_like(wanted, -1)
    place = torch.searchsorted(keys, wanted.contiguous()).clamp(max=len(keys) - 1)
    return torch.where(keys[place] == wanted, place, -1)
