"""Joint Gaussians: their conditionals are those of the mixtures, and they find what generated the data."""

from math import log, pi

import numpy as np
import pytest
import torch
from scipy.stats import multivariate_normal

from chainrule import Batch
from chainrule.config.defaults import default_spec
from chainrule.config.registry import build_model
from chainrule.data.examples.arrays import ArrayExamples
from chainrule.domain import Column, Domain
from chainrule.heads.marginal import Marginal
from chainrule.networks import JointGaussians
from chainrule.training.fitted import fit_parts, fitting_of
from chainrule.training.gaussian_classes import Rows, Settings, chosen_settings, fitted_classes


def fitted(x, columns, valid=100):
    domain = Domain((len(columns),), None, columns=columns)
    model = build_model(default_spec(domain, "row", network="joint_gaussians"), domain)
    model.initialise(torch.from_numpy(x[valid:]))
    assert fit_parts(fitting_of(model, ArrayExamples(x[valid:]), ArrayExamples(x[:valid]), 0))
    return model.eval()


def nats(model, x):
    with torch.no_grad():
        return -float(model.log_prob(Batch(torch.from_numpy(x))).mean())


def test_conditionals_are_those_of_the_mixture():
    torch.manual_seed(0)
    network = JointGaussians([Column(None)] * 3, [Marginal(None) for _ in range(3)], classes=2)
    lower = (torch.randn(2, 3, 3).tril(-1) + torch.eye(3) * torch.tensor([0.7, 1.3])[:, None, None]).double()
    network.values.lower.copy_(lower)
    network.values.mean.normal_()
    x = torch.randn(5, 3).double()
    parts = network(x)[..., :-2].double().unflatten(-1, (6, 2))
    weight, mean, scale = parts[..., 3, :], parts[..., 4, :], parts[..., 5, :]
    each = weight - (((x.unsqueeze(-1) - mean) / scale.exp()) ** 2) / 2 - scale - log(2 * pi) / 2
    total = each.logsumexp(-1).sum(-1)
    laws = [multivariate_normal(network.values.mean[k], lower[k] @ lower[k].T) for k in range(2)]
    expected = np.log(sum(law.pdf(x.numpy()) / 2 for law in laws))
    assert total.numpy() == pytest.approx(expected, abs=1e-5)


def test_conditionals_are_given_what_is_there():
    """Where numbers are missing, the others have the mixture of the marginal Gaussians, in parallel and in turn."""
    torch.manual_seed(0)
    network = JointGaussians([Column(None, missing=True)] * 4, [Marginal(None) for _ in range(4)], classes=2).double()
    network.unit = network.unit.double()
    lower = (torch.randn(2, 4, 4).tril(-1) + torch.eye(4) * torch.tensor([0.7, 1.3])[:, None, None]).double()
    network.values.lower.copy_(lower)
    network.values.mean.normal_()
    x = torch.randn(6, 4).double()
    x[torch.tensor([[0, 1, 0, 0], [1, 0, 1, 0], [0, 0, 0, 0], [1, 1, 1, 0], [0, 0, 1, 1], [1, 1, 0, 0]]).bool()] = (
        np.nan
    )
    h = network(x)
    parts = h[..., :-2].unflatten(-1, (6, 2))
    weight, mean, scale = parts[..., 3, :], parts[..., 4, :], parts[..., 5, :]
    each = weight - (((x.unsqueeze(-1) - mean) / scale.exp()) ** 2) / 2 - scale - log(2 * pi) / 2
    total = each.logsumexp(-1).nansum(-1)
    expected = []
    for row in x.numpy():
        at = np.flatnonzero(~np.isnan(row))
        covariance = [(lower[k] @ lower[k].T).numpy()[np.ix_(at, at)] for k in range(2)]
        laws = [multivariate_normal(network.values.mean[k].numpy()[at], covariance[k]) for k in range(2)]
        expected.append(np.log(sum(law.pdf(row[at]) / 2 for law in laws)))
    assert total.numpy() == pytest.approx(np.array(expected), abs=1e-9)
    state = network.initial_state(len(x))
    steps = [network.step(x[:, d - 1] if d else None, state)[0] for d in range(4)]
    torch.testing.assert_close(torch.stack(steps, 1), h)


