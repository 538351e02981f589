"""An average whose weights are by what each model has said of the elements before: still a chain, and never behind."""

import numpy as np
import pytest
import torch

from chainrule import Batch
from chainrule.config.defaults import default_spec
from chainrule.config.registry import averaged, build_model
from chainrule.data.examples.arrays import ArrayExamples
from chainrule.domain import Column, Domain
from chainrule.errors import InputError
from chainrule.networks.hindsight import Hindsight
from chainrule.training.fitted import fit_parts, fitting_of
from chainrule.training.hindsight_weights import hindsight_weights
from chainrule.training.weighing import element_log_probs, found_weights

COLUMNS = (Column(None, resolution=1.0), Column(3), Column(None, resolution=1.0, missing=True), Column(None))


def draw(n, seed=0):
    """Rows that hang together, each third one of the same few."""
    rng = np.random.default_rng(seed)
    kind = rng.integers(0, 3, n)
    x = np.stack([np.rint(rng.normal(20 * kind, 9)), kind, np.rint(rng.normal(-9 * kind, 5)), rng.normal(kind)], 1)
    x[:, 2] = np.where(rng.random(n) < 0.2, np.nan, x[:, 2])
    few = np.random.default_rng(9).normal(size=(4, 4)).round(1) * [10, 0, 10, 1]
    return np.where((rng.random(n) < 0.3)[:, None], np.rint(few)[rng.integers(0, 4, n)], x)


@pytest.fixture(scope="module")
def both():
    domain = Domain((4,), None, columns=COLUMNS)
    models = []
    for name in ("joint_gaussians", "kernels"):
        spec = default_spec(domain, "row", network=name)
        model = build_model(spec, domain)
        model.initialise(torch.from_numpy(draw(300)))
        fit_parts(fitting_of(model, ArrayExamples(draw(300)), ArrayExamples(draw(80, 1)), 0))
        models.append(model.eval().double())
    return models, averaged(models, weighted=True, weights_by="hindsight").eval().double()


def test_with_full_strength_it_is_the_mixture_of_whole_rows(both):
    models, average = both
    average.network.hindsight.weigh(torch.tensor([0.4, 0.6, 1.0]).double())
    x = Batch(torch.from_numpy(draw(50, 2)))
    each = torch.stack([model(x) for model in models])
    expected = torch.logaddexp(np.log(0.4) + each[0], np.log(0.6) + each[1])
    assert torch.allclose(average(x), expected, atol=1e-6)


def test_without_strength_it_is_the_average_of_conditionals(both):
    models, average = both
    average.network.hindsight.weigh(torch.tensor([0.4, 0.6, 0.0]).double())
    x = Batch(torch.from_numpy(draw(50, 2)))
    each = [model.element_log_prob(x) for model in models]
    expected = torch.logaddexp(np.log(0.4) + each[0], np.log(0.6) + each[1])
    assert torch.allclose(average.element_log_prob(x), expected, atol=1e-9)


def test_the_step_has_the_same_weights_as_the_parallel_pass(both):
    _, average = both
    average.network.hindsight.weigh(torch.tensor([0.4, 0.6, 0.7]).double())
    x = torch.from_numpy(draw(9, 3))
    h, state = average.network(x), average.network.initial_state(9)
    for d in range(4):
        step, state = average.network.step(None if d == 0 else x[:, d - 1], state)
        assert torch.allclose(step, h[:, d], atol=1e-9)


def test_found_weights_are_no_worse_than_the_best_part(both):
    models, average = both
    valid, test = ArrayExamples(draw(80, 1)), ArrayExamples(draw(500, 4))
    weights, shares = found_weights(models, valid, None, hindsight=True)
    assert shares.sum() == pytest.approx(1)
    average.network.hindsight.weigh(weights)
    best = max(element_log_probs(model, test).sum() for model in models)
    assert element_log_probs(average, test).sum() > best


def test_of_very_few_rows_the_weights_stay_near_equal_ones_and_lose_little():
    rng = np.random.default_rng(0)
    lost = []
    for _ in range(40):
        valid, test = (rng.normal(-1.0, 0.7, (3, n, 8)) - np.array([0.0, 0.05, 0.1])[:, None, None] for n in (6, 3000))
        weights, _ = hindsight_weights(valid)
        assert float(weights[:-1].min()) > 1e-4
        average = np.log((weights[:-1, None, None].numpy() * np.exp(test)).sum(0)).mean()
        lost.append(test.mean((1, 2)).max() - average)
    assert np.mean(lost) < 0.0


def test_weights_that_do_not_fit_are_refused():
    hindsight = Hindsight([torch.nn.Identity(), torch.nn.Identity()])
    for wrong in ([0.5, 0.5], [0.7, 0.7, 0.0], [0.5, 0.5, -1.0]):
        with pytest.raises(InputError):
            hindsight.weigh(torch.tensor(wrong).double())
