"""Levels: the discretised mixture of logistics and the channel chain."""

import numpy as np
import pytest
import torch

from chainrule.batch import Batch
from chainrule.errors import InputError
from chainrule.heads.channel_chain import ChannelChainHead
from chainrule.heads.intervals import log_logistic_interval
from chainrule.heads.logistic_mixture import LogisticMixture, LogisticMixtureHead
from chainrule.models.chain import AutoregressiveModel
from chainrule.networks.transformer import Transformer
from chainrule.verification.laws import LawBroken, check_head, randomised
from tests.support import oracles


def random_mixture(generator, num_symbols, components, logit_scale=1.0, reach=1.0):
    logits = generator.normal(size=components) * logit_scale
    mean = generator.uniform(-0.5, 1.5, size=components) * num_symbols * reach
    log_scale = generator.uniform(-7, 7, size=components)
    return [torch.tensor(t, dtype=torch.float32) for t in (logits, mean, log_scale)]


@pytest.mark.parametrize("logit_scale", [1.0, 1e4])
@pytest.mark.parametrize("reach", [1.0, 100.0])
def test_log_prob_within_4_eps_of_the_oracle(logit_scale, reach):
    generator = np.random.default_rng(0)
    for _ in range(150):
        num_symbols = int(generator.choice([2, 17, 256, 65536]))
        parameters = random_mixture(generator, num_symbols, int(generator.integers(1, 6)), logit_scale, reach)
        for x in (0, num_symbols - 1, int(generator.integers(num_symbols))):
            exact = oracles.logistic_mixture(x, *parameters, num_symbols)
            ours = LogisticMixture(*parameters, num_symbols).log_prob(torch.tensor(x))
            assert oracles.error_in_eps(ours, exact) <= 4


def test_a_density_would_be_wrong_where_it_is_used_as_a_fallback():
    # One logistic of scale 1/4 level, ten levels away: p = 5e-17, and bin and density differ by more than a nat.
    zero, log_scale = torch.zeros(1), torch.tensor([np.log(0.25)], dtype=torch.float32)
    exact = oracles.logistic_mixture(10, zero, zero, log_scale, 256)
    ours = LogisticMixture(zero, zero, log_scale, 256).log_prob(torch.tensor(10))
    density = -40 - 2 * np.log1p(np.exp(-40)) - np.log(0.25)
    assert oracles.error_in_eps(ours, exact) <= 4
    assert abs(density - float(exact)) > 0.5


def test_pmf_sums_to_one_and_is_what_is_scored():
    generator = np.random.default_rng(1)
    for _ in range(40):
        logits, mean, log_scale = random_mixture(generator, 256, 5)
        p = LogisticMixture(logits, mean, log_scale, 256)
        pmf = p.pmf()
        assert abs(float(pmf.double().sum()) - 1) < 1e-6
        x = torch.arange(256)
        each = LogisticMixture(*(t.expand(256, 5) for t in (logits, mean, log_scale)), 256)
        assert torch.equal(each.log_prob(x).exp(), pmf)
        assert torch.allclose(each.cdf(x), pmf.cumsum(0), atol=2e-6)
        assert float(p.entropy()) == pytest.approx(float(torch.special.entr(pmf.double()).sum()), abs=1e-5)


def test_gradients():
    generator = torch.Generator().manual_seed(0)
    parameters = [torch.randn(4, 3, generator=generator, dtype=torch.float64, requires_grad=True) for _ in range(3)]
    x = torch.tensor([0, 1, 3, 4])
    for word in ("log_prob", "cdf"):
        assert torch.autograd.gradcheck(lambda *t, w=word: getattr(LogisticMixture(*t, 5), w)(x), parameters)
    assert torch.autograd.gradcheck(lambda *t: LogisticMixture(*t, 5).entropy(), parameters)


@pytest.mark.parametrize("log_scale", [-7.0, 0.0, 7.0])
def test_far_out_nothing_is_nan_and_the_gradient_points_home(log_scale):
    mean = torch.tensor([[-1e6], [0.0], [128.0], [1e6]], requires_grad=True)
    scale = torch.full((4, 1), log_scale, requires_grad=True)
    for x in (0, 100, 255):
        log_prob = LogisticMixture(torch.zeros(4, 1), mean, scale, 256).log_prob(torch.full((4,), x))
        gradients = torch.autograd.grad(log_prob.sum(), [mean, scale])
        assert log_prob.isfinite().all()
        assert all(g.isfinite().all() for g in gradients)
    assert gradients[0][0] > 0


def test_infinite_ends_take_the_tails():
    infinite = torch.tensor([torch.inf], requires_grad=True)
    log_prob = log_logistic_interval(-infinite, infinite, infinite)
    (gradient,) = torch.autograd.grad(log_prob, infinite)
    assert log_prob.tolist() == [0]
    assert gradient.isfinite().all()


