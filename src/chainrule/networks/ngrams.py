"""Embeddings of the last few symbols together: what a table of bigrams and trigrams knows, at the cost of a look-up.

    e_d = sum over n = 2, 3 of T[ hash_n(x_{d-1}, ..., x_{d-n}) ]

All n-grams share one table; which row is theirs, a fixed hash says. An n-gram that would reach before the first element
of its example counts nothing. Paper for hashed n-grams: Svenstrup, Hansen, Winther, *Hash embeddings for efficient word
representations*, 2017.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from chainrule.errors import InputError

__all__ = ["LONGEST", "NgramEmbedding"]

LONGEST = 3
PRIMES = (1_000_003, 998_244_353, 754_974_721)


class NgramEmbedding(nn.Module):
    """From the symbols before each element to a vector; the table starts at zero.

    num_symbols: V, number of symbols.
    rows: number of rows of the table.
    width: size of its vectors.

    >>> ngrams = NgramEmbedding(num_symbols=5, rows=100, width=8)
    >>> ngrams(torch.tensor([[1, 2, 3, 4]])).shape
    torch.Size([1, 4, 8])
    """

    def __init__(self, num_symbols: int | None, rows: int, width: int) -> None:
        super().__init__()
        if num_symbols is None:
            raise InputError("n-grams are of symbols, these elements are real; leave them out")
        self.num_symbols, self.rows = num_symbols, rows
        self.table = nn.Embedding(rows, width)
        nn.init.zeros_(self.table.weight)

    def forward(self, x: Tensor, position: Tensor | None = None) -> Tensor:
        """The vectors of elements (B, D), shape (B, D, width); position: the place of each in its example, (B, D)."""
        length = x.shape[1]
        if position is None:
            position = torch.arange(length, device=x.device).expand_as(x)
        before = torch.stack([nn.functional.pad(x, (k, 0))[:, :length] for k in range(1, LONGEST + 1)], -1)
        return self.vectors(before, position)

    def vectors(self, before: Tensor, position: Tensor) -> Tensor:
        """From the last symbols, the nearest first, shape (..., 3), and the places of the elements, (...)."""
        total = self.table.weight.new_zeros(())
        key = before[..., 0] + 1
        for n in range(2, LONGEST + 1):
            key = key * (self.num_symbols + 1) + before[..., n - 1] + 1
            row = (key * PRIMES[n - 2] + n) % PRIMES[-1] % self.rows
            total = total + self.table(row) * (position >= n).unsqueeze(-1)
        return total

    def cache(self, batch_size: int) -> Tensor:
        """Room for the last symbols, shape (B, 3)."""
        return torch.zeros(batch_size, LONGEST, dtype=torch.long, device=self.table.weight.device)

    def step(self, x_previous: Tensor | None, position: Tensor, cache: Tensor) -> Tensor:
        """The vector at a position, an integer of shape (1,), of shape (B, width); moves the cache on in place."""
        if x_previous is not None:
            cache.copy_(torch.cat([x_previous.unsqueeze(1), cache[:, :-1]], 1))
        return self.vectors(cache, position)
