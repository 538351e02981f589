"""Reals: the mixture of Gaussians as a density and as a mass, its start from data, and the resolution of a column."""

import warnings

import mpmath
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import chi2
from sklearn.datasets import load_breast_cancer, load_wine

from chainrule.batch import Batch
from chainrule.domain import detect_resolution
from chainrule.errors import InputError
from chainrule.heads.gaussian_mixture import GaussianMixture, GaussianMixtureHead
from chainrule.heads.intervals import log_normal_interval
from chainrule.heads.logistic_mixture import LogisticMixtureHead
from chainrule.models.chain import AutoregressiveModel
from chainrule.networks.transformer import Transformer
from tests.support import oracles

ONES = torch.ones(1, 1)


def mixture(weights, means, scales, **units):
    logits, log_scale = torch.tensor([weights]).log(), torch.tensor([scales]).log()
    return GaussianMixture(logits, torch.tensor([means]), log_scale, **units)


# --- the numbers ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("resolution", [None, 1e-6, 0.1, 30.0])
@pytest.mark.parametrize("logit_scale", [1.0, 1e4])
def test_log_prob_within_4_eps_of_the_oracle(resolution, logit_scale):
    generator = np.random.default_rng(0)
    for _ in range(60):
        k = int(generator.integers(1, 5))
        logits, mean = generator.normal(size=k) * logit_scale, generator.normal(size=k) * 3
        parameters = [torch.tensor(t, dtype=torch.float32) for t in (logits, mean, generator.uniform(-7, 7, size=k))]
        centre, spread = float(generator.normal() * 100), float(np.exp(generator.normal() * 3))
        x = centre + spread * float(generator.normal() * generator.choice([1, 100]))
        if resolution is not None:
            x = resolution * round(x / resolution)
        exact = oracles.gaussian_mixture(x, *parameters, centre, spread, resolution)
        step = None if resolution is None else torch.tensor(resolution, dtype=torch.float64)
        ours = GaussianMixture(*parameters, centre, spread, step).log_prob(torch.tensor(x, dtype=torch.float64))
        assert oracles.error_in_eps(ours, exact) <= 4


def test_normal_interval_everywhere():
    generator = np.random.default_rng(0)
    for centre in [0.0, *np.exp(generator.uniform(-10, 14, size=40))]:
        for width in np.exp(generator.uniform(-23, 8, size=20)):
            with mpmath.workdps(60):
                m, w = mpmath.mpf(centre), mpmath.mpf(width)
                exact = mpmath.log(oracles.interval(oracles.normal_cdf, m - w / 2, m + w / 2))
            ours = log_normal_interval(torch.tensor(-centre).double(), torch.tensor(width).double())
            assert oracles.error_in_eps(ours, exact, eps=1e-14) <= 30


def test_gradients():
    generator = torch.Generator().manual_seed(0)
    parameters = [torch.randn(6, 3, generator=generator, dtype=torch.float64, requires_grad=True) for _ in range(3)]
    x = torch.tensor([-3.0, -0.5, 0.0, 0.5, 1.0, 20.0])
    for step in (None, torch.tensor(0.5), torch.tensor(0.01)):
        for word in ("log_prob", "cdf"):
            assert torch.autograd.gradcheck(
                lambda *t, s=step, w=word: getattr(GaussianMixture(*t, 0.1, 2.0, s), w)(x), parameters
            )


def test_the_gradient_of_an_interval_is_finite_everywhere():
    centre = torch.tensor([0.0, 1e-300, 1.0, 1e3, 1e8, 1e15]).double().requires_grad_()
    for width in (1e-12, 1e-3, 1.0, 1e3, 1e20):
        w = torch.full_like(centre, width, requires_grad=True)
        for gradient in torch.autograd.grad(log_normal_interval(centre, w).sum(), [centre, w]):
            assert gradient.isfinite().all()
    far = torch.tensor([1e8]).double().requires_grad_()
    (slope,) = torch.autograd.grad(log_normal_interval(far, torch.ones_like(far)), far)
    assert float(slope) == pytest.approx(-1e8, rel=1e-7)