def test_256_levels_obey_the_laws_in_one_pass():
    head = randomised(LogisticMixtureHead(8, 256, components=3))
    p = head(torch.randn(64, 8, generator=torch.Generator().manual_seed(0)))
    drawn = torch.stack([p.icdf(torch.rand(64, dtype=torch.float64)) for _ in range(50)])
    assert int(drawn.min()) >= 0
    assert int(drawn.max()) <= 255
    assert p.log_prob(drawn[0]).isfinite().all()


def test_one_level_is_certain():
    check_head(LogisticMixtureHead(8, 1))
    assert LogisticMixtureHead(8, 1)(torch.zeros(3, 8)).log_prob(torch.zeros(3).long()).tolist() == [0, 0, 0]


def test_start_at_the_quantiles_of_the_data():
    levels = torch.cat([torch.full((900,), 10), torch.full((100,), 200)]).view(-1, 10)
    head = LogisticMixtureHead(4, 256, components=10)
    head.initialise(levels)
    p = head(torch.zeros(1, 4))
    assert torch.allclose(p.mean, torch.tensor([[10.0] * 9 + [200.0]]), atol=1e-3)
    assert (p.log_prob(torch.tensor([10])) > p.log_prob(torch.tensor([100]))).all()


# --- the channel chain ----------------------------------------------------------------------------------------------


def test_channel_chain_against_its_formula():
    head = randomised(ChannelChainHead(6, 16, components=2)).double()
    h = torch.randn(2, 6, 6, dtype=torch.float64)
    x = torch.randint(16, (2, 6))
    log_prob = head(h).log_prob(x)
    p = head(h)
    for b in range(2):
        for d in range(6):
            mean = p.base.mean[b, d].detach().numpy().copy()
            for j in range(1, d % 3 + 1):
                mean += p.slopes[b, d, :, j - 1].detach().numpy() * (int(x[b, d - j]) - 7.5)
            logits, log_scale = (t[b, d].detach().numpy() for t in (p.base.logits, p.base.log_scale))
            exact = oracles.logistic_mixture(int(x[b, d]), logits, mean, log_scale, 16)
            assert oracles.error_in_eps(log_prob[b, d].detach(), exact, eps=2.0**-52) <= 16


@pytest.mark.slow
def test_channels_learn_from_each_other():
    generator = torch.Generator().manual_seed(0)
    red = torch.randint(32, (4000, 1), generator=generator)
    rgb = torch.cat([red, red // 2 + torch.randint(3, (4000, 1), generator=generator), 31 - red], 1)
    h = torch.nn.functional.one_hot(torch.arange(3), 3).float().expand(4000, 3, 3)
    torch.manual_seed(0)
    head = ChannelChainHead(3, 32, components=3)
    head.initialise(rgb)
    optimizer = torch.optim.Adam(head.parameters(), lr=0.05)
    for _ in range(300):
        optimizer.zero_grad()
        (-head(h).log_prob(rgb).sum(1).mean()).backward()
        optimizer.step()
    nats = -head(h).log_prob(rgb).mean(0)
    assert float(nats[0].detach()) == pytest.approx(np.log(32), abs=0.1)
    assert float(nats[1].detach()) < 1.35
    assert float(nats[2].detach()) < 0.2


def test_a_chain_whose_step_forgets_a_channel_is_caught():
    class Forgetful(ChannelChainHead):
        def at(self, d, h, x):
            return super().at(d, h, torch.zeros_like(x))

    with pytest.raises(LawBroken, match="forward"):
        check_head(Forgetful(8, 5))


def test_channel_chain_in_a_model_of_an_image():
    model = AutoregressiveModel(Transformer(4, (1, 2, 3), 8, depth=1, heads=1), ChannelChainHead(8, 4))
    sample = model.sample(20, seed=0)
    assert torch.allclose(model.log_prob(Batch(sample.x)).double(), sample.log_prob, atol=1e-4)


def test_a_chain_has_no_pmf_without_its_elements():
    with pytest.raises(InputError, match="pmf"):
        ChannelChainHead(8, 4)(torch.zeros(2, 3, 8)).pmf()


# --- bad input ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "x", [torch.tensor([1.0, 2.0]), torch.tensor([0, 256]), torch.tensor([-1, 0]), torch.tensor([0])]
)
@pytest.mark.parametrize("head", [LogisticMixtureHead(8, 256), ChannelChainHead(8, 256)], ids=["mixture", "chain"])
def test_bad_levels(head, x):
    with pytest.raises(InputError):
        head(torch.zeros(2, 8)).log_prob(x)


@pytest.mark.parametrize(
    "build",
    [
        lambda: LogisticMixtureHead(8, 0),
        lambda: LogisticMixtureHead(8, 256, components=0),
        lambda: ChannelChainHead(8, 256, channels=0),
    ],
)
def test_bad_heads(build):
    with pytest.raises(InputError):
        build()
