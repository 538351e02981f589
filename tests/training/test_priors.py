import math

import numpy as np
import pytest
import torch
from scipy.optimize import minimize
from torch import nn
from torch.nn import functional as F

from chainrule import AutoregressiveModel, Batch, CategoricalHead, CausalConv, InputError
from chainrule.data import ArrayExamples
from chainrule.training.engine import Engine
from chainrule.training.fit import Callbacks, fit
from chainrule.training.forward import TrainingForward
from chainrule.training.objective import Objective
from chainrule.training.priors import Prior
from chainrule.training.settings import TrainingSettings
from chainrule.training.step import Stepper

RNG = np.random.default_rng(0)
X = RNG.integers(0, 2, (40, 4))
LENGTHS = RNG.integers(1, 5, 40)
MASK = np.arange(4) < LENGTHS[:, None]


class Logistic(nn.Module):
    """p(x_d = 1 | x_<d) = sigmoid(bias_d + sum_{e<d} w_de x_e): logistic regressions in a chain."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(4, 4, dtype=torch.float64))
        self.bias = nn.Parameter(torch.zeros(4, dtype=torch.float64))

    def forward(self, batch):
        s = batch.x.double() @ self.weight.tril(-1).t() + self.bias
        return torch.where(batch.mask, F.logsigmoid(torch.where(batch.x == 1, s, -s)), 0.0).sum(1)


def negative_log_posterior(theta, width, bias_width, kind):
    """By numpy alone: -sum_n L_n - ln p(theta), up to constants."""
    w, b = theta[:16].reshape(4, 4), theta[16:]
    s = X @ np.tril(w, -1).T + b
    nats = np.where(MASK, np.logaddexp(0, np.where(X == 1, -s, s)), 0).sum()
    weight = (w**2).sum() / (2 * width**2) if kind == "gaussian" else np.sqrt(w**2 + 1e-14).sum() / width
    return nats + weight + (b**2).sum() / (2 * bias_width**2)


@pytest.mark.parametrize("normalisation", ["per_example", "per_element"])
def test_full_batch_training_finds_the_independently_optimised_map(normalisation):
    expected = minimize(negative_log_posterior, np.zeros(20), (0.7, 3.0, "gaussian"), tol=1e-12).x
    model = Logistic()
    prior = Prior({"bias": "gaussian:3", "weight": "gaussian:0.7"})
    batch = Batch(torch.tensor(X), torch.tensor(MASK))
    objective = Objective(normalisation, prior, Objective(normalisation).count([batch]))
    settings = TrainingSettings(microbatch=14, batch_size=40, clip_norm=1e9)
    forward = TrainingForward(model)
    step = Stepper(forward, forward, objective, torch.optim.SGD(model.parameters(), lr=2.0), Engine(), settings)
    for number in range(600):
        result = step(batch, 2.0, number)
    found = torch.cat([model.weight.flatten(), model.bias]).detach().numpy()
    assert result.gradient_norm < 1e-8
    assert np.abs(found - expected).max() < 1e-5
    assert np.abs(found).max() > 0.3
    unit = Objective(normalisation).count([batch])
    total = result.nats / unit + result.penalty
    constant = 16 * math.log(0.7 * math.sqrt(2 * math.pi)) + 4 * math.log(3 * math.sqrt(2 * math.pi))
    assert total * unit == pytest.approx(negative_log_posterior(expected, 0.7, 3.0, "gaussian") + constant, rel=1e-9)


def test_the_gradient_of_a_laplace_prior_is_that_of_its_formula():
    model = Logistic()
    nn.init.normal_(model.weight), nn.init.normal_(model.bias)
    objective = Objective("per_example", Prior({"weight": "laplace:0.2"}), 40)
    objective.penalty(model).backward()
    torch.testing.assert_close(model.weight.grad, model.weight.detach().sign() / 0.2 / 40)
    assert model.bias.grad is None
    expected = model.weight.abs().sum() / 0.2 + 16 * math.log(0.4)
    assert objective.penalty(model).item() == pytest.approx(expected.item() / 40)


def small():
    torch.manual_seed(0)
    return AutoregressiveModel(CausalConv(3, 4, 8, depth=2), CategoricalHead(8, 3))


def test_nats_do_not_change_with_a_prior_at_fixed_weights():
    examples = ArrayExamples(RNG.integers(0, 3, (30, 4)))
    records = []
    for prior in (None, "gaussian:0.01"):
        model, seen = small(), []
        settings = TrainingSettings(steps=1, batch_size=30, prior=prior, label_smoothing=0.0 if prior is None else 0.2)
        fit(model, examples, examples, settings, callbacks=Callbacks(on_step=seen.append))
        records.append(seen[0])
    assert records[0]["nats_per_example"] == pytest.approx(records[1]["nats_per_example"], rel=1e-7)
    assert records[0]["train_nats_per_example"] == pytest.approx(records[1]["train_nats_per_example"], rel=1e-7)
    assert records[0]["penalty"] == 0
    assert records[1]["penalty"] > 1


def test_patterns_are_names_and_classes_and_the_first_counts():
    widths = Prior({"head.*": "none", "Embedding": "laplace:0.1", "*.weight": "gaussian:2"}).widths(small())
    assert widths["head.linear.weight"].name == "none"
    assert {w.name for name, w in widths.items() if name.endswith(".bias")} == {"none"}
    kinds = {w.name for w in widths.values()}
    assert kinds == {"none", "laplace", "gaussian"}


def test_a_shared_weight_counts_once():
    torch.manual_seed(0)
    layer = nn.Linear(3, 3, bias=False)
    shared = nn.Sequential(layer, layer)
    prior = Prior("gaussian:1")
    assert prior.log_density(shared).item() == prior.log_density(layer).item()


@pytest.mark.parametrize(
    ("rules", "words"),
    [
        ("gausian:1", "did you mean 'gaussian'"),
        ("gaussian", "positive width"),
        ("gaussian:-1", "positive width"),
        ("laplace:x", "positive width"),
        ({}, "empty"),
        ({"no.such": "gaussian:1"}, "matches no parameter"),
    ],
)
def test_bad_priors(rules, words):
    with pytest.raises(InputError, match=words):
        Prior(rules).widths(small())


def test_a_prior_needs_the_count_of_the_data():
    with pytest.raises(InputError, match="data_count"):
        Objective("per_example", Prior("gaussian:1"))
