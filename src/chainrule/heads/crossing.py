"""Where a rising function of real numbers crosses zero: quantiles of densities."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

__all__ = ["LAST_BIT", "crossing", "quantile_between"]

HALVINGS = 64  # of an interval of real numbers, to the last bit of a float64; all that a compiled search makes
MOST = 3 * HALVINGS
LAST_BIT = 2.0**-52  # of a number
LEAST_WIDTH = 2.0**-64  # of the first interval


def crossing(excess: Callable[[Tensor], Tensor], low: Tensor, high: Tensor, rounding: Tensor | float = 0.0) -> Tensor:
    """The x in [low, high] above which a rising function is positive and below which it is not.

    excess: the function, elementwise; it may be infinite, and constant in places.
    low, high: ends of the intervals, float64 and finite, of one shape; the function is taken to be positive at the
        upper ends and not to be so at the lower ones.
    rounding: what of the function may be rounding; where it is that near zero the search ends.

    Inverse quadratic interpolation where the last three points allow it, otherwise a halving, so that the interval
    that holds the crossing becomes smaller with every step. Each element ends by itself: what is found does not depend
    on the other elements.

    Paper: Chandrupatla, *A new hybrid quadratic/bisection algorithm for finding the zero of a nonlinear function
    without using derivatives*, 1997.

    >>> crossing(lambda x: x**3 - 8, torch.tensor([0.0, 1.0]).double(), torch.tensor([9.0, 1000.0]).double())
    tensor([2., 2.], dtype=torch.float64)
    """
    if torch.compiler.is_compiling():
        return _halved(excess, low, high)
    with torch.no_grad():  # the steps of the search have no gradient that means anything, and some are 0 / 0
        return _interpolated(excess, low, high, rounding)


def _interpolated(excess: Callable[[Tensor], Tensor], low: Tensor, high: Tensor, rounding: Tensor | float) -> Tensor:
    """The search of `crossing`."""
    least = LEAST_WIDTH * (high - low)
    near, far = high, low
    f_near, f_far = excess(near), excess(far)
    above, below = f_near <= 0, f_far > 0  # by rounding the crossing is at an end
    found = torch.where(above, high, low)
    open_ = ~(above | below) & (low < high)
    share = torch.full_like(low, 0.5)
    for _ in range(MOST):
        if not bool(open_.any()):
            return found
        x = near + share * (far - near)
        f = excess(x)
        same = (f > 0) == (f_near > 0)
        third, f_third = torch.where(same, near, far), torch.where(same, f_near, f_far)
        far, f_far = torch.where(same, far, near), torch.where(same, f_far, f_near)
        near, f_near = x, f
        best = torch.where(f_near.abs() <= f_far.abs(), near, far)
        width = (far - near).abs()
        tolerance = LAST_BIT * best.abs() + least
        there = f_near.abs() <= rounding
        ended = (width <= 2 * tolerance) | there
        found = torch.where(open_, torch.where(there, near, best), found)
        open_ = open_ & ~ended
        share = _share((near, far, third), (f_near, f_far, f_third), tolerance / width.clamp(min=least))
    return found


def _share(x: tuple[Tensor, Tensor, Tensor], f: tuple[Tensor, Tensor, Tensor], least: Tensor) -> Tensor:
    """How far the next point is on the way from the nearest point to the other end; 1/2 where nothing is known."""
    (near, far, third), (f_near, f_far, f_third) = x, f
    across, along = (near - far) / (third - far), (f_near - f_far) / (f_third - f_far)
    fits = (along.square() < across) & ((1 - along).square() < 1 - across)
    quadratic = f_near / (f_far - f_near) * f_third / (f_far - f_third)
    quadratic = quadratic + (third - near) / (far - near) * f_near / (f_third - f_near) * f_far / (f_third - f_far)
    share = torch.where(fits & quadratic.isfinite(), quadratic, 0.5)
    least = least.clamp(max=0.5)
    return torch.minimum(torch.maximum(share, least), 1 - least)


def _halved(excess: Callable[[Tensor], Tensor], low: Tensor, high: Tensor) -> Tensor:
    """The same by halvings alone, whose number does not depend on the values."""
    for _ in range(HALVINGS):
        middle = low + (high - low) / 2
        short = excess(middle) <= 0
        low, high = torch.where(short, middle, low), torch.where(short, high, middle)
    return low + (high - low) / 2


def quantile_between(cdf: Callable[[Tensor], Tensor], u: Tensor, low: Tensor, high: Tensor) -> Tensor:
    """The x with F(x) = u that lies between two others.

    On the scale of ln F/(1 - F) distribution functions are nearly straight, in their tails too.

    cdf: F.
    u: probabilities in (0, 1), float64.
    low, high: numbers with F(low) <= u <= F(high), float64, of the shape of u.

    >>> half = torch.tensor([0.5], dtype=torch.float64)
    >>> quantile_between(lambda x: torch.sigmoid(x - 3), half, half - 9, half + 9)
    tensor([3.], dtype=torch.float64)
    """
    wanted = torch.logit(u)
    return crossing(lambda x: torch.logit(cdf(x).clamp(0, 1)) - wanted, low, high, 2 * LAST_BIT / (1 - u))