def test_missing_numbers_do_not_weaken_what_the_others_say():
    """Two numbers of correlation 0.9, of which a third is missing at random: the sum of both costs what is there."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(600, 2)) @ np.array([[1.0, 0.9], [0.0, 0.19**0.5]])
    x[rng.random(x.shape) < 0.33] = np.nan
    rows = Rows(torch.from_numpy(x), torch.zeros(600, 0, dtype=torch.long), ())
    found = fitted_classes(rows, Settings(to_diagonal=0.0), 0)
    covariance = (found.lower[0] @ found.lower[0].T).numpy()
    assert covariance == pytest.approx(np.array([[1.0, 0.9], [0.9, 1.0]]), abs=0.12)


@pytest.mark.parametrize("step", [None, pytest.param(1e-3, marks=pytest.mark.slow)])
def test_a_gaussian_of_known_entropy_is_found_as_a_density_and_as_a_mass(step):
    rng = np.random.default_rng(0)
    lower = np.tril(rng.normal(size=(4, 4)))
    draw = lambda n: rng.normal(size=(n, 4)) @ lower.T  # noqa: E731
    entropy = 2 * log(2 * pi) + 2 + np.log(np.abs(np.diag(lower))).sum()
    x, test = draw(900), draw(4000)
    error = 2 * 2**0.5 / 4000**0.5
    if step is None:
        assert -error < nats(fitted(x, (Column(None),) * 4), test) - entropy < 0.15
        return
    whole = lambda x: np.rint(x / step)  # noqa: E731
    mass = nats(fitted(whole(x), (Column(None, resolution=1.0),) * 4), whole(test))
    assert -error < mass - (entropy + 4 * log(1 / step)) < 0.25


@pytest.mark.parametrize("missing", [0.0, pytest.param(0.2, marks=pytest.mark.slow)])
def test_classes_symbols_counts_and_missing_values_in_one_row(missing):
    rng = np.random.default_rng(0)

    def draw(n):
        kind = rng.integers(0, 2, n)
        name = np.where(rng.random(n) < 0.9, kind, 1 - kind)
        count = rng.poisson(np.where(kind, 40, 4))
        real = np.rint(rng.normal(np.where(kind, 30, -30), 5))
        real = np.where(rng.random(n) < missing, np.nan, real)
        return np.stack([name, count, real], 1).astype(float)

    columns = (Column(2), Column(None, resolution=1.0, count=True), Column(None, resolution=1.0, missing=True))
    model = fitted(draw(500), columns)
    test = draw(2000)
    separate = nats(fitted(rng.permuted(draw(500), axis=0), columns), test)  # columns that say nothing of each other
    assert nats(model, test) < separate - 0.65  # they tell of which of two kinds the row is


def test_the_state_of_a_half_fitted_model_goes_on():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(300, 3)) @ np.array([[1, 0.5, 0], [0, 1, 0.5], [0, 0, 1]])
    domain = Domain((3,), None, columns=(Column(None),) * 3)
    models = [build_model(default_spec(domain, "row", network="joint_gaussians"), domain) for _ in range(2)]
    for model in models:
        model.initialise(torch.from_numpy(x[60:]))
    first, second = (fitting_of(model, ArrayExamples(x[60:]), ArrayExamples(x[:60]), 0) for model in models)
    first.fit_next()
    second.load_state_dict({**first.state_dict(), "model": {k: v.clone() for k, v in models[0].state_dict().items()}})
    for fitting in (first, second):
        fit_parts(fitting)
    assert nats(models[0].eval(), x) == nats(models[1].eval(), x)


def test_classes_of_different_shapes_are_found_where_one_class_says_nothing_of_the_share_of_the_diagonal():
    """Two long thin classes across each other: one Gaussian over both is round whatever its diagonal."""
    generator = torch.Generator().manual_seed(0)
    thin = torch.randn(60, 2, 3, generator=generator).double() * torch.tensor([1.0, 0.05, 0.05])
    turned = thin[:, 1] @ torch.linalg.qr(torch.randn(3, 3, generator=generator).double())[0] + 0.5
    rows = Rows(torch.cat([thin[:, 0], turned]), torch.zeros(120, 0).long(), ())
    settings = chosen_settings(rows, 18, 0)
    assert settings.classes == 2
    assert settings.to_diagonal <= 0.002
    assert settings.to_common <= 0.25
