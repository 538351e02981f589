"""The mass of a conditional where no alphabet can be run through: columns of several kinds, grids, densities.

symbols   sum_k p(k) = 1
grid      p(x) = F(x) - F(x - r) at many x, and F rises from 0 to 1, so that the sum telescopes
density   the integral over the intervals between quantiles, each halved until it does not change
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from chainrule.batch import Batch
from chainrule.heads.base import Distribution
from chainrule.verification.certificate.check import Check, skipped
from chainrule.verification.certificate.density_mass import Repeated, atoms, density_mass, flat_ends, missing_mass
from chainrule.verification.certificate.grid_mass import grid_excess
from chainrule.verification.certificate.tested import ModelUnderTest

__all__ = ["repeated_values", "support"]

OFTEN = 4  # values of an element that the data repeat
LARGE = 1e12
NUMBERS = 1 << 20  # probabilities that are held at a time


def support(
    tested: ModelUnderTest,
    rows: Tensor,
    places: list[int],
    intervals: int,
    bound: float,
    values: dict[int, list[float]] | None = None,
) -> Check:
    """p(x_d | x_<d) has the mass one over the support of its own kind, and is what the model scores.

    tested: the model.
    rows: rows to try, shape (R, D).
    places: the elements d.
    intervals: number of intervals for the integral of a density, to begin with.
    bound: largest deviation from 1 that is rounding.
    values: values of each element that the data repeat, NaN among them where some are missing; None for none.
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
        expected = p.log_prob(rows[:, d])
        apart = torch.where(scored[:, d] == expected, 0.0, (scored[:, d] - expected).abs())
        occur = [*_numbers(rows[:, d])[:2], *(values or {}).get(d, [])]
        found = _excesses(lambda n: head.at(d, h_d.repeat(n, 1), before.repeat(n, 1)), intervals, occur)  # noqa: B023
        for figure, what in (*found, (float(apart.nan_to_num(nan=torch.inf).max()), "is not what the model scores")):
            if not figure <= worst:
                worst, where = figure, f"p(x_{d} | x_<{d}) {what} (off by {figure:.3g})"
    tried = f"{len(places)} of {tested.length} elements of {len(rows)} examples, each over its support"
    return Check.of(name, worst, bound, tried, where)


def repeated_values(x: Tensor) -> dict[int, list[float]]:
    """The values that each element has most often in some rows, the smallest and the largest, and NaN where it occurs.

    x: rows of real numbers, shape (N, D).

    >>> repeated_values(torch.tensor([[1.0], [5.5], [5.5], [torch.nan]]))
    {0: [5.5, 1.0, nan]}
    """
    found = {}
    for d, column in enumerate(x.double().unbind(1)):
        values, counts = np.unique(column[column.isfinite()].numpy(), return_counts=True)
        order = (-counts).argsort(kind="stable")
        often = values[order[counts[order] > 1]][:OFTEN].tolist()
        ends = values[[0, -1]].tolist() if len(values) else []
        found[d] = [*dict.fromkeys([*often, *ends]), *([torch.nan] if bool(column.isnan().any()) else [])]
    return found


def _numbers(values: Tensor) -> list[float]:
    """Those that are finite and not very large."""
    return [v for v in values.double().flatten().tolist() if abs(v) < LARGE]


def _excesses(make: Repeated, intervals: int, occur: list[float]) -> list[tuple[float, str]]:
    """How far the mass of the worst of the conditionals is from one, and other faults of it; occur: values that do."""

    def largest(excess: Tensor) -> float:
        return float(excess.abs().nan_to_num(nan=torch.inf).max())

    p = make(1)
    if p.num_symbols is not None:
        return [(largest(_sum_over_symbols(make, p.num_symbols, p.batch_shape.numel()) - 1), "sums to another mass")]
    beside = _missing_beside(p) if any(v != v for v in occur) else 0.0
    found = [(beside, "has a mass of missing values beside that of the others")]
    if p.is_mass:
        return [*found, (largest(grid_excess(make)), "is not the rise of its F")]
    special = _numbers(torch.tensor(occur, dtype=torch.float64))
    jump = largest(atoms(make, special))
    mass = largest(density_mass(make, intervals, special) - 1)
    return [
        *found,
        (mass, "does not have the mass one"),
        (largest(flat_ends(make)), "has tails that do not fall"),
        (jump if jump > 1e-2 else 0.0, "has the mass of a point in a density"),
    ]


def _sum_over_symbols(make: Repeated, num_symbols: int, size: int) -> Tensor:
    """sum_k p(k) of each of some conditionals, as many symbols at a time as are small in memory; size: of a batch."""
    total, most = torch.zeros(size, dtype=torch.float64), max(1, NUMBERS // (size * num_symbols))
    for symbols in torch.split(torch.arange(num_symbols), most):
        p = make(len(symbols)).log_prob(symbols.repeat_interleave(size)).double().exp()
        total += p.view(len(symbols), size).sum(0)
    return total


def _missing_beside(p: Distribution) -> float:
    """The largest probability of NaN that the quantiles do not have, for values that are missing in the data."""
    try:
        mass = p.log_prob(torch.full(p.batch_shape, torch.nan, dtype=torch.float64)).double().exp()
    except ValueError:  # NaN is not in its support
        return 0.0
    return float((mass.nan_to_num(nan=0.0) - missing_mass(p)).abs().max())
