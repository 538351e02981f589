"""The mass of a density: its integral over the intervals between quantiles, each halved until it does not change.

What may be missing has the mass p(missing) in addition to that of its values.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from chainrule.heads.base import Distribution

__all__ = ["ENDS", "Repeated", "anywhere", "atoms", "density_mass", "flat_ends", "missing_mass"]

Repeated = Callable[[int], Distribution]
ENDS = (1e-9, 1 - 1e-9)  # extreme quantiles of the values that are not missing
ROUNDED = 1e-6  # of a mass in float32
HALVINGS = 40
SPLITS, WORST, PIECES = 6, 12, 8  # rounds, intervals per round, and what becomes of each
LEAST_SHARE, CLOSE = 1e-7, 1e-6  # mass of the narrowest interval, and how near to its share an integral may be
OUTSIDE = (0.1, 1.0, 10.0, 100.0, 1e3, 1e4, 1e5)  # of the range of the quantiles, to which an integral goes on
NEXT = 2e-15  # of a value, to the next but a few in float64
MOST_OPEN = 1 << 15  # intervals that are halved at a time
NODES = (-0.9061798459386640, -0.5384693101056831, 0.0, 0.5384693101056831, 0.9061798459386640)  # Gauss-Legendre
WEIGHTS = (0.2369268850561891, 0.4786286704993665, 0.5688888888888889, 0.4786286704993665, 0.2369268850561891)
SPECIAL = [0.0, 1.0, -1.0, 0.5, -0.5, 0.25, -0.25, 0.75, 2.0, 0.1, -2.0, 10.0, -10.0, 100.0, 1000.0]  # of real numbers


def missing_mass(p: Distribution) -> Tensor:
    """p(missing) of each conditional over numbers, 0 where no value may be missing; `icdf` has it at the upper end."""
    nothing = torch.full(p.batch_shape, torch.nan, dtype=torch.float64)
    try:
        if bool(p.log_prob(nothing).isnan().all()):
            return torch.zeros(p.batch_shape, dtype=torch.float64)
    except ValueError:  # NaN is not in its support
        return torch.zeros(p.batch_shape, dtype=torch.float64)
    top = p.icdf(torch.full(p.batch_shape, 1 - 1e-15, dtype=torch.float64))
    return torch.where(top.isnan(), p.log_prob(top).double().exp(), 0.0)


def density_mass(make: Repeated, intervals: int = 256, special: Sequence[float] = ()) -> Tensor:
    """The integral of each density, of the batch shape, float64.

    make: makes the distributions n times over, with n times as many along the first axis.
    intervals: number of intervals, of equal mass by `icdf`, to begin with.
    special: values that occur, near which intervals are fine, so that a needle there is seen; 0, 1, 1/2, ... are added.
    """
    p = make(1)
    missing = missing_mass(p)
    levels = torch.linspace(ENDS[0], ENDS[1], intervals + 1, dtype=torch.float64)
    levels = torch.cat([levels, torch.tensor([1e-6, 1e-4, 1 - 1e-4, 1 - 1e-6], dtype=torch.float64)]).sort().values
    u = levels.view(-1, *[1] * missing.ndim).expand(-1, *missing.shape)
    nodes = _at(make, u, missing)
    for _ in range(SPLITS):
        apart = _apart(make, u, nodes, missing)
        if not bool((apart > CLOSE).any()):
            break
        u, nodes = _split(make, u, nodes, missing, apart)
    low, high = nodes.min(0).values, nodes.max(0).values
    width = (high - low).clamp(min=1e-9)
    far = torch.tensor(OUTSIDE, dtype=torch.float64).view(-1, *[1] * missing.ndim)
    nodes = torch.cat([low - far.flip(0) * width, nodes, high + far * width])
    low, high = nodes[0], nodes[-1]
    near = [
        s + sign * 10.0**-k * max(abs(s), 1.0)
        for s in (*SPECIAL, *special)
        for sign in (-1, 1)
        for k in range(2, 11, 2)
    ]
    inside = torch.tensor(near, dtype=torch.float64).view(-1, *[1] * missing.ndim)
    nodes = torch.cat([nodes, torch.minimum(torch.maximum(inside, low), high)]).sort(0).values
    a, b = nodes[:-1], nodes[1:]
    total, tolerance = torch.zeros_like(missing, dtype=torch.float64), 1e-5 / len(nodes)
    whole = _gauss(make, a, b)
    for _ in range(HALVINGS):
        middle = (a + b) / 2
        left, right = _gauss(make, torch.cat([a, middle]), torch.cat([middle, b])).chunk(2)
        open_ = ((left + right - whole).abs() > tolerance).flatten(1).any(1) if len(a) else torch.zeros(0).bool()
        open_ &= (middle > a).flatten(1).any(1)
        total += (left + right)[~open_].sum(0)
        if not bool(open_.any()) or int(open_.sum()) > MOST_OPEN:
            total += (left + right)[open_].sum(0)
            break
        a, b = torch.cat([a[open_], middle[open_]]), torch.cat([middle[open_], b[open_]])
        whole = torch.cat([left[open_], right[open_]])
    else:
        total += whole.sum(0)
    return total + missing + 2e-9 * (1 - missing)


def _at(make: Repeated, u: Tensor, missing: Tensor) -> Tensor:
    """The quantiles at u of the values that are not missing, shape (levels, ...).

    A head in float32 may take the last of them for a missing value; the quantile a little below stands for it. Where
    all is missing, there are none, and numbers evenly apart are looked at.
    """
    p, levels = make(len(u)), ((1 - missing) * u).flatten(0, 1)
    found = p.icdf(levels).double()
    found = found.where(~found.isnan(), p.icdf(levels * (1 - ROUNDED)).double()).view_as(u)
    return found.where(~found.isnan(), anywhere(u))


def anywhere(u: Tensor) -> Tensor:
    """Numbers to look at where no value has a probability: u of the way from -100 to 100."""
    return 200 * (u - 0.5)


def _apart(make: Repeated, u: Tensor, nodes: Tensor, missing: Tensor) -> Tensor:
    """How far the integral over each interval is from its share of u, 0 where that is next to nothing."""
    share = u[1:] - u[:-1]
    return (_gauss(make, nodes[:-1], nodes[1:]) - (1 - missing) * share).abs() * (share > LEAST_SHARE)


def _split(make: Repeated, u: Tensor, nodes: Tensor, missing: Tensor, apart: Tensor) -> tuple[Tensor, Tensor]:
    """The intervals whose integral is farthest from their share of u, cut into pieces that are equal in u.

    So the edges of narrow components, and what lies between them, have next to no mass in an interval.
    """
    here = apart.topk(min(WORST, len(apart)), 0).indices
    first, last = u.gather(0, here), u.gather(0, here + 1)
    between = torch.cat([first + (last - first) * k / PIECES for k in range(1, PIECES)])
    u, nodes = torch.cat([u, between]), torch.cat([nodes, _at(make, between, missing)])
    order = u.argsort(0)
    return u.gather(0, order), nodes.gather(0, order)


def _gauss(make: Repeated, a: Tensor, b: Tensor) -> Tensor:
    """The integrals from a to b, shape (intervals, ...), by five nodes each."""
    half, middle = (b - a) / 2, (a + b) / 2
    x = torch.stack([middle + half * t for t in NODES])
    p = make(len(NODES) * len(a)).log_prob(x.flatten(0, 2)).double().exp().view_as(x)
    weight = torch.tensor(WEIGHTS, dtype=torch.float64).view(-1, *[1] * a.ndim)
    return half * (weight * p).sum(0).nan_to_num(nan=torch.inf)


def flat_ends(make: Repeated) -> Tensor:
    """1 where ln p is the same at three places that are farther and farther out, so that its integral is infinite.

    make: makes the distributions n times over, with n times as many along the first axis.
    """
    shape = make(1).batch_shape
    u = torch.tensor([1e-6, 1 - 1e-6], dtype=torch.float64).view(-1, *[1] * len(shape)).expand(-1, *shape)
    low, high = make(2).icdf(u.flatten(0, 1)).double().view_as(u)
    width = (high - low).nan_to_num(nan=1.0).clamp(min=1e-9)
    far = torch.tensor([1e3, 1e5, 1e7], dtype=torch.float64).view(-1, *[1] * len(shape)) * width
    x = torch.cat([low.nan_to_num() - far, high.nan_to_num() + far])
    lowest, highest = _log_prob(make, x).view(2, 3, *shape).aminmax(dim=1)
    return ((highest - lowest < 1e-9) & highest.isfinite()).any(0).double()


def atoms(make: Repeated, special: Sequence[float] = ()) -> Tensor:
    """The largest jump of ln p at one value alone, of the batch shape: the mass of a point in a density.

    make: makes the distributions n times over, with n times as many along the first axis.
    special: values that occur; 0, 1, 1/2, ... are added.

    A density may jump at the end of its support, but not on both sides of one value.
    """
    shape = make(1).batch_shape
    near = [[v, v - step, v + step] for v in (*SPECIAL, *special) for step in [NEXT * max(abs(v), 1e-3)]]
    x = torch.tensor(near, dtype=torch.float64).T.flatten().view(-1, *[1] * len(shape)).expand(-1, *shape)
    here, left, right = _log_prob(make, x).view(3, len(near), *shape)
    jump = torch.minimum((here - left).abs(), (here - right).abs())
    return jump.where(here > -700, 0.0).nan_to_num(nan=0.0, posinf=1e3).amax(0)


def _log_prob(make: Repeated, x: Tensor) -> Tensor:
    """ln p of n values for each distribution, shape (n, ...), float64."""
    return make(len(x)).log_prob(x.flatten(0, 1)).double().view_as(x)
