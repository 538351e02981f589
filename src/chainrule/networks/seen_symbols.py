"""Distributions over the symbols that occur in a text, and one share for all others."""

from __future__ import annotations

import torch
from torch import Tensor, nn

__all__ = ["SeenSymbols"]


class SeenSymbols(nn.Module):
    """The S symbols of V that were seen have a place each; all others share the last place, S, evenly.

    A text of bytes uses some sixty of 256 symbols: distributions over places take a quarter of the time.

    num_symbols: V.

    >>> symbols = SeenSymbols(5)
    >>> symbols.see(torch.tensor([1, 3]))
    >>> symbols.uniform(), symbols.expanded(symbols.uniform())
    (tensor([0.2000, 0.2000, 0.6000]), tensor([0.2000, 0.2000, 0.2000, 0.2000, 0.2000]))
    """

    place: Tensor
    share: Tensor

    def __init__(self, num_symbols: int) -> None:
        super().__init__()
        self.register_buffer("place", torch.zeros(num_symbols, dtype=torch.int64), persistent=False)
        self.register_buffer("share", torch.full((1,), 1 / num_symbols), persistent=False)

    def see(self, symbols: Tensor) -> None:
        """Take these symbols as those that were seen; each stands there once, shape (S,)."""
        total, seen = len(self.place), len(symbols)
        place = torch.full_like(self.place, seen)
        place[symbols.long()] = torch.arange(seen, device=place.device)
        self.register_buffer("place", place, persistent=False)
        share = self.share.new_ones(seen + 1)
        share[seen] = 1 / max(total - seen, 1)
        self.register_buffer("share", share, persistent=False)

    def uniform(self) -> Tensor:
        """The even distribution of all symbols, over the places, shape (S + 1,)."""
        return torch.bincount(self.place, minlength=len(self.share)).to(self.share) / len(self.place)

    def expanded(self, p: Tensor) -> Tensor:
        """The probability of every symbol from those of the places, (..., S + 1) to (..., V)."""
        return (p * self.share)[..., self.place]
