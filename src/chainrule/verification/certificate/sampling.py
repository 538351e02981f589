"""Sampling: the step is the pass, and what is drawn is what is scored."""

from __future__ import annotations

import torch
from torch import Tensor

from chainrule.batch import Batch
from chainrule.heads.base import Distribution
from chainrule.verification.certificate.check import Check, difference, skipped
from chainrule.verification.certificate.normalisation import every_example
from chainrule.verification.certificate.subject import Subject

__all__ = ["chi_square", "fits", "pit", "step", "uniform_pit"]

FALSE_ALARM = 1e-6
BINS = 20


def chi_square(count: Tensor, expected: Tensor) -> tuple[float, float]:
    """Pearson's statistic and its 1 - 1e-6 quantile; cells that expect less than five are pooled.

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


def step(subject: Subject, most: int, bound: float) -> Check:
    """ln p walked element by element, through the cached state, is that of the parallel pass."""
    name = "sampling.step"
    if subject.walk is None or subject.scores is None:
        return skipped(name, "it has no step")
    x, c = subject.elements(0), subject.context
    length = min(most, subject.length)
    walked: list[Tensor] = []

    def draw(d: int, p: Distribution) -> Tensor:
        walked.append(p.log_prob(x[:, d]).clone())
        return x[:, d]

    subject.walk(draw, len(x), length, c)
    passed = subject.scores(x, c)[:, :length]
    apart = difference(passed, torch.stack(walked, 1))
    d = int(apart.max(0).values.argmax())
    return Check.of(name, float(apart.max()), bound, f"{length} elements", f"the step differs at x_{d}")


def pit(p: Distribution, x: Tensor, v: Tensor) -> Tensor:
    """The randomised probability integral transform u = F(x-) + v p(x), uniform if x ~ p; v uniform, float64.

    Paper: Smith, *Diagnostic checks of non-standard time series models*, 1985; Czado, Gneiting, Held 2009.
    """
    upper = p.cdf(x).double()
    return upper - (1 - v) * p.log_prob(x).double().exp() if p.is_mass else upper


def uniform_pit(u: Tensor) -> tuple[float, float]:
    """Chi-square of the transforms against the uniform distribution, and its bound."""
    count = torch.histc(u.clamp(0, 1), BINS, 0, 1)
    return chi_square(count, torch.full((BINS,), u.numel() / BINS))


def fits(subject: Subject, draws: int, most: int) -> Check:
    """What `sample` draws fits the scored p(x): by enumeration where that is possible, else by its transforms."""
    model, v = subject.chain, subject.num_symbols
    if model is None:
        return skipped("sampling.fits", "it has no sampler of ours")
    length = min(most, subject.length)
    c = None if subject.context is None else subject.context[:1]
    spread = None if c is None else c.expand(draws, *c.shape[1:])
    sample = model.sample(draws, seed=5, length=length, context=spread)
    if v is not None and model.head.num_symbols is not None and v**length <= 4096:
        x = every_example(v, length)
        every = None if c is None else c.expand(len(x), *c.shape[1:])
        pmf = model.log_prob(Batch(x, context=every)).double().exp()
        code = (sample.x * v ** torch.arange(length - 1, -1, -1)).sum(1)
        figure, bound = chi_square(torch.bincount(code, minlength=len(x)), pmf * draws)
        return Check.of("sampling.fits", figure, bound, f"{draws} draws against {len(x)} probabilities", "wrong law")
    generator = torch.Generator().manual_seed(6)
    transforms: list[Tensor] = []

    def draw(d: int, p: Distribution) -> Tensor:
        v = torch.rand(draws, generator=generator, dtype=torch.float64)
        transforms.append(pit(p, sample.x[:, d], v))
        return sample.x[:, d]

    try:
        model.unroll(draw, draws, length, spread)
    except ValueError as error:
        return skipped("sampling.fits", f"{error}")
    figure, bound = uniform_pit(torch.stack(transforms))
    return Check.of("sampling.fits", figure, bound, f"transforms of {draws} x {length} draws", "they are not uniform")
