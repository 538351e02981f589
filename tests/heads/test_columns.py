"""Rows of different kinds: counts, missing values, columns."""

from itertools import product

import numpy as np
import pytest
import torch
from scipy.stats import chi2

from chainrule.batch import Batch
from chainrule.errors import InputError
from chainrule.heads.bernoulli import BernoulliHead
from chainrule.heads.categorical import CategoricalHead
from chainrule.heads.channel_chain import ChannelChainHead
from chainrule.heads.columns import ColumnsHead
from chainrule.heads.count import Count, CountHead
from chainrule.heads.gaussian_mixture import GaussianMixtureHead
from chainrule.heads.logistic_mixture import LogisticMixtureHead
from chainrule.heads.missing import MissingHead
from chainrule.models.chain import AutoregressiveModel
from chainrule.networks.causal_conv import CausalConv
from chainrule.networks.transformer import Transformer
from chainrule.verification.laws import check_head, randomised
from tests.support import oracles

H = 8


# --- counts ---------------------------------------------------------------------------------------------------------


def test_counts_within_4_eps_of_the_oracle():
    generator = np.random.default_rng(0)
    for _ in range(100):
        k = int(generator.integers(1, 5))
        logits, mean = generator.normal(size=k), generator.uniform(-3, 30, size=k)
        parameters = [torch.tensor(t, dtype=torch.float32) for t in (logits, mean, generator.uniform(-12, 1, size=k))]
        for n in (0, 1, int(np.exp(generator.uniform(0, 36)))):
            ours = Count(*parameters).log_prob(torch.tensor(n))
            assert oracles.error_in_eps(ours, oracles.count(n, *parameters)) <= 4


def test_counts_sum_to_one_and_fit_their_draws():
    parameters = torch.tensor([[0.0, 1.0]]), torch.tensor([[0.5, 2.5]]), torch.tensor([[-1.0, -0.5]])
    many = Count(*(t.expand(3000, 2) for t in parameters))
    n = torch.arange(3000)
    pmf = many.log_prob(n).exp()
    assert torch.allclose(pmf.cumsum(0), many.cdf(n), atol=1e-12)
    drawn = Count(*(t.expand(100_000, 2) for t in parameters)).sample(torch.Generator().manual_seed(0))
    large = pmf * 1e5 >= 5
    count = torch.bincount(drawn, minlength=3000)[:3000].double()
    statistic = ((count - pmf * 1e5).square() / (pmf * 1e5))[large].sum()
    assert float(statistic) < chi2.isf(1e-6, int(large.sum()) - 1)


def test_gradients_of_counts():
    generator = torch.Generator().manual_seed(0)
    parameters = [torch.randn(4, 2, generator=generator, dtype=torch.float64, requires_grad=True) for _ in range(3)]
    n = torch.tensor([0, 1, 7, 10**9])
    for word in ("log_prob", "cdf"):
        assert torch.autograd.gradcheck(lambda *t, w=word: getattr(Count(*t), w)(n), parameters)


def test_counts_start_at_their_quantiles():
    head = CountHead(H, components=2)
    head.initialise(torch.tensor([[0.0], [1000.0], [torch.nan], [0.0], [1000.0]]))
    assert head(torch.zeros(1, H)).mean.exp().flatten().tolist() == pytest.approx([0.5, 1000.5], rel=1e-4)


@pytest.mark.parametrize("n", [-1, 1.5, torch.nan, torch.inf])
def test_bad_counts(n):
    with pytest.raises(InputError, match="not a count"):
        CountHead(H)(torch.zeros(1, H)).log_prob(torch.tensor([n]))
    with pytest.raises(InputError, match="no largest symbol"):
        CountHead(H, 7)


# --- missing --------------------------------------------------------------------------------------------------------


def test_missing_reals_are_an_outcome_of_their_own():
    head = randomised(MissingHead(GaussianMixtureHead(H, resolution=0.5)))
    h = torch.randn(H, generator=torch.Generator().manual_seed(0))
    grid = torch.cat([torch.arange(-4000, 4000) * 0.5, torch.tensor([torch.nan])])
    p = head(h.expand(len(grid), H))
    pmf = p.log_prob(grid).exp().detach()
    assert float(pmf.sum()) == pytest.approx(1, abs=1e-6)
    assert torch.allclose(p.cdf(grid), pmf.cumsum(0), atol=1e-6)
    drawn = head(h.expand(100_000, H)).sample(torch.Generator().manual_seed(0))
    missing = float(drawn.isnan().double().mean())
    assert missing == pytest.approx(float(pmf[-1]), abs=5 * np.sqrt(0.25 / 1e5))
    assert p.is_mass
    assert p.num_symbols is None


def test_a_missing_value_spoils_no_gradient():
    head = MissingHead(GaussianMixtureHead(H))
    h = torch.randn(3, H, requires_grad=True)
    x = torch.tensor([torch.nan, 0.3, torch.nan])
    gradients = torch.autograd.grad(head(h).log_prob(x).sum(), [h, *head.parameters()])
    assert all(g.isfinite().all() for g in gradients)


def test_missing_starts_at_its_share():
    x = torch.full((99, 1), torch.nan)
    x[:33, 0] = torch.arange(33)
    head = MissingHead(GaussianMixtureHead(H))
    head.initialise(x)
    with torch.no_grad():
        head.linear.weight.zero_()
    missing = head(torch.zeros(1, H)).log_prob(torch.tensor([torch.nan])).exp()
    assert missing.tolist() == pytest.approx([2 / 3], abs=0.01)
    assert head.head.centre.tolist() == [16.0]


def test_a_column_that_is_always_missing_costs_nothing():
    head = MissingHead(GaussianMixtureHead(H))
    head.initialise(torch.full((1000, 1), torch.nan))
    log_prob = head(torch.zeros(1, H)).log_prob(torch.tensor([torch.nan]))
    assert -1e-2 < float(log_prob.detach()) < 0


