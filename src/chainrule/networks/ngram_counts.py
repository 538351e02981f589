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
    seen: how often each context was seen, shape (R,).
    kinds: by how many symbols it was followed, shape (R,).
    block: the block of the text in which a follower always followed, -1 where there were several, shape (N,); empty
        where that is not known.
    """

    known: Tensor
    owner: Tensor
    symbol: Tensor
    count: Tensor
    seen: Tensor
    kinds: Tensor
    block: Tensor

    def own(self, symbol: Tensor) -> Tensor:
        """Which followers are the symbols themselves, one for each of all T contexts, shape (M,)."""
        wanted = symbol[self.known].to(self.symbol.dtype).index_select(0, self.owner)
        return (self.symbol == wanted).nonzero().squeeze(1)

    def of_own(self, own: Tensor, values: Tensor, usual: int, contexts: int) -> Tensor:
        """Values of those followers, (N,), for each of all T contexts; `usual` where the symbol did not follow."""
        return values.new_full((contexts,), usual).index_copy_(0, self.known[self.owner[own]], values[own])

    def without(self, own: Tensor, amount: Tensor, block: Tensor) -> Found:
        """The rows without what one block of the text, and the elements themselves, added to them.

        own: which followers are the elements.
        amount: what an element itself added to its count, for each of all T contexts, shape (T,).
        block: the block that is taken away from each of all T contexts, -1 for none, shape (T,).
        """
        taken = torch.zeros_like(self.count)
        taken[own] = amount[self.known[self.owner[own]]].to(taken.dtype)
        if len(self.block) == len(self.count):
            here = block[self.known].to(self.block.dtype).index_select(0, self.owner)
            taken = torch.where((self.block == here) & (here >= 0), self.count, taken)
        count = self.count - taken
        seen = self.seen.index_add(0, self.owner, -taken.to(self.seen.dtype))
        kinds = self.kinds.index_add(0, self.owner, -((count == 0) & (taken > 0)).to(self.kinds.dtype))
        return Found(self.known, self.owner, self.symbol, count, seen, kinds, self.block)

    def spread(self, values: Tensor, contexts: int) -> Tensor:
        """Values of the known contexts, (R,), among all T of them, zero for the others, shape (T,)."""
        return values.new_zeros(contexts).index_copy_(0, self.known, values)


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
    block: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("offset", torch.zeros(0, dtype=torch.int64))
        self.register_buffer("symbol", torch.zeros(0, dtype=torch.int32))
        self.register_buffer("count", torch.zeros(0, dtype=torch.int32))
        self.register_buffer("discount", torch.tensor(0.5, dtype=torch.float64))
        self.register_buffer("running", torch.zeros(1, dtype=torch.int64), persistent=False)
        self.register_buffer("block", torch.zeros(0, dtype=torch.int16), persistent=False)

    def load(
        self, offset: Tensor, symbol: Tensor, count: Tensor, discount: Tensor, block: Tensor | None = None
    ) -> None:
        """Take counts in place of those before.

        offset, symbol, count, discount: as above.
        block: the block of the text in which each symbol always followed, -1 where there were several, shape (N,).
        """
        empty = self.block.new_zeros(0)
        self.register_buffer("block", empty if block is None else block.to(empty), persistent=False)
        for name, value in zip(TENSORS, (offset, symbol, count, discount), strict=True):
            before = self.get_buffer(name)
            self.register_buffer(name, value.to(before.device, before.dtype))
        self._add_up()

    def _add_up(self) -> None:
        running = torch.cat([self.count.new_zeros(1, dtype=torch.int64), self.count.cumsum(0)])
        self.register_buffer("running", running, persistent=False)

    def found(self, node: Tensor) -> Found:
        """The rows of contexts by their numbers, -1 where one is not known, shape (T,)."""
        known = (node >= 0).nonzero().squeeze(1)
        begin, end = self.offset[node[known]], self.offset[node[known] + 1]
        kinds = end - begin
        owner = torch.repeat_interleave(torch.arange(len(known), device=node.device), kinds)
        place = torch.arange(len(owner), device=node.device)
        place += (begin - kinds.cumsum(0) + kinds).index_select(0, owner)
        symbol, count = self.symbol.index_select(0, place), self.count.index_select(0, place)
        block = self.block.index_select(0, place) if len(self.block) else self.block
        return Found(known, owner, symbol, count, self.running[end] - self.running[begin], kinds, block)

    def forward(self, found: Found, lower: Tensor, place: Tensor) -> Tensor:
        """max(N(x) - D, 0) / N + sum D / N lower(x) for the contexts that are known, and `lower` for the others.

        found: their rows; those whose counts are all zero are not known.
        lower: distribution over S places of symbols, shape (T, S).
        place: the place of each symbol, shape (V,).
        """
        if not len(found.known):
            return lower
        taken = self._discount(found.count, lower.dtype)
        total = found.seen.clamp(min=1).to(lower.dtype)
        spared = lower.new_zeros(len(total)).index_add_(0, found.owner, taken) / total
        scale = torch.ones_like(lower[:, 0]).index_copy_(0, found.known, torch.where(found.seen > 0, spared, 1.0))
        added = (found.count - taken).clamp_(min=0) * total.reciprocal().index_select(0, found.owner)
        p = lower * scale.unsqueeze(1)
        where = (found.known * lower.shape[1]).index_select(0, found.owner) + place.index_select(0, found.symbol)
        p.view(-1).index_add_(0, where, added)
        return p

    def _discount(self, count: Tensor, dtype: torch.dtype) -> Tensor:
        """What is subtracted from each count, shape (N,); nothing from zero."""
        steps = self.discount.expand(3) if self.discount.ndim == 0 else self.discount
        return torch.cat([steps.new_zeros(1), steps]).to(dtype).index_select(0, count.clamp(max=3))

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
