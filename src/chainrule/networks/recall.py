"""What followed the last few symbols earlier in the same example: counts that are made while it is read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from chainrule.errors import InputError

__all__ = ["Earlier", "Recall"]

AT_ONCE = 1 << 22  # pairs of places that are compared at once


@dataclass
class Earlier:
    """Earlier places of the same example with the same context, of T elements.

    element: number of the element, 0 to T - 1, shape (P,).
    symbol: the symbol that followed at the earlier place, shape (P,).
    length: how many symbols the two contexts share, as far as that is looked at, shape (P,).
    """

    element: Tensor
    symbol: Tensor
    length: Tensor


class Recall(nn.Module):
    """q_n(x) = (C_n(x) + A_n q_{n-1}(x)) / (C_n + A_n):  counts after contexts of several lengths, the shortest first.

    C_n(x) is how often x followed the last n symbols earlier in the example, at most `reach` elements ago. A_n says how
    many such counts the shorter context is worth.

    lengths: the n, rising.
    num_symbols: V, which stands in contexts where there is no symbol.
    reach: how far back it looks, in elements.
    """

    def __init__(self, lengths: Sequence[int], num_symbols: int, reach: int) -> None:
        super().__init__()
        if not lengths or lengths[0] < 1 or sorted(set(lengths)) != list(lengths):
            raise InputError(f"lengths of contexts rise from 1 or more, got {list(lengths)}")
        self.lengths, self.num_symbols, self.reach = tuple(lengths), num_symbols, reach
        self.log_worth = nn.Parameter(torch.linspace(3.0, 0.5, len(lengths)))

    def earlier(self, x: Tensor, before: Tensor, segment_ids: Tensor | None = None) -> Earlier:
        """The earlier places of elements (B, D). before: the last symbols, at least the longest length, (B, D, K)."""
        code, length = self._code(before, 0, self.lengths[0]), x.shape[1]
        place = torch.arange(length, device=x.device)
        ago = place.unsqueeze(1) - place
        seen, pairs = (ago > 0) & (ago <= self.reach), []
        for first in range(0, len(x), some := max(1, AT_ONCE // length**2)):
            rows = slice(first, first + some)
            same = (code[rows].unsqueeze(2) == code[rows].unsqueeze(1)) & seen & (code[rows] >= 0).unsqueeze(2)
            if segment_ids is not None:
                same &= segment_ids[rows].unsqueeze(2) == segment_ids[rows].unsqueeze(1)
            b, d, j = same.nonzero(as_tuple=True)
            pairs.append(torch.stack([(b + first) * length + d, (b + first) * length + j]))
        here, there = torch.cat(pairs, 1)
        flat = before.flatten(0, 1)
        return Earlier(here, x.flatten()[there].long(), self._shared(flat, flat, here, there))

    def of_last(self, history: Tensor, past: Tensor, before: Tensor) -> Earlier:
        """The earlier places of the next elements. history: the last symbols, V where there is none, (B, reach + K).

        past: the same symbols' contexts, shape (B, reach, K). before: the contexts of the next elements, (B, K).
        """
        n = self.lengths[0]
        code = self._code(before, 0, n)
        same = (self._code(past, 0, n) == code.unsqueeze(1)) & (code >= 0).unsqueeze(1)
        same &= history != self.num_symbols
        b, j = same.nonzero(as_tuple=True)
        there = b * history.shape[1] + j
        return Earlier(b, history.flatten()[there], self._shared(before, past.flatten(0, 1), b, there))

    def _code(self, before: Tensor, first: int, end: int) -> Tensor:
        """One number for symbols of a context, from the nearest; -1 where one is missing."""
        code = torch.zeros_like(before[..., 0])
        for k in range(first, end):
            code = code * (self.num_symbols + 1) + before[..., k]
        return torch.where((before[..., first:end] == self.num_symbols).any(-1), -1, code)

    def _shared(self, ours: Tensor, theirs: Tensor, here: Tensor, there: Tensor) -> Tensor:
        """How many symbols two contexts share, as far as the lengths go."""
        shared = torch.full_like(here, self.lengths[0])
        for shorter, longer in zip(self.lengths[:-1], self.lengths[1:], strict=True):
            code, other = self._code(ours, shorter, longer), self._code(theirs, shorter, longer)
            same = (shared == shorter) & (code[here] == other[there]) & (code[here] >= 0)
            shared = torch.where(same, longer, shared)
        return shared

    def counts(self, earlier: Earlier, place: Tensor, shape: tuple[int, int]) -> list[Tensor]:
        """C_n over S places of symbols for each length, shape (T, S). place: of each symbol, shape (V,)."""
        counts = []
        for n in self.lengths:
            kept = earlier.length >= n
            where = earlier.element[kept] * shape[1] + place[earlier.symbol[kept]]
            counts.append(torch.bincount(where, minlength=shape[0] * shape[1]).view(shape).to(self.log_worth.dtype))
        return counts

    def forward(self, counts: Sequence[Tensor], q: Tensor, more: Tensor) -> Tensor:
        """The distribution with what is recalled. q: the one without, (T, S); more: added to ln A_n, (T, lengths)."""
        for n, count in enumerate(counts):
            worth = (self.log_worth[n] + more[:, n : n + 1]).exp()
            q = (count + worth * q) / (count.sum(1, keepdim=True) + worth)
        return q
