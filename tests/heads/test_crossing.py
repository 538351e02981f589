"""The number at which a rising function crosses zero: as exact as halving to the last bit, and in fewer steps."""

import numpy as np
import pytest
import torch

from chainrule.heads.average import Average, AverageHead
from chainrule.heads.crossing import crossing, quantile_between
from chainrule.heads.gaussian_mixture import GaussianMixture, GaussianMixtureHead
from chainrule.heads.marginal import Marginal
from chainrule.heads.scores import Scores

LEVELS = torch.tensor(
    [0.0, 1e-15, 1e-9, 1e-4, 0.03, 0.25, 0.5, 0.9, 0.9999, 1 - 1e-9, 1 - 2.0**-53], dtype=torch.float64
)


def halved(cdf, u, low, high):
    for _ in range(200):
        middle = low + (high - low) / 2
        short = cdf(middle) <= u
        low, high = torch.where(short, middle, low), torch.where(short, high, middle)
    return low


def a_marginal(seed, resolution=None):
    random = np.random.default_rng(seed)
    marginal = Marginal(resolution)
    x = random.lognormal(size=200) * 10 if seed % 2 else random.normal(size=60)
    marginal.fit(x if resolution is None else np.rint(x / resolution) * resolution)
    return marginal


def an_average(seed, rows, resolution=None, narrow=0.0):
    """An average of a mixture of Gaussians and of one of scores, as the default models of tables have, nested."""
    torch.manual_seed(seed)
    several = [torch.randn(rows, 5).double() for _ in range(6)]
    step = None if resolution is None else torch.tensor(resolution).double()
    numbers = GaussianMixture(several[0], several[1], several[2] - narrow, 1.0, 3.0, step)
    scores = Scores(several[3], several[4], several[5].clamp(max=0.0), a_marginal(seed, resolution))
    weight = torch.randn(rows, 2).double().log_softmax(-1).unbind(-1)
    return Average([Average([numbers, scores], weight), numbers])


@pytest.mark.parametrize("narrow", [0.0, 8.0])
@pytest.mark.parametrize("seed", range(3))
def test_quantiles_of_an_average_are_those_of_halving(seed, narrow):
    p = an_average(seed, len(LEVELS), narrow=narrow)
    x = p.icdf(LEVELS)
    low, high = (end.min() for end in p.around(LEVELS)), (end.max() for end in p.around(LEVELS))
    expected = halved(p.cdf, LEVELS, next(low).expand(len(x)).clone(), next(high).expand(len(x)).clone())
    error = (p.cdf(x) - LEVELS).abs() / torch.minimum(LEVELS, 1 - LEVELS).clamp(min=1e-3)
    limit = (p.cdf(expected) - LEVELS).abs() / torch.minimum(LEVELS, 1 - LEVELS).clamp(min=1e-3)
    assert float((error - 2 * limit).max()) < 1e-12


@pytest.mark.parametrize("seed", range(3))
def test_quantiles_of_an_average_on_a_grid_are_the_first_that_reach(seed):
    p = an_average(seed, len(LEVELS), resolution=0.25)
    x = p.icdf(LEVELS)
    assert bool((p.cdf(x) > LEVELS)[:-1].all())
    assert bool((p.cdf(x - 0.25) <= LEVELS)[1:].all())


@pytest.mark.parametrize("seed", range(2))
def test_quantiles_of_a_column_are_those_of_its_scores(seed):
    marginal, score = a_marginal(seed), torch.linspace(-8, 8, 101).double()
    x = marginal.quantile(score)
    assert torch.allclose(marginal.upper_scores(x), score, atol=1e-12, rtol=1e-13)
    assert bool((x.diff() > 0).all())
    low, high = marginal.around(score, score)
    assert bool(((low <= x) & (x <= high)).all())


def test_an_element_does_not_depend_on_the_others():
    p, u = an_average(0, 40), torch.rand(40, generator=torch.Generator().manual_seed(0)).double()
    x = p.icdf(u)
    for d in (0, 7, 39):
        alone = crossing(lambda t, d=d: torch.where(torch.arange(40) == d, p.cdf(t) - u, t), *p.around(u))
        together = crossing(lambda t: p.cdf(t) - u, *p.around(u))
        assert float(alone[d]) == float(together[d])
    assert bool(x.isfinite().all())


def test_it_takes_few_steps():
    asked, p = [], an_average(1, 200)
    u = torch.rand(200, generator=torch.Generator().manual_seed(0)).double().clamp(min=1e-9)

    def cdf(x):
        asked.append(1)
        return p.cdf(x)

    quantile_between(cdf, u, *p.around(u))
    assert len(asked) <= 32


@pytest.mark.parametrize("ends", [(3.0, 3.0), (2.0, 3.0), (5.0, 9.0)])
def test_a_crossing_at_an_end_or_outside(ends):
    low, high = (torch.tensor([end]).double() for end in ends)
    wanted = min(max(3.0, ends[0]), ends[1])
    assert float(crossing(lambda x: x - 3, low, high)) == wanted


def test_a_function_that_is_infinite_and_jumps():
    low, high = torch.tensor([-1e9, -1.0], dtype=torch.float64), torch.tensor([1e3, 1.0], dtype=torch.float64)
    found = crossing(lambda x: torch.where(x > 0.5, torch.inf, -torch.inf).double(), low, high)
    assert torch.allclose(found, torch.tensor([0.5, 0.5]).double(), rtol=1e-9)


@pytest.mark.parametrize("scale", [1e-4, 1.0, 1e2])
def test_what_is_drawn_passes_no_broken_gradient_on(scale):
    """Some steps of the search are 0 / 0, which would reach whoever differentiates a score of what was drawn."""
    torch.manual_seed(0)
    head = AverageHead([GaussianMixtureHead(4, components=2), GaussianMixtureHead(4, components=2)])
    h = (scale * torch.randn(64, head.features)).requires_grad_()
    p = head(h)
    x = p.icdf(torch.rand(64, dtype=torch.float64, generator=torch.Generator().manual_seed(3)))
    (gradient,) = torch.autograd.grad(p.log_prob(x).sum(), h)
    assert bool(gradient.isfinite().all())