def test_the_jacobian_is_in_the_number():
    # The same law in metres and in millimetres: densities differ by ln 1000, masses not at all.
    metres = torch.tensor([1.7], dtype=torch.float64)
    plain = mixture([0.3, 0.7], [-1.0, 0.5], [0.2, 0.4], centre=1.5, spread=0.25)
    milli = mixture([0.3, 0.7], [-1.0, 0.5], [0.2, 0.4], centre=1500.0, spread=250.0)
    assert float(plain.log_prob(metres) - milli.log_prob(metres * 1000)) == pytest.approx(np.log(1000), abs=1e-12)
    plain.resolution, milli.resolution = torch.tensor(0.1, dtype=torch.float64), torch.tensor(100.0)
    assert float(plain.log_prob(metres) - milli.log_prob(metres * 1000)) == pytest.approx(0, abs=1e-12)
    assert plain.is_mass
    assert not mixture([1.0], [0.0], [1.0]).is_mass


def test_a_known_density_by_quadrature():
    weights, means, scales = [0.2, 0.5, 0.3], [-2.0, 0.3, 3.0], [0.5, 0.2, 1.5]
    p = mixture(weights, means, scales, centre=10.0, spread=2.0)
    x = torch.linspace(-20, 40, 4001, dtype=torch.float64)
    many = GaussianMixture(*(t.expand(4001, 3) for t in (p.logits, p.mean, p.log_scale)), 10.0, 2.0)
    known = sum(
        w * np.exp(-(((x.numpy() - 10 - 2 * m) / (2 * s)) ** 2) / 2) / (2 * s * np.sqrt(2 * np.pi))
        for w, m, s in zip(weights, means, scales, strict=True)
    )
    assert np.abs(many.log_prob(x).exp().numpy() - known).max() < 1e-6
    assert abs(float(torch.trapezoid(many.log_prob(x).exp(), x)) - 1) < 1e-6


def test_the_masses_of_a_grid_sum_to_one_and_are_what_is_drawn():
    p = mixture([0.4, 0.6], [-1.0, 1.0], [0.01, 0.8], centre=3.0, spread=2.0, resolution=torch.tensor(0.25))
    grid = torch.arange(-100, 100, dtype=torch.float64) * 0.25
    many = GaussianMixture(*(t.expand(200, 2) for t in (p.logits, p.mean, p.log_scale)), 3.0, 2.0, torch.tensor(0.25))
    pmf = many.log_prob(grid).exp()
    assert abs(float(pmf.sum()) - 1) < 1e-9
    assert torch.allclose(many.cdf(grid), pmf.cumsum(0), atol=1e-9)
    wide = GaussianMixture(
        *(t.expand(100_000, 2) for t in (p.logits, p.mean, p.log_scale)), 3.0, 2.0, torch.tensor(0.25)
    )
    drawn = wide.sample(torch.Generator().manual_seed(0))
    count = torch.bincount((drawn / 0.25).round().long() + 100, minlength=200).double()
    large = pmf * 1e5 >= 5
    statistic = ((count - pmf * 1e5).square() / (pmf * 1e5))[large].sum()
    assert float(statistic) < chi2.isf(1e-6, int(large.sum()) - 1)


@pytest.mark.parametrize("u", [0.0, 1e-12, 0.5, 1 - 2.0**-53])
def test_every_uniform_number_is_a_draw(u):
    p = mixture([0.5, 0.5], [-1e4, 1e4], [1e-3, 1e3])
    x = p.icdf(torch.tensor([u], dtype=torch.float64))
    assert x.isfinite().all()
    assert float(p.cdf(x)) == pytest.approx(u, abs=1e-9)


# --- from data ------------------------------------------------------------------------------------------------------


def fitted(head, x, steps=300):
    h = torch.ones(len(x), head.features)
    optimizer = torch.optim.Adam(head.parameters(), lr=0.05)
    for _ in range(steps):
        optimizer.zero_grad()
        (-head(h).log_prob(x).mean()).backward()
        optimizer.step()
    return head(h[:1])


