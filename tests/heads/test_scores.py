"""The distribution of a column of numbers, values that repeat among them, and mixtures over its normal scores."""

from math import log, pi

import numpy as np
import pytest
import torch

from chainrule.errors import InputError
from chainrule.heads import BlendHead, GaussianMixtureHead, MissingHead, ScoresHead
from chainrule.heads.marginal import Marginal

NORMAL = log(2 * pi) / 2 + 0.5  # entropy of a standard normal number


def fine(rng, n):
    """Normal numbers recorded so finely that hardly any repeats."""
    return np.rint(rng.normal(size=n) * 1e4), NORMAL + log(1e4)


def coarse(rng, n):
    """Rounded to tenths and written with four digits."""
    return np.rint(rng.normal(size=n) * 10) * 1000, NORMAL + log(10)


def integers(rng, n):
    """Whole numbers around zero."""
    return np.rint(rng.normal(size=n) * 10), NORMAL + log(10)


def zero_inflated(rng, n):
    """Zero in two of five rows."""
    zero = rng.random(n) < 0.4
    entropy = -0.4 * log(0.4) - 0.6 * log(0.6) + 0.6 * (NORMAL + log(1e3))
    return np.where(zero, 0.0, np.rint(rng.normal(size=n) * 1e3)), entropy


def heaped(rng, n):
    """Ages of 20 to 79, half of them at multiples of five."""
    exact, round_to_five = rng.integers(20, 80, n), 5 * rng.integers(4, 16, n)
    p = np.full(60, 0.5 / 60)
    p[::5] += 0.5 / 12
    return np.where(rng.random(n) < 0.5, exact, round_to_five).astype(float), -(p * np.log(p)).sum()


def prices(rng, n):
    """In cents, nine of ten at .99 of a unit below 30, the others anywhere below 30."""
    p = np.full(3000, 0.1 / 3000)
    p[99::100] += 0.9 / 30
    x = np.where(rng.random(n) < 0.9, 100 * rng.integers(0, 30, n) + 99, rng.integers(0, 3000, n))
    return x.astype(float), -(p * np.log(p)).sum()


@pytest.mark.parametrize("kind", [fine, coarse, integers, zero_inflated, heaped, prices])
def test_the_mass_of_columns_as_people_record_them_approaches_the_entropy(kind):
    for n, near in ((150, 0.35 if kind is not coarse else 1.6), (3000, 0.06)):
        excess, error = [], []
        for seed in range(2):
            rng = np.random.default_rng([n, seed])
            marginal = Marginal(resolution=1.0)
            marginal.fit(kind(rng, n)[0])
            x, entropy = kind(rng, 4000)
            nats = -marginal.log_prob(torch.from_numpy(x)).numpy()
            excess.append(nats.mean() - entropy)
            error.append(nats.std() / len(x) ** 0.5)
        assert np.mean(excess) > -2 * np.mean(error), "below the entropy"
        assert np.mean(excess) < near + 2 * np.mean(error)


def test_the_step_in_which_coarse_values_are_written_hardly_matters():
    rng = np.random.default_rng(0)
    x, test = np.rint(rng.normal(size=1500) * 10), np.rint(rng.normal(size=4000) * 10)
    nats = []
    for finer in (1.0, 100.0, 1e12):
        marginal = Marginal(resolution=1.0)
        marginal.fit(x * finer)
        nats.append(-float(marginal.log_prob(torch.from_numpy(test * finer)).mean()))
    assert max(nats) - min(nats) < 0.3  # a new value costs ln 1e12, but hardly ever comes


def a_distribution(rows, *, resolution, naturals=False, x=None):
    """A mixture over the scores of a column that was laid out by data, with random weights, and its head."""
    torch.manual_seed(0)
    rng = np.random.default_rng(1)
    x = np.where(rng.random(300) < 0.3, 0.0, np.abs(np.rint(rng.normal(size=300) * 20))) if x is None else x
    head = ScoresHead(4, resolution=resolution, naturals=naturals)
    head.initialise(torch.from_numpy(x * (resolution or 1.0)))
    h = torch.randn(1, 4).expand(rows, 4) * 5
    with torch.no_grad():
        return head(h)


