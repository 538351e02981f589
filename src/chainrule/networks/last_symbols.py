"""The last few symbols before each element: in a pass over whole examples, and step by step."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

__all__ = ["LastSymbols"]


class LastSymbols:
    """The last symbols before each element, the nearest first; V stands where there is none.

    count: K, number of symbols.
    num_symbols: V.

    >>> LastSymbols(count=2, num_symbols=5).of(torch.tensor([[3, 1, 4]]))[0]
    tensor([[5, 5],
            [3, 5],
            [1, 3]])
    """

    def __init__(self, count: int, num_symbols: int) -> None:
        self.count, self.num_symbols = count, num_symbols

    def of(self, x: Tensor, segment_ids: Tensor | None = None) -> Tensor:
        """Those of elements (B, D), shape (B, D, K); segment_ids: of packed rows, which hold several examples."""
        padded = F.pad(x.long(), (self.count, 0), value=self.num_symbols)
        before = padded.unfold(1, self.count + 1, 1)[..., :-1].flip(-1).contiguous()
        if segment_ids is not None:
            for k in range(1, min(self.count + 1, x.shape[1])):
                other = segment_ids[:, k:] != segment_ids[:, :-k]
                before[:, k:, k - 1] = torch.where(other, self.num_symbols, before[:, k:, k - 1])
        return before

    def none(self, batch_size: int, device: torch.device) -> Tensor:
        """Those of the first elements, shape (B, K)."""
        return torch.full((batch_size, self.count), self.num_symbols, device=device)

    def after(self, x_previous: Tensor | None, before: Tensor) -> Tensor:
        """Those of the next elements. x_previous: the elements after `before`, None for the first."""
        if x_previous is None:
            return before
        return torch.cat([x_previous.long().unsqueeze(1), before], 1)[:, : self.count]