def test_a_known_density_is_recovered_from_draws():
    torch.manual_seed(0)
    true = mixture([0.3, 0.7], [-1.0, 2.0], [0.2, 0.9], centre=100.0, spread=10.0)
    many = GaussianMixture(*(t.expand(10_000, 2) for t in (true.logits, true.mean, true.log_scale)), 100.0, 10.0)
    x = many.sample(torch.Generator().manual_seed(0))
    head = GaussianMixtureHead(1, components=3)
    head.initialise(x[:, None])
    p = fitted(head, x)
    grid = torch.linspace(50, 200, 4001, dtype=torch.float64)

    def log_density(q):
        parameters = (t.detach().expand(4001, t.shape[-1]) for t in (q.logits, q.mean, q.log_scale))
        return GaussianMixture(*parameters, q.centre, q.spread).log_prob(grid)

    assert abs(float(torch.trapezoid(log_density(p).exp(), grid)) - 1) < 1e-6
    divergence = torch.trapezoid(log_density(true).exp() * (log_density(true) - log_density(p)), grid)
    assert 0 <= float(divergence) < 2e-3


def test_start_in_the_units_of_each_element():
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(500, 3, generator=generator, dtype=torch.float64) * torch.tensor([1e-3, 1.0, 1e6]) + 5
    x[::7, 1] = torch.nan
    head = GaussianMixtureHead(4, length=3)
    head.initialise(x)
    assert torch.allclose(head.centre, x.nanmean(0))
    x = torch.where(x.isnan(), 5.0, x)
    nats = -head(torch.zeros(500, 3, 4)).log_prob(x).mean(0)
    gaussian = 0.5 * np.log(2 * np.pi * np.e) + np.log([1e-3, 1.0, 1e6])
    assert np.abs(nats.detach().numpy() - gaussian).max() < 0.3
    for d in range(3):
        alone = head.at(d, torch.zeros(500, 4), x[:, :d]).log_prob(x[:, d])
        assert torch.equal(alone, head(torch.zeros(500, 3, 4)).log_prob(x)[:, d])


def test_the_floor_holds_the_density_of_repeated_values():
    x = torch.full((1000, 1), 2.5)
    x[:10] = torch.arange(10)[:, None] * 0.5
    head = GaussianMixtureHead(1, components=2)
    head.initialise(x)
    p = fitted(head, x[:, 0], steps=600)
    assert float(p.log_prob(torch.tensor([2.5])).detach()) < np.log(np.sqrt(12 / (2 * np.pi)) / 0.5)
    h = torch.ones(1000, 1)
    with pytest.warns(UserWarning, match="at the floor"):
        assert head.floor_share(h, x[:, 0]) > 0.9
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert head.floor_share(h, x[:, 0], warn_above=1.0) > 0.9


def test_a_constant_column_is_refused_as_a_density_and_certain_as_a_mass():
    x = torch.full((50, 1), 7.5)
    with pytest.raises(InputError, match="constant"):
        GaussianMixtureHead(1).initialise(x)
    head = GaussianMixtureHead(1, resolution=0.5)
    head.initialise(x)
    p = fitted(head, x[:, 0])
    assert -1e-3 < float(p.log_prob(torch.tensor([7.5])).detach()) <= 0


def test_a_column_without_values_keeps_its_units():
    head = GaussianMixtureHead(1)
    head.initialise(torch.full((50, 1), torch.nan))
    assert head(torch.ones(1, 1)).log_prob(torch.zeros(1)).isfinite().all()


def test_units_travel_with_the_weights():
    head = GaussianMixtureHead(2, length=2, resolution=[0.5, 1.0])
    head.initialise(torch.tensor([[1.0, 20.0], [1.5, 90.0], [4.0, 30.0]]))
    other = GaussianMixtureHead(2, length=2, resolution=[0.25, 3.0])
    other.load_state_dict(head.state_dict())
    x, h = torch.tensor([[2.0, 15.0]]), torch.ones(1, 2, 2)
    assert torch.equal(head(h).log_prob(x), other(h).log_prob(x))


def chain(x, **options):
    torch.manual_seed(0)
    head = GaussianMixtureHead(16, length=x.shape[1], **options)
    model = AutoregressiveModel(Transformer(None, x.shape[1], 16, depth=2, heads=2, dropout=0.2), head)
    model.initialise(x)
    return model.eval()