@pytest.mark.parametrize(("resolution", "naturals"), [(1.0, True), (1.0, False), (0.25, False)])
def test_masses_sum_to_one_and_are_the_rise_of_the_distribution_function(resolution, naturals):
    grid = torch.arange(-20_000 * (not naturals), 20_000).double() * resolution
    p = a_distribution(len(grid), resolution=resolution, naturals=naturals)
    mass = p.log_prob(grid).exp()
    assert float(mass.sum()) == pytest.approx(1, abs=1e-6)
    assert torch.allclose(mass.cumsum(0) + float(p.cdf(grid)[0] - mass[0]), p.cdf(grid), atol=1e-9)
    u = torch.rand(1000, generator=torch.Generator().manual_seed(0)).double()
    q = a_distribution(1000, resolution=resolution, naturals=naturals)
    drawn = q.icdf(u)
    assert bool((q.cdf(drawn) > u).all())
    above = drawn > 0 if naturals else drawn > -np.inf
    assert bool((q.cdf(torch.where(above, drawn - resolution, drawn)) <= u)[above].all())


@pytest.mark.slow
def test_a_density_integrates_to_one():
    rng = np.random.default_rng(0)
    x = torch.linspace(-50, 200, 400_001).double()
    p = a_distribution(len(x), resolution=None, x=rng.lognormal(size=300))
    assert float(torch.trapezoid(p.log_prob(x).exp(), x)) == pytest.approx(1, abs=2e-3)
    u = torch.linspace(0.001, 0.999, 50).double()
    q = a_distribution(50, resolution=None, x=rng.lognormal(size=300))
    assert torch.allclose(q.cdf(q.icdf(u)), u, atol=1e-9)


def test_one_standard_normal_component_is_the_distribution_of_the_column():
    rng = np.random.default_rng(0)
    values = torch.from_numpy(np.rint(rng.normal(size=500) * 10))
    head = ScoresHead(4, components=1, resolution=1.0)
    head.initialise(values)
    with torch.no_grad():
        head.mixture.linear.weight.zero_()
        _, mean, raw = head.mixture.linear.bias.view(3, 1)
        mean.zero_()
        raw.fill_(float(np.log(np.expm1(-head.narrowest)) + head.narrowest))
    with torch.no_grad():
        p = head(torch.zeros(500, 4))
    assert torch.allclose(p.log_prob(values), head.marginal.log_prob(values), atol=1e-5)


def test_a_blend_keeps_to_the_better_of_its_heads_and_passes_missing_values_on():
    rng = np.random.default_rng(0)
    x = torch.from_numpy(np.where(rng.random((200, 1)) < 0.2, np.nan, np.rint(rng.normal(size=(200, 1)) * 5)))
    head = MissingHead(BlendHead([GaussianMixtureHead(4, resolution=1.0), ScoresHead(4, resolution=1.0)]))
    head.initialise(x)
    with torch.no_grad():
        p = head(torch.zeros(200, 1, 4))
    assert bool(p.log_prob(x).isfinite().all())
    gone = float(x.isnan().double().mean())
    assert p.log_prob(torch.full((200, 1), torch.nan).double()).exp().mean().item() == pytest.approx(gone, abs=0.01)


def test_what_is_no_number_of_the_column_is_refused():
    p = a_distribution(1, resolution=1.0, naturals=True)
    for value, message in (
        (0.5, "not a multiple of the declared resolution 1"),
        (-1.0, "not one of the numbers 0, 1, 2"),
        (np.nan, "NaN or infinite"),
    ):
        with pytest.raises(InputError, match=message):
            p.log_prob(torch.tensor([value]).double())
    with pytest.raises(InputError, match=r"not a multiple of the declared resolution 0\.25"):
        a_distribution(1, resolution=0.25).log_prob(torch.tensor([0.3]).double())


def test_extreme_features_and_values_stay_finite():
    head = ScoresHead(4, resolution=1.0)
    head.initialise(torch.arange(100).double())
    h = torch.tensor([[1e4, -1e4, 1e4, -1e4]]).requires_grad_()
    for value in (-1e9, 0.0, 50.0, 1e9):
        ln = head(h).log_prob(torch.tensor([value]).double())
        assert bool(ln.isfinite().all())
        (gradient,) = torch.autograd.grad(ln.sum(), h)
        assert bool(gradient.isfinite().all())
