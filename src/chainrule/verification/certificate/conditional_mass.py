"""The mass of a conditional where no alphabet can be run through: columns of several kinds, grids, densities.

    symbols   sum_k p(k) = 1
    grid      p(x) = F(x) - F(x - r) at many x, and F rises from 0 to 1, so that the sum telescopes
    density   the integral over the intervals between quantiles, each halved until it does not change

What may be missing has the mass p(missing) in addition to that of its values.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from chainrule.batch import Batch
from chainrule.heads.base import Distribution
from chainrule.verification.certificate.check import Check, skipped
from chainrule.verification.certificate.tested import ModelUnderTest

__all__ = ["Repeated", "density_mass", "grid_excess", "support"]

Repeated = Callable[[int], Distribution]
POINTS = 16  # of a grid, at which the mass is compared with the rise of F
ENDS = (1e-9, 1 - 1e-9)  # extreme quantiles of the values that are not missing
ROUNDED = 1e-6  # of a mass in float32
HALVINGS = 40
SPLITS, WORST, LEAST_SHARE = 16, 12, 1e-7  # rounds, intervals per round, and mass of the narrowest
OUTSIDE = (0.1, 1.0, 10.0, 100.0, 1e3, 1e4, 1e5)  # of the range of the quantiles, to which an integral goes on
MOST_OPEN = 1 << 15  # intervals that are halved at a time
NODES = (-0.9061798459386640, -0.5384693101056831, 0.0, 0.5384693101056831, 0.9061798459386640)  # Gauss-Legendre
WEIGHTS = (0.2369268850561891, 0.4786286704993665, 0.5688888888888889, 0.4786286704993665, 0.2369268850561891)
SPECIAL = [0.0, 1.0, -1.0, 0.5, -0.5, 0.25, -0.25, 0.75, 2.0, 0.1, -2.0, 10.0, -10.0, 100.0, 1000.0]  # of real numbers
FAR = [float(10**k) for k in range(13)]  # of grids


def missing_mass(p: Distribution) -> Tensor:
    """p(missing) of each conditional over numbers, 0 where no value may be missing; `icdf` has it at the upper end."""
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
        u, nodes = _split(make, u, nodes, missing)
    low, high = nodes.min(0).values, nodes.max(0).values
    width = (high - low).clamp(min=1e-9)
    far = torch.tensor(OUTSIDE, dtype=torch.float64).view(-1, *[1] * missing.ndim)
    nodes = torch.cat([low - far.flip(0) * width, nodes, high + far * width])
    low, high = nodes[0], nodes[-1]
    near = [
        s + sign * 10.0**-k * max(abs(s), 1.0) for s in (*SPECIAL, *special) for sign in (-1, 1) for k in range(2, 11)
    ]
    inside = torch.tensor(near, dtype=torch.float64).view(-1, *[1] * missing.ndim)
    nodes = torch.cat([nodes, torch.minimum(torch.maximum(inside, low), high)]).sort(0).values
    a, b = nodes[:-1], nodes[1:]
    total, tolerance = torch.zeros_like(missing, dtype=torch.float64), 1e-5 / len(nodes)
    for _ in range(HALVINGS):
        middle = (a + b) / 2
        whole, left, right = (_gauss(make, *ends) for ends in ((a, b), (a, middle), (middle, b)))
        open_ = ((left + right - whole).abs() > tolerance).flatten(1).any(1) if len(a) else torch.zeros(0).bool()
        open_ &= (middle > a).flatten(1).any(1)
        total += (left + right)[~open_].sum(0)
        if not bool(open_.any()) or int(open_.sum()) > MOST_OPEN:
            total += (left + right)[open_].sum(0)
            break
        a, b = torch.cat([a[open_], middle[open_]]), torch.cat([middle[open_], b[open_]])
    else:
        total += (_gauss(make, a, b)).sum(0)
    return total + missing + 2e-9 * (1 - missing)


def _at(make: Repeated, u: Tensor, missing: Tensor) -> Tensor:
    """The quantiles at u of the values that are not missing, shape (levels, ...).

    A head in float32 may take the last of them for a missing value; the quantile a little below stands for it.
    """
    p, levels = make(len(u)), ((1 - missing) * u).flatten(0, 1)
    found = p.icdf(levels).double()
    return found.where(~found.isnan(), p.icdf(levels * (1 - ROUNDED)).double()).view_as(u)


def _split(make: Repeated, u: Tensor, nodes: Tensor, missing: Tensor) -> tuple[Tensor, Tensor]:
    """The intervals whose integral is farthest from their share of u, halved in u.

    So the edges of narrow components, and what lies between them, have next to no mass in an interval.
    """
    share = u[1:] - u[:-1]
    apart = (_gauss(make, nodes[:-1], nodes[1:]) - (1 - missing) * share).abs() * (share > LEAST_SHARE)
    here = apart.topk(min(WORST, len(apart)), 0).indices
    between = (u.gather(0, here) + u.gather(0, here + 1)) / 2
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


def flat_ends(p: Distribution) -> Tensor:
    """1 where ln p is the same at three places that are farther and farther out, so that its integral is infinite."""
    low, high = (p.icdf(torch.full(p.batch_shape, u, dtype=torch.float64)).double() for u in (1e-6, 1 - 1e-6))
    width = (high - low).nan_to_num(nan=1.0).clamp(min=1e-9)
    flat = torch.zeros(p.batch_shape, dtype=torch.bool)
    for end, sign in ((low, -1.0), (high, 1.0)):
        ends = torch.stack([p.log_prob(end.nan_to_num() + sign * far * width).double() for far in (1e3, 1e5, 1e7)])
        lowest, highest = torch.aminmax(ends, dim=0)
        flat |= (highest - lowest < 1e-9) & highest.isfinite()
    return flat.double()


def atoms(p: Distribution) -> Tensor:
    """The largest jump of ln p at one value alone, of the batch shape: the mass of a point in a density.

    A density may jump at the end of its support, but not on both sides of one value.
    """
    worst = torch.zeros(p.batch_shape, dtype=torch.float64)
    for value in SPECIAL:
        x = torch.full(p.batch_shape, value, dtype=torch.float64)
        step = 1e-12 * max(abs(value), 1e-3)
        here, left, right = (p.log_prob(x + shift).double() for shift in (0.0, -step, step))
        jump = torch.minimum((here - left).abs(), (here - right).abs())
        worst = torch.maximum(worst, jump.where(here > -700, torch.zeros_like(jump)).nan_to_num(nan=0.0, posinf=1e3))
    return worst


def grid_excess(p: Distribution) -> Tensor:
    """The largest of |p(x) - (F(x) - F(x - r))| at many x and of what F lacks at its ends, of the batch shape.

    Far out, at powers of ten, the difference counts relative to p(x).
    """
    present = 1 - missing_mass(p)
    low, high = (p.icdf(present * u) for u in (ENDS[0], 1 - 1e-6))
    ends = [p.cdf(low).double() - p.log_prob(low).double().exp(), present - p.cdf(high).double()]
    apart = [ends[0].abs(), (ends[1].abs() - 2e-6).clamp(min=0)]
    generator, step = torch.Generator().manual_seed(4), torch.as_tensor(p.resolution).double()
    for _ in range(POINTS):
        x = p.icdf(present * ENDS[1] * torch.rand(p.batch_shape, generator=generator, dtype=torch.float64))
        apart.append((p.log_prob(x).double().exp() - _rise(p, x, step)).abs())
    for value in (0.0, *FAR, *(-v for v in FAR)):
        x = ((low.double() * 0 + value) / step).round() * step
        try:
            mass = p.log_prob(x).double().exp()
            rise = _rise(p, x, step)
        except ValueError:
            continue  # a value outside of the support, such as a negative count
        far = (mass - rise).abs()
        apart.append(torch.where(far > 1e-4 * torch.maximum(mass, rise) + 1e-12, far / torch.maximum(mass, rise), 0.0))
    apart.append(_endless(p, low, step))
    return torch.stack([part.double() for part in apart]).max(0).values


def _endless(p: Distribution, like: Tensor, step: Tensor) -> Tensor:
    """How far a tail that does not fall is above the mass one: 2^52 steps between 2^52 and 2^53, each with such a p.

    A tail that is the same at 2^40, 2^46, 2^52 and 2^53 never falls, so that its mass is infinite however small p is.
    """
    ends = []
    for power in (40, 46, 52, 53):
        try:
            ends.append(p.log_prob((like.double() * 0 + 2.0**power) * step).double())
        except ValueError:
            return torch.zeros_like(like, dtype=torch.float64)  # outside of the support
    total = 2.0**52 * torch.minimum(*ends[2:]).exp()
    lowest, highest = torch.aminmax(torch.stack(ends), dim=0)
    flat = (highest - lowest < 1e-9) & highest.isfinite()
    return torch.where(flat, 1.0, torch.where(total > 1, total, 0.0))


def _rise(p: Distribution, x: Tensor, step: Tensor) -> Tensor:
    return p.cdf(x).double() - p.cdf(x.double() - step).double()


def support(tested: ModelUnderTest, rows: Tensor, places: list[int], intervals: int, bound: float) -> Check:
    """p(x_d | x_<d) has the mass one over the support of its own kind, and is what the model scores.

    tested: the model.
    rows: rows to try, shape (R, D).
    places: the elements d.
    intervals: number of intervals for the integral of a density, to begin with.
    bound: largest deviation from 1 that is rounding.
    """
    name, model = "normalisation.support", tested.chain
    if model is None or (model.head.num_symbols is not None and model.head.elementwise):
        return skipped(name, "every element has the same finite alphabet, or there is no model")
    rows = rows[:4]
    c = tested.contexts(len(rows))
    h, scored = model.network(rows, c), model.element_log_prob(Batch(rows, context=c))
    worst, where = 0.0, ""
    for d in places:
        head, h_d, before = model.head, h[:, d], rows[:, :d]
        p = head.at(d, h_d, before)
        apart = float((scored[:, d] - p.log_prob(rows[:, d])).abs().nan_to_num(nan=torch.inf).max())
        found = _excesses(lambda n: head.at(d, h_d.repeat(n, 1), before.repeat(n, 1)), intervals, _repeated(rows[:, d]))  # noqa: B023
        for figure, what in (*found, (apart, "is not what the model scores")):
            if not figure <= worst:
                worst, where = figure, f"p(x_{d} | x_<{d}) {what} (off by {figure:.3g})"
    tried = f"{len(places)} elements of {len(rows)} examples, each over its support"
    return Check.of(name, worst, bound, tried, where)


def _repeated(values: Tensor) -> list[float]:
    """Some values that occur."""
    return [v for v in values.double().flatten()[:2].tolist() if v == v and abs(v) < 1e12]


def _excesses(make: Repeated, intervals: int, special: list[float]) -> list[tuple[float, str]]:
    """How far the mass of the worst of the conditionals is from one, and other faults of it."""

    def largest(excess: Tensor) -> float:
        return float(excess.abs().nan_to_num(nan=torch.inf).max())

    p = make(1)
    if p.num_symbols is not None:
        symbols = (torch.full(p.batch_shape, k) for k in range(p.num_symbols))
        total = torch.stack([p.log_prob(k).double().exp() for k in symbols]).sum(0)
        return [(largest(total - 1), "sums to another mass")]
    if p.is_mass:
        return [(largest(grid_excess(p)), "is not the rise of its F")]
    jump = largest(atoms(p))
    mass = largest(density_mass(make, intervals, special) - 1)
    return [
        (mass, "does not have the mass one"),
        (largest(flat_ends(p)), "has tails that do not fall"),
        (jump if jump > 1e-2 else 0.0, "has the mass of a point in a density"),
    ]