def test_units_do_not_matter_to_a_model():
    x = torch.randn(50, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    metres, milli = chain(x), chain(1000 * x + 7)
    gap = metres.log_prob(Batch(x)) - milli.log_prob(Batch(1000 * x + 7))
    assert np.abs(gap.detach().numpy() - 3 * np.log(1000)).max() < 1e-4


@pytest.mark.slow
@pytest.mark.parametrize("load", [load_wine, load_breast_cancer])
def test_a_chain_of_mixtures_beats_one_gaussian_per_column_held_out(load):
    x = torch.tensor(load().data)
    x = x[torch.randperm(len(x), generator=torch.Generator().manual_seed(0))]
    train, test = x[len(x) // 5 :], x[: len(x) // 5]
    gaussian = torch.distributions.Normal(train.mean(0), train.std(0)).log_prob(test).sum(1)
    model = chain(train, components=4)
    optimizer = torch.optim.AdamW(model.parameters(), lr=5e-3, weight_decay=0.1)
    model.train()
    for _ in range(200):
        optimizer.zero_grad()
        (-model.log_prob(Batch(train[torch.randint(len(train), (64,))])).mean()).backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 10.0)
        optimizer.step()
    gain = model.eval().log_prob(Batch(test)).detach() - gaussian
    assert float(gain.mean()) > 2 * float(gain.std()) / len(test) ** 0.5


# --- resolution -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("values", "resolution"),
    [
        ([0.1, 0.2, 0.7], 0.1),
        ([0.5, 1.5, 2.5], 0.5),
        ([12.0, 7.0, 3.0], 1.0),
        ([1200.0, 300.0], 300.0),
        ([0.00025, -0.001], 0.00025),
        ([1e9 + 0.5, 1e9], 0.5),
        ([0.3, np.nan, 0.6, np.inf], 0.3),
        (np.float32([0.1, 0.2, 0.7]), 0.1),
        (np.random.default_rng(0).normal(size=9), None),
        (np.random.default_rng(0).normal(size=9).astype(np.float32), None),
        ([0.0, 0.0], None),
        ([1e-320, 2e-320], None),
        ([1e-310, 5.0], None),
        ([np.nan], None),
        ([], None),
    ],
)
def test_detect_resolution(values, resolution):
    found = detect_resolution(values)
    assert found == (None if resolution is None else pytest.approx(resolution, rel=1e-12))


@given(st.lists(st.integers(-10_000, 10_000), min_size=1), st.integers(-3, 5))
def test_the_step_of_a_grid_is_found(numbers, decimals):
    found = detect_resolution(np.array(numbers) / 10.0**decimals)
    divisor = int(np.gcd.reduce(numbers))
    assert found == (pytest.approx(divisor / 10.0**decimals, rel=1e-9) if divisor else None)


# --- bad input ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("x", "message"),
    [
        (torch.tensor([torch.nan]), "NaN"),
        (torch.tensor([torch.inf]), "infinite"),
        (torch.tensor([0.0, 1.0]), "shape"),
        (torch.tensor([0.15]), "not a multiple"),
    ],
)
def test_bad_reals(x, message):
    with pytest.raises(InputError, match=message):
        GaussianMixtureHead(1, resolution=0.1)(ONES).log_prob(x)


@pytest.mark.parametrize(
    "build",
    [
        lambda: GaussianMixtureHead(1, 256),
        lambda: GaussianMixtureHead(1, components=0),
        lambda: GaussianMixtureHead(1, floor=0.0),
        lambda: GaussianMixtureHead(1, resolution=-1.0),
        lambda: GaussianMixtureHead(1, resolution=[1.0, 2.0], length=3),
        lambda: GaussianMixtureHead(1, length=2).initialise(torch.zeros(5, 3)),
        lambda: GaussianMixtureHead(1).initialise(torch.tensor([[1.0], [torch.inf]])),
        lambda: LogisticMixtureHead(1, 4)(ONES).log_prob(torch.tensor([0.5])),
    ],
)
def test_bad_heads(build):
    with pytest.raises(InputError):
        build()
