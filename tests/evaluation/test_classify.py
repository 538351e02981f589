"""The generative classifier: of examples that a model drew itself, it is as often right as it says."""

import json

import numpy as np
import pytest
import torch

from chainrule import AutoregressiveModel, BernoulliHead, CausalConv, InputError
from chainrule.cli.app import main
from chainrule.data import ArrayExamples
from chainrule.evaluation.classify import Classification, class_log_posterior, class_prior, classify
from chainrule.verification.laws import randomised
from tests.support.command_line import run

PRIOR = torch.tensor([0.4, 0.35, 0.25], dtype=torch.float64)


@pytest.fixture(scope="module")
def model():
    model = randomised(AutoregressiveModel(CausalConv(2, 8, 8, depth=2, num_classes=3), BernoulliHead(8)))
    with torch.no_grad():
        model.network.embedding.context.table.weight *= 12  # classes that differ
    return model


@pytest.fixture(scope="module")
def drawn(model):
    y = torch.from_numpy(np.random.default_rng(0).choice(3, 3000, p=PRIOR.numpy()))
    return ArrayExamples(model.sample(3000, seed=0, context=y).x.numpy(), y.numpy())


def test_the_posterior_is_as_often_right_as_it_says(model, drawn):
    result = classify(model, drawn, PRIOR, batch_size=700)
    surest = np.exp(result.log_posterior.max(1))
    assert abs(result.accuracy.value - surest.mean()) < 4 * result.accuracy.standard_error
    right = result.log_posterior.argmax(1) == drawn.context
    assert result.accuracy.value == right.mean() > float(PRIOR.max()) + 0.02
    assert result.accuracy.standard_error == pytest.approx(right.std(ddof=1) / np.sqrt(3000))
    blind = Classification(PRIOR.log().expand(3000, -1).numpy(), drawn.context)
    assert result.likelihood.nats_per_example.value < blind.likelihood.nats_per_example.value
    expected = class_log_posterior(model, drawn.batch(np.arange(3000)), 3, PRIOR)
    labels = torch.from_numpy(drawn.context)
    assert result.likelihood.nats_per_example.value == pytest.approx(-float(expected[range(3000), labels].mean()))


def test_a_prior_is_the_share_of_each_class(drawn):
    share = class_prior(drawn, 4)
    assert share.tolist() == [float((drawn.context == k).mean()) for k in range(3)] + [0.0]


def test_a_class_that_training_never_saw_is_impossible_and_counted(model, drawn):
    result = classify(model, drawn, torch.tensor([0.5, 0.5, 0.0], dtype=torch.float64))
    assert result.likelihood.impossible == (drawn.context == 2).sum() > 0
    assert result.likelihood.nats_per_example.value == np.inf
    assert set(result.log_posterior.argmax(1)) <= {0, 1}


def test_what_cannot_be_classified(model):
    x = np.zeros((2, 8), dtype=np.int64)
    with pytest.raises(InputError, match="not conditioned on classes"):
        classify(model, ArrayExamples(x), PRIOR)
    with pytest.raises(InputError, match="example 1 lies outside the domain"):
        classify(model, ArrayExamples(x, np.zeros(2, dtype=np.int64), np.array([False, True])), PRIOR)


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    home = tmp_path_factory.mktemp("home")
    rng = np.random.default_rng(1)
    y = np.repeat(["cat", "dog"], (150, 90))
    x = (rng.random((240, 12)) < np.where(y == "cat", 0.1, 0.9)[:, None]).astype(np.int64)
    np.savez(home / "pets.npz", train=x, train_labels=y, test=x[60:210], test_labels=y[60:210])
    np.save(home / "plain.npy", x)
    quick = ["--width", "8", "--depth", "1", "--batch-size", "50"]
    train = ["--steps", "60", "--evaluate-every", "60", "--learning-rate", "0.02"]
    assert main(["fit", str(home / "pets.npz"), "--given", "label", "--out", str(home / "given"), *quick, *train]) == 0
    few = ["--steps", "1", "--evaluate-every", "1"]
    assert main(["fit", str(home / "plain.npy"), "--out", str(home / "plain"), *quick, *few]) == 0
    return home


def test_on_the_command_line(home, capsys):
    code, out, _ = run(capsys, "classify", home / "given", "--json")
    record = json.loads(out)
    assert code == 0
    assert record["accuracy"] > 0.97
    assert record["nats_per_label"] < 0.2
    assert record["impossible"] == 0
    assert record["classes"] == ["cat", "dog"]
    truth = np.repeat(["cat", "dog"], (90, 60))
    assert record["accuracy"] == np.mean(truth == record["predicted"])
    assert record["accuracy_of_prior"] == 0.6
    code, out, _ = run(capsys, "classify", home / "given", "--split", "valid", "--batch-size", "7")
    assert code == 0
    assert "p(y | x) by Bayes" in out


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["plain"], "fit --given label"),
        (["given", "plain.npy"], "no labels"),
        (["given", "--split", "x"], "splits are"),
    ],
)
def test_bad_input_on_the_command_line(home, capsys, arguments, words):
    arguments = [home / argument if (home / argument).exists() else argument for argument in arguments]
    code, out, err = run(capsys, "classify", *arguments)
    assert (code, out) == (2, "")
    assert words in err
    assert err.count("\n") == 1
