"""Normalisation where an alphabet cannot be run through: columns of several kinds, grids without end, densities.

    symbols   sum_k p(k) = 1
    grid      p(x) = F(x) - F(x - r) at many x, and F rises from 0 to 1, so that the sum telescopes
    density   the integral between extreme quantiles by the trapezoid rule

What may be missing has the mass p(missing) beside that of its values.
"""

from __future__ import annotations

import torch
from torch import Tensor

from chainrule.batch import Batch
from chainrule.heads.base import Distribution
from chainrule.verification.certificate.check import Check, skipped
from chainrule.verification.certificate.subject import Subject

__all__ = ["density_mass", "grid_excess", "support"]

POINTS = 16  # of a grid, at which the mass is held against the rise of F
ENDS = (1e-9, 1 - 1e-6)  # extreme quantiles of the values that are not missing, whose mass float32 may have rounded


def missing_mass(p: Distribution) -> Tensor:
    """p(missing) of each conditional over numbers, 0 where no value may be missing; `icdf` has it at the upper end."""
    top = p.icdf(torch.full(p.batch_shape, 1 - 1e-15, dtype=torch.float64))
    return torch.where(top.isnan(), p.log_prob(top).double().exp(), 0.0)


def density_mass(p: Distribution, dtype: torch.dtype, points: int = 20_001) -> Tensor:
    """The integral of each density, by the trapezoid rule between extreme quantiles, of the batch shape."""
    missing = missing_mass(p)
    low, high = (p.icdf((1 - missing) * u) for u in ENDS)
    mass = missing.clone()
    width = (high - low).double() / (points - 1)
    for i, t in enumerate(torch.linspace(0, 1, points, dtype=torch.float64)):
        weight = 0.5 if i in (0, points - 1) else 1.0
        mass += weight * width * p.log_prob((low + t * (high - low)).to(dtype)).double().exp()
    return mass


def grid_excess(p: Distribution) -> Tensor:
    """The largest of |p(x) - (F(x) - F(x - r))| at many x and of what F lacks at its ends, of the batch shape."""
    present = 1 - missing_mass(p)
    low, high = (p.icdf(present * u) for u in ENDS)
    ends = [p.cdf(low).double() - p.log_prob(low).double().exp(), present - p.cdf(high).double()]
    apart = [end.abs() for end in ends]
    generator, step = torch.Generator().manual_seed(4), torch.as_tensor(p.resolution)
    for _ in range(POINTS):
        x = p.icdf(present * ENDS[1] * torch.rand(p.batch_shape, generator=generator, dtype=torch.float64))
        rise = p.cdf(x).double() - p.cdf(x - step).double()
        apart.append((p.log_prob(x).double().exp() - rise).abs())
    return torch.stack(apart).max(0).values


def support(subject: Subject, positions: int, bound: float, points: int = 2001) -> Check:
    """p(x_d | x_<d) has the mass one over the support of its own kind, and is what the model scores."""
    name, model = "normalisation.support", subject.chain
    if model is None or (model.head.num_symbols is not None and model.head.elementwise):
        return skipped(name, "every element has the same finite alphabet, or there is no model")
    x, c = subject.elements(0), subject.context
    h, scored = model.network(x, c), model.element_log_prob(Batch(x, context=c))
    worst, where = 0.0, ""
    chosen = subject.positions(positions)
    for d in chosen:
        p = model.head.at(d, h[:, d], x[:, :d])
        apart = float((scored[:, d] - p.log_prob(x[:, d])).abs().max())
        for figure, what in (
            (_excess(p, h.dtype, points), "does not have the mass one"),
            (apart, "is scored otherwise"),
        ):
            if not figure <= worst:
                worst, where = figure, f"p(x_{d} | x_<{d}) {what}"
    return Check.of(name, worst, bound, f"{len(chosen)} elements of {len(x)} examples, each over its support", where)


def _excess(p: Distribution, dtype: torch.dtype, points: int) -> float:
    """How far the mass of the worst of the conditionals is from one."""
    if p.num_symbols is not None:
        symbols = (torch.full(p.batch_shape, k) for k in range(p.num_symbols))
        excess = torch.stack([p.log_prob(k).double().exp() for k in symbols]).sum(0) - 1
    else:
        excess = grid_excess(p) if p.is_mass else density_mass(p, dtype, points) - 1
    return float(excess.abs().nan_to_num(nan=torch.inf).max())
