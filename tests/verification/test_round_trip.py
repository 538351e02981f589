"""`verify --code`: a model that codes what it scores passes, and one that does not is found."""

import json
from copy import deepcopy

import pytest
import torch

from chainrule.cli.app import main
from chainrule.data.examples.arrays import ArrayExamples
from chainrule.data.examples.sequences import SequenceExamples
from chainrule.heads.base import Distribution
from chainrule.heads.categorical import CategoricalHead
from chainrule.heads.columns import ColumnsHead
from chainrule.heads.count import CountHead
from chainrule.heads.gaussian_mixture import GaussianMixtureHead
from chainrule.heads.missing import MissingHead
from chainrule.models.chain import AutoregressiveModel
from chainrule.models.order_mixture import OrderMixture
from chainrule.models.permuted import random_orders
from chainrule.networks.causal_conv import CausalConv
from chainrule.networks.recurrent import Recurrent
from chainrule.verification.certificate.adapters import model_under_test
from chainrule.verification.certificate.round_trip import NAME, round_trip
from chainrule.verification.certificate.trial import Trial
from chainrule.verification.certificate.verify import verify
from chainrule.verification.laws import randomised
from tests.golden.places import GOLDEN, RUNS


def chain(length=8):
    torch.manual_seed(0)
    return randomised(AutoregressiveModel(CausalConv(4, length, 8), CategoricalHead(8, 4)), scale=0.3)


def checked(model, examples=None):
    """The check alone."""
    return round_trip(Trial.of(model_under_test(model), True, None, examples, None, None))


def test_it_is_the_last_check_where_it_is_asked_for():
    certificate = verify(chain(), quick=True, code=True)
    assert certificate.checks[-1].name == NAME
    assert certificate.passed
    assert NAME not in [check.name for check in verify(chain(), quick=True).checks]


def test_draws_and_examples_are_coded():
    x = torch.randint(4, (50, 8), generator=torch.Generator().manual_seed(1)).numpy()
    check = checked(chain(), ArrayExamples(x))
    assert check.passed
    assert "draws: " in check.tried
    assert "examples: 50 in" in check.tried
    names = SequenceExamples.of([[1, 2, 3], [0], [2] * 8], window=8)
    assert "examples: 3 in" in checked(chain(), names).tried


def test_rows_of_masses_are_coded_and_densities_are_not():
    torch.manual_seed(0)
    masses = ColumnsHead([CountHead(8), MissingHead(GaussianMixtureHead(8, resolution=0.5))])
    assert checked(AutoregressiveModel(Recurrent(None, 2, 8), masses)).passed
    density = AutoregressiveModel(Recurrent(None, 2, 8), GaussianMixtureHead(8))
    check = checked(density)
    assert check.passed is None
    assert "declare the step" in check.tried


class Boasting(CategoricalHead):
    """Says more than its pmf gives."""

    def forward(self, h):
        p = super().forward(h)
        exact = p.log_prob
        p.log_prob = lambda x: exact(x) + 0.05
        return p


class Rounded(CategoricalHead):
    """Says less than its pmf gives."""

    def forward(self, h):
        p: Distribution = super().forward(h)
        exact = p.log_prob
        p.log_prob = lambda x: exact(x) - 0.05
        return p


@pytest.mark.parametrize("head", [Boasting, Rounded])
def test_a_likelihood_that_is_not_that_of_the_code_is_found(head):
    check = checked(AutoregressiveModel(CausalConv(4, 8, 8), head(8, 4)))
    assert check.passed is False
    assert "the code and the likelihood differ" in check.where
    assert "let the step give" in check.advice


def test_a_step_that_is_another_one_the_second_time_is_found():
    class Moody(CausalConv):
        calls = 0

        def step(self, x_previous, state):
            h, state = super().step(x_previous, state)
            Moody.calls += 1
            return h + 0.5 * torch.sin(torch.tensor(float(Moody.calls))), state

    model = randomised(AutoregressiveModel(Moody(4, 8, 8), CategoricalHead(8, 4)), scale=0.3)
    check = checked(model)
    assert check.passed is False
    assert "decode" in check.where


def test_a_function_without_a_step_is_not_coded():
    certificate = verify(lambda prefix: [0.5, 0.5], num_symbols=2, length=3, quick=True, code=True)
    assert certificate[NAME].passed is None
    assert certificate.passed


def test_each_order_of_a_mixture_is_coded():
    mixture = OrderMixture([chain(4), deepcopy(chain(4))], random_orders(4, 2))
    assert verify(mixture, quick=True, code=True)[NAME].passed


def test_the_command_line_codes_the_examples_of_the_run(capsys, monkeypatch, tmp_path):
    monkeypatch.chdir(GOLDEN)
    files = tmp_path / "run"
    files.mkdir()
    for name in ("config.json", "model.safetensors"):
        (files / name).write_bytes((RUNS / "binary" / name).read_bytes())
    assert main(["verify", str(files), "--quick", "--code"]) == 0
    capsys.readouterr()
    checks = json.loads((files / "certificate.json").read_text())["checks"]
    assert (checks[-1]["name"], checks[-1]["passed"]) == (NAME, True)
