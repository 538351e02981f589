"""Sampling: the step is the pass; and what the other checks of samples share."""

from __future__ import annotations

from math import inf, sqrt

import torch
from torch import Tensor

from chainrule.heads.base import Distribution
from chainrule.verification.certificate.check import Check, difference, skipped
from chainrule.verification.certificate.tested import LEAST, ModelUnderTest, possible

__all__ = ["BINS", "FALSE_ALARM", "chi_square", "moved_share", "pit", "step"]

FALSE_ALARM = 1e-8  # probability that one statistic accuses a sound model; all of a certificate: below 1e-6
BINS = 20
LEAST_EXPECTED = 50  # draws per cell of a chi-square statistic


def chi_square(count: Tensor, expected: Tensor) -> tuple[float, float]:
    """Pearson's statistic and what it exceeds with a probability below 1e-8.

    Neighbouring cells are pooled until each expects 50: with fewer, the tail of the statistic is longer than that of
    chi-square, which is asked for its 1 - 1e-10 quantile for the same reason.

    >>> chi_square(torch.tensor([60.0, 40.0]), torch.tensor([50.0, 50.0]))[0]
    4.0
    """
    from scipy.stats import chi2

    impossible = float(count[expected <= 0].sum())
    cell = _pooled(expected.tolist())
    cells = int(cell.max()) + 1
    pooled = [torch.zeros(cells, dtype=torch.float64).index_add_(0, cell, part.double()) for part in (count, expected)]
    statistic = ((pooled[0] - pooled[1]).square() / pooled[1].clamp(min=1e-9)).sum()
    bound = float(chi2.isf(FALSE_ALARM / 100, max(cells - 1, 1)))
    return (inf if impossible else float(statistic)), bound


def _pooled(expected: list[float]) -> Tensor:
    """The number of the pool of each cell, such that every pool expects enough."""
    cells, total, pool = [], 0.0, 0
    for each in expected:
        cells.append(pool)
        total += each
        if total >= LEAST_EXPECTED:
            pool, total = pool + 1, 0.0
    return torch.tensor(cells).clamp(max=max(pool - 1, 0))


def moved_share(bound: float, cells: int, draws: int) -> str:
    """The smallest effect that a chi-square statistic sees, in words."""
    return f"sees a share of draws moved by {sqrt(max(bound - cells, 1.0) / max(draws, 1)) / 2:.2g}"


def pit(p: Distribution, x: Tensor, v: Tensor) -> Tensor:
    """The randomised probability integral transform u = F(x-) + v p(x), uniform if x ~ p; v uniform, float64.

    Beside a density, what is missing (NaN) is the one outcome that has a mass.

    Paper: Smith, *Diagnostic checks of non-standard time series models*, 1985; Czado, Gneiting, Held 2009.
    """
    upper = p.cdf(x).double()
    if p.is_mass:
        return upper - (1 - v) * p.log_prob(x).double().exp()
    if not x.is_floating_point() or not bool(x.isnan().any()):
        return upper
    missing = torch.where(x.isnan(), p.log_prob(x).double().exp(), 0.0)  # a mass beside a density
    return upper - (1 - v) * missing


def step(tested: ModelUnderTest, rows: Tensor, length: int, bound: float) -> Check:
    """ln p walked element by element, through the cached state, is that of the parallel pass.

    tested: the model.
    rows: rows to walk along, shape (R, D).
    length: number of elements of the walk.
    bound: largest difference that is rounding.
    """
    name = "sampling.step"
    if tested.walk is None or tested.scores is None:
        return skipped(name, "it has no step")
    rows, c = rows[:, :length], tested.contexts(len(rows))
    walked: list[Tensor] = []

    def draw(d: int, p: Distribution) -> Tensor:
        walked.append(p.log_prob(rows[:, d]).clone())
        return rows[:, d]

    tested.walk(draw, len(rows), length, c)
    passed = possible(tested.scores(rows, c).double())
    apart = difference(passed.clamp(min=LEAST), possible(torch.stack(walked, 1).double()).clamp(min=LEAST))
    d = int(apart.max(0).values.argmax())
    tried = f"{length} of {tested.length} elements of {len(rows)} rows"
    return Check.of(name, float(apart.max()), bound, tried, f"the step differs from the pass at x_{d}")
