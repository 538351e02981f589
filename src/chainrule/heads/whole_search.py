"""The first whole number that reaches something, by halving: quantiles of numbers that were recorded in steps."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

__all__ = ["first_reached"]

HALVINGS = 55  # of the whole numbers up to 2^53, which are all that a compiled search looks at
MOST_HALVINGS = 1100  # of all that float64 holds


def first_reached(reached: Callable[[Tensor], Tensor], short: Tensor, enough: Tensor) -> Tensor:
    """The smallest whole number k in (short, enough] for which something holds, which holds for all after it.

    reached: whether it holds for numbers, elementwise; it is taken to hold at the upper ends.
    short, enough: whole numbers as float64, of one shape. Beyond 2^53 neighbours are further apart than one; the search
        ends there between two that are neighbours.

    >>> first_reached(lambda k: k**2 > 50, torch.tensor([-1.0]), torch.tensor([1000.0]))
    tensor([8.])
    """
    compiled = torch.compiler.is_compiling()
    for _ in range(HALVINGS if compiled else MOST_HALVINGS):
        middle = short + ((enough - short) / 2).floor()
        between = (short < middle) & (middle < enough)
        if not compiled and not bool(between.any()):
            break
        here = reached(middle)
        enough = torch.where(between & here, middle, enough)
        short = torch.where(between & ~here, middle, short)
    return enough
