"""The mass on a grid: p(x) = F(x) - F(x - r) at many x, and F rises from 0 to 1, so that the sum telescopes.

What may be missing has the mass p(missing) in addition to that of its values.
"""

from __future__ import annotations

import torch
from torch import Tensor

from chainrule.verification.certificate.density_mass import ENDS, Repeated, anywhere, missing_mass

__all__ = ["grid_excess"]

POINTS = 16  # at which the mass is compared with the rise of F
FAR = [float(10**k) for k in range(13)]


def grid_excess(make: Repeated) -> Tensor:
    """The largest of |p(x) - (F(x) - F(x - r))| at many x and of what F lacks at its ends, of the batch shape.

    make: makes the distributions n times over, with n times as many along the first axis.

    Far out, at powers of ten, the difference counts relative to p(x). All x are asked in one pass, because a quantile
    takes a search of many steps.
    """
    p, generator = make(1), torch.Generator().manual_seed(4)
    present = 1 - missing_mass(p)
    step = torch.as_tensor(p.resolution).double().expand(p.batch_shape)
    chance = ENDS[1] * torch.rand(POINTS, *p.batch_shape, generator=generator, dtype=torch.float64)
    u = torch.cat([torch.full_like(chance[:1], ENDS[0]), torch.full_like(chance[:1], 1 - 1e-6), chance])
    x = make(len(u)).icdf((present * u).flatten(0, 1)).double().view_as(u)
    x = x.where(~x.isnan(), (anywhere(u) / step).round() * step)
    mass, reached, rise = _mass_and_rise(make, x, step)
    ends = [(reached[0] - mass[0]).abs(), ((present - reached[1]).abs() - 2e-6).clamp(min=0)]
    apart = [*ends, (mass - rise)[2:].abs().amax(0), _far_excess(make, step, [0.0, *FAR])]
    apart += [_far_excess(make, step, [-value for value in FAR]), _endless(make, step)]
    return torch.stack(apart).max(0).values


def _mass_and_rise(make: Repeated, x: Tensor, step: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """p(x), F(x) and F(x) - F(x - r) of n values for each distribution, shape (n, ...)."""
    p, before = make(len(x)), (x - step).flatten(0, 1)
    values = x.flatten(0, 1)
    reached = p.cdf(values).double()
    found = p.log_prob(values).double().exp(), reached, reached - p.cdf(before).double()
    return found[0].view_as(x), found[1].view_as(x), found[2].view_as(x)


def _far_excess(make: Repeated, step: Tensor, values: list[float]) -> Tensor:
    """The largest difference of p(x) from the rise of F at some values, relative to p(x), of the shape of `step`."""
    each = torch.tensor(values, dtype=torch.float64).view(-1, *[1] * step.ndim)
    try:
        mass, _, rise = _mass_and_rise(make, (each / step).round() * step, step)
    except ValueError:  # a value outside of the support, such as a negative count
        half = len(values) // 2
        parts = [values[:half], values[half:]] if half else []
        excess = torch.zeros(step.shape, dtype=torch.float64)
        for part in parts:
            excess = torch.maximum(excess, _far_excess(make, step, part))
        return excess
    far, size = (mass - rise).abs(), torch.maximum(mass, rise)
    return torch.where(far > 1e-4 * size + 1e-12, far / size, 0.0).amax(0)


def _endless(make: Repeated, step: Tensor) -> Tensor:
    """How far a tail that does not fall is above the mass one: 2^52 steps between 2^52 and 2^53, each with such a p.

    A tail that is the same at 2^40, 2^46, 2^52 and 2^53 never falls, so that its mass is infinite however small p is.
    """
    powers = 2.0 ** torch.tensor([40, 46, 52, 53], dtype=torch.float64).view(-1, *[1] * step.ndim)
    x = powers * step
    try:
        ends = make(len(x)).log_prob(x.flatten(0, 1)).double().view_as(x)
    except ValueError:
        return torch.zeros(step.shape, dtype=torch.float64)  # outside of the support
    total = 2.0**52 * torch.minimum(ends[2], ends[3]).exp()
    lowest, highest = torch.aminmax(ends, dim=0)
    flat = (highest - lowest < 1e-9) & highest.isfinite()
    return torch.where(flat, 1.0, torch.where(total > 1, total, 0.0))
