"""Sampling: the step is the pass; and what the other checks of samples share."""

from __future__ import annotations

import torch
from torch import Tensor

from chainrule.heads.base import Distribution
from chainrule.verification.certificate.check import Check, difference, skipped
from chainrule.verification.certificate.tested import LEAST, ModelUnderTest, possible

__all__ = ["BINS", "FALSE_ALARM", "chi_square", "pit", "step"]

FALSE_ALARM = 1e-8  # probability that one statistic accuses a sound model; all of a certificate: below 1e-6
BINS = 20


def chi_square(count: Tensor, expected: Tensor) -> tuple[float, float]:
    """Pearson's statistic and its 1 - 1e-8 quantile; cells that expect less than five are pooled.

    >>> chi_square(torch.tensor([60.0, 40.0]), torch.tensor([50.0, 50.0]))[0]
    4.0
    """
    from scipy.stats import chi2

    large = expected >= 5
    count = torch.cat([count[large], count[~large].sum()[None]]).double()
    expected = torch.cat([expected[large], expected[~large].sum()[None]]).double()
    kept = (expected > 1e-9) | (count > 0)
    statistic = ((count - expected).square() / expected.clamp(min=1e-9))[kept].sum()
    return float(statistic), float(chi2.isf(FALSE_ALARM, max(int(kept.sum()) - 1, 1)))


def pit(p: Distribution, x: Tensor, v: Tensor) -> Tensor:
    """The randomised probability integral transform u = F(x-) + v p(x), uniform if x ~ p; v uniform, float64.

    Paper: Smith, *Diagnostic checks of non-standard time series models*, 1985; Czado, Gneiting, Held 2009.
    """
    upper = p.cdf(x).double()
    return upper - (1 - v) * p.log_prob(x).double().exp() if p.is_mass else upper


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