def test_the_entropy_of_missing():
    p = MissingHead(CategoricalHead(H, 3))(torch.randn(2, H))
    assert torch.allclose(p.entropy(), torch.special.entr(p.pmf()).sum(-1), atol=1e-6)


# --- columns --------------------------------------------------------------------------------------------------------


def every_kind():
    return ColumnsHead(
        [
            CategoricalHead(H, 4),
            BernoulliHead(H),
            MissingHead(LogisticMixtureHead(H, 12, components=2)),
            CountHead(H),
            GaussianMixtureHead(H, resolution=0.1),
            MissingHead(GaussianMixtureHead(H, resolution=0.5)),
            CategoricalHead(H, 1),
        ]
    )


def rows(n=200):
    generator = np.random.default_rng(0)
    kind = generator.integers(4, size=n)
    real = np.round(generator.normal(size=n) + kind, 1)
    half = np.where(generator.random(n) < 0.3, np.nan, np.round(2 * real) / 2)
    level = np.where(generator.random(n) < 0.1, 12, np.clip(kind * 3 + generator.integers(3, size=n), 0, 11))
    columns = [kind, generator.integers(2, size=n), level, generator.poisson(5.0, size=n), real, half, np.zeros(n)]
    return torch.tensor(np.stack(columns, 1), dtype=torch.float64)


def test_all_kinds_obey_the_laws():
    check_head(every_kind(), length=5)


@pytest.mark.parametrize("build", [Transformer, CausalConv])
def test_a_row_of_every_kind_through_a_model(build):
    torch.manual_seed(0)
    x = rows()
    network = build(None, 7, H, depth=2, heads=2) if build is Transformer else build(None, 7, H, depth=3)
    model = AutoregressiveModel(network, every_kind())
    model.initialise(x)
    before = float(model.log_prob(Batch(x)).mean().detach())
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    for _ in range(60):
        optimizer.zero_grad()
        (-model.log_prob(Batch(x)).mean()).backward()
        optimizer.step()
    model.eval()
    assert float(model.log_prob(Batch(x)).mean().detach()) > before + 1
    parts = model.element_log_prob(Batch(x)).detach()
    assert parts.shape == (200, 7)
    assert (parts <= 0).all()
    assert (parts[:, 6] == 0).all()
    sample = model.sample(50, seed=0)
    assert torch.allclose(model.log_prob(Batch(sample.x)).detach(), sample.log_prob, atol=1e-3)
    assert sample.x[:, 5].isnan().any()
    assert not sample.x[:, :5].isnan().any()


def test_rows_of_symbols_sum_to_one():
    heads = [CategoricalHead(H, 3), MissingHead(BernoulliHead(H)), LogisticMixtureHead(H, 4)]
    model = randomised(AutoregressiveModel(Transformer(None, 3, H, depth=1, heads=1), ColumnsHead(heads)))
    every = torch.tensor(list(product(range(3), range(3), range(4))), dtype=torch.float64)
    assert model.log_prob(Batch(every)).exp().sum().tolist() == pytest.approx(1, abs=1e-6)
    p = model.head(torch.zeros(2, 3, H))
    assert p.is_mass
    assert p.density_columns == ()


def test_densities_and_masses_are_not_mixed_silently():
    heads = [CategoricalHead(H, 4), GaussianMixtureHead(H)]
    with pytest.raises(InputError, match="columns 1 are densities"):
        ColumnsHead(heads)
    head = ColumnsHead(heads, mixed=True)
    assert head.density_columns == (1,)
    assert not head(torch.zeros(2, 2, H)).is_mass
    assert ColumnsHead([GaussianMixtureHead(H), GaussianMixtureHead(H)]).density_columns == (0, 1)


@pytest.mark.parametrize(
    ("column", "value", "message"),
    [
        (0, 4.0, "column 0: symbols run"),
        (0, 0.5, "column 0 has 0.5"),
        (0, torch.nan, "column 0 has nan"),
        (1, -1.0, "column 1: symbols run"),
        (2, 13.0, "column 2: symbols run"),
        (3, -1.0, "column 3: -1.0 is not a count"),
        (4, 0.05, "column 4: 0.05.* not a multiple"),
        (4, torch.nan, "column 4: .* NaN"),
        (5, torch.inf, "column 5: .* infinite"),
    ],
)
def test_a_bad_value_is_refused_by_the_name_of_its_column(column, value, message):
    x = rows(1)
    x[0, column] = value
    with pytest.raises(InputError, match=message):
        every_kind()(torch.zeros(1, 7, H)).log_prob(x)


@pytest.mark.parametrize(
    "build",
    [
        lambda: ColumnsHead([]),
        lambda: ColumnsHead([CategoricalHead(8, 2), CategoricalHead(9, 2)]),
        lambda: ColumnsHead([ChannelChainHead(8, 2)]),
        lambda: ColumnsHead([GaussianMixtureHead(8, length=3)]),
        lambda: MissingHead(ChannelChainHead(8, 2)),
        lambda: every_kind().initialise(torch.zeros(5, 3)),
        lambda: every_kind()(torch.zeros(2, 9, H)),
        lambda: every_kind()(torch.zeros(2, 7, H)).log_prob(torch.zeros(2, 6)),
    ],
)
def test_bad_columns(build):
    with pytest.raises(InputError):
        build()


def test_a_constant_column_is_refused_by_its_name():
    head = ColumnsHead([CategoricalHead(H, 2), GaussianMixtureHead(H)], mixed=True)
    with pytest.raises(InputError, match=r"column 1: .* constant"):
        head.initialise(torch.zeros(10, 2))
