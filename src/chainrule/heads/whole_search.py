"""The first whole number that reaches something, by division of an interval: quantiles of numbers in steps."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

__all__ = ["first_reached"]

HALVINGS = 55  # of the whole numbers up to 2^53, which are all that a compiled search looks at
MOST_HALVINGS = 1100  # of all that float64 holds
FEW = 4096  # intervals of which each is divided by several questions at once, which then take as long as one


def first_reached(reached: Callable[[Tensor], Tensor], short: Tensor, enough: Tensor) -> Tensor:
    """The smallest whole number k in (short, enough] for which something holds, which holds for all after it.

    reached: whether it holds for numbers of the shape of the ends, with a dimension of several questions before it; it
        is taken to hold at the upper ends.
    short, enough: whole numbers as float64, of one shape. Beyond 2^53 neighbours are further apart than one; the search
        ends there between two that are neighbours.

    >>> first_reached(lambda k: k**2 > 50, torch.tensor([-1.0]), torch.tensor([1000.0]))
    tensor([8.])
    """
    compiled = torch.compiler.is_compiling()
    parts = 2 if compiled or short.numel() > FEW else 8  # intervals that one question divides into
    share = torch.arange(1, parts, dtype=short.dtype, device=short.device).view(-1, *[1] * short.ndim) / parts
    for _ in range(HALVINGS if compiled else MOST_HALVINGS):
        k = short + ((enough - short) * share).floor()
        between = (short < k) & (k < enough)
        if not compiled and not bool(between.any()):
            break
        here = reached(k)
        enough = torch.minimum(enough, torch.where(between & here, k, torch.inf).amin(0))
        short = torch.maximum(short, torch.where(between & ~here & (k < enough), k, -torch.inf).amax(0))
    return enough
