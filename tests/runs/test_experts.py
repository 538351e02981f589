"""Experts beside a network: an average by weights from validation, as one run."""

import json

import numpy as np
import pytest
import torch

from chainrule.data.examples.arrays import ArrayExamples
from chainrule.errors import InputError
from chainrule.heads import AverageHead, CategoricalHead, DecisionsHead
from chainrule.models.chain import AutoregressiveModel
from chainrule.networks import BoostedTrees
from chainrule.runs.fit import fit
from chainrule.training.budget import Speed
from chainrule.training.simplex import simplex_weights
from chainrule.training.weighing import element_log_probs, found_weights

QUICK = {"steps": 6, "evaluate_every": 3, "width": 8, "experts": "boosted_trees"}


@pytest.fixture(scope="module")
def bits(tmp_path_factory):
    """Rows of bits, each like the one before it nine times of ten."""
    noise = np.random.default_rng(0)
    x = [noise.integers(0, 2, 300)]
    for _ in range(5):
        x.append(np.where(noise.random(300) < 0.9, x[-1], 1 - x[-1]))
    path = tmp_path_factory.mktemp("experts") / "bits.npy"
    np.save(path, np.stack(x, 1))
    return path


@pytest.fixture(scope="module")
def run(bits, tmp_path_factory):
    return fit(str(bits), out=tmp_path_factory.mktemp("runs") / "both", **QUICK)


@pytest.mark.slow
def test_the_average_is_a_chain_by_weights_from_validation(run):
    members = run.report_dict["members"]
    assert [member["expert"] for member in members] == [None, "boosted_trees"]
    assert sum(member["weight"] for member in members) == pytest.approx(1)
    assert members[1]["weight"] > 0.5  # six steps teach the network little
    each = [part.chain().network.choices / len(run.data().valid) for part in parts(run)]  # what it gained by choosing
    valid = [m["results"]["valid"]["nats_per_example"] + gained for m, gained in zip(members, each, strict=True)]
    assert run.report_dict["results"]["valid"]["nats_per_example"] <= min(valid) + 1e-6
    chain = run.chain()
    both = np.stack([element_log_probs(part.chain(), run.data().valid) for part in parts(run)])
    weights = np.array([member["weight"] for member in members])
    mixed = np.log(weights @ np.exp(both))
    assert element_log_probs(chain, run.data().valid) == pytest.approx(mixed, abs=1e-5)
    assert run.verify().passed
    assert run.sample(5, seed=0) is not None


def parts(run):
    from chainrule.runs.run import Run

    return [Run.open(run.path / "members" / name) for name in ("1", "boosted_trees")]


def test_resumed_it_is_the_same(run):
    before = run.files.read("model.safetensors")
    (run.path / "model.safetensors").unlink()
    fit(out=run.path, resume=True)
    assert run.files.read("model.safetensors") == before
    assert (
        json.loads((run.path / "config.json").read_text())["model"]["experts"][0]["network"]["name"] == "boosted_trees"
    )


def test_what_does_not_go_together_is_refused(bits):
    for given, said in (
        ({"experts": "forests"}, "forests"),
        ({"experts": "boosted_trees", "network": "boosted_trees"}, "is the network already"),
        ({"experts": "boosted_trees", "orders": 2}, "give one of the two"),
    ):
        with pytest.raises(InputError, match=said):
            fit(str(bits), **given)


def test_weights_are_on_the_simplex():
    head = AverageHead([CategoricalHead(2, 3), CategoricalHead(2, 3)], weighted=True)
    head.weigh(torch.tensor([1.0, 0.0]))
    h = torch.randn(5, 4)
    assert torch.equal(head(h).pmf(), head.heads[0](h[:, :2]).pmf())
    for wrong in ([0.5, 0.6], [1.5, -0.5], [1.0]):
        with pytest.raises(InputError, match="weights"):
            head.weigh(torch.tensor(wrong))
    with pytest.raises(InputError, match="weights"):
        AverageHead([CategoricalHead(2, 3)]).weigh(torch.tensor([1.0]))


def test_weights_are_at_the_maximum_also_at_a_corner():
    """Of a part that is a little worse everywhere nothing is left; inside, no shift of weight gains."""
    noise = np.random.default_rng(0)
    good = -noise.exponential(size=5000)
    worse = good - 0.002 + 0.001 * noise.normal(size=5000)
    assert simplex_weights(np.stack([good, worse])).tolist() == [1.0, 0.0]
    ln = np.log(noise.random((3, 5000)))
    weights = simplex_weights(ln).numpy()

    def value(w):
        return float(np.log(w @ np.exp(ln)).mean())

    for shift in np.eye(3) * 1e-3:
        assert value((weights + shift) / (1 + 1e-3)) < value(weights) + 1e-8


def test_weights_of_impossible_and_of_no_elements():
    ln = np.log(
        np.array([[0.5, 0.0, 0.5], [0.0, 0.5, 0.5]]) + 0.0, where=[[1, 0, 1], [0, 1, 1]], out=np.full((2, 3), -np.inf)
    )
    assert simplex_weights(ln).tolist() == [0.5, 0.5]
    assert simplex_weights(np.zeros((2, 0))).tolist() == [0.5, 0.5]


def test_where_no_time_is_left_the_expert_is_the_model(bits, tmp_path, monkeypatch):
    monkeypatch.setattr("chainrule.runs.timing.measured", lambda *anything: Speed(9.0, 9.0, 1.0))
    run = fit(str(bits), out=tmp_path / "run", minutes=0.05, experts="boosted_trees")
    assert run.config["model"]["network"]["name"] == "boosted_trees"
    assert run.verify(quick=True).passed
    assert run.path == tmp_path / "run"
    weights = run.files.read("model.safetensors")
    (run.path / "report.json").unlink()
    fit(out=run.path, resume=True)
    assert run.files.read("model.safetensors") == weights


@pytest.mark.slow
def test_where_time_is_short_what_is_counted_stands_beside(tmp_path, monkeypatch):
    np.save(tmp_path / "pictures.npy", np.random.default_rng(0).integers(0, 2, (300, 11, 11)))
    (tmp_path / "names.txt").write_text("\n".join(["anna", "hanna", "nan", "ann"] * 30 + [f"na{k}" for k in range(90)]))
    for data, quick in (("pictures.npy", "chow_liu"), ("names.txt", "ngram")):
        monkeypatch.setattr("chainrule.runs.timing.measured", lambda *anything: Speed(0.1, 0.5, 0.1))
        run = fit(str(tmp_path / data), out=tmp_path / quick, minutes=0.01)
        assert [member["expert"] for member in run.report_dict["members"]] == [None, quick]
        assert run.verify(quick=True).passed
        weights = run.files.read("model.safetensors")
        (run.path / "report.json").unlink()
        fit(out=run.path, resume=True)
        assert run.files.read("model.safetensors") == weights
    monkeypatch.setattr("chainrule.runs.timing.measured", lambda *anything: Speed(0.01, 0.001, 0.001))
    run = fit(str(tmp_path / "names.txt"), minutes=0.02)
    assert "members" not in run.report_dict


def test_what_was_chosen_by_validation_counts_for_less_there():
    """A model whose every number was chosen by the validation rows has to be better there to have a weight."""
    noise = np.random.default_rng(0)
    valid = ArrayExamples(noise.integers(0, 2, (60, 4)))
    honest, chosen = (BoostedTrees(2, 4) for _ in range(2))
    chosen.forest.load([1, 2, 3], *(torch.full((3, 11), n) for n in (0, 0.5, -1)), torch.zeros(3, 12))
    members = [AutoregressiveModel(network, DecisionsHead(1, 2)) for network in (honest, chosen)]
    assert [member.network.choices for member in members] == [0, 3]
    weights, _ = found_weights(members, valid, None)
    assert weights.tolist() == [1.0, 0.0]


@pytest.mark.slow
def test_where_no_time_is_left_the_experts_are_averaged(bits, tmp_path, monkeypatch):
    monkeypatch.setattr("chainrule.runs.timing.measured", lambda *anything: Speed(9.0, 9.0, 1.0))
    run = fit(str(bits), out=tmp_path / "run", minutes=0.05)
    members = run.report_dict["members"]
    assert [member["expert"] for member in members] == ["boosted_trees", "chow_liu"]
    assert sum(member["weight"] for member in members) == pytest.approx(1)
    assert run.report_dict["time"]["used_seconds"] > 0
    assert run.verify(quick=True).passed
    weights = run.files.read("model.safetensors")
    (run.path / "report.json").unlink()
    fit(out=run.path, resume=True)
    assert run.files.read("model.safetensors") == weights
    again = fit(str(bits), out=tmp_path / "again", plan=run.path)
    assert again.files.read("model.safetensors") == weights


def test_a_table_of_names_is_the_average_of_its_experts(tmp_path, monkeypatch):
    noise = np.random.default_rng(0)
    lines = ["town,colour,size"]
    for _ in range(120):
        town = int(noise.integers(0, 3))
        colour = "" if noise.random() < 0.1 else "red" if noise.random() < 0.2 + 0.3 * town else "blue"
        lines.append(f"{'abc'[town]},{colour},{'xyzw'[min(3, town + int(noise.integers(0, 2)))]}")
    (tmp_path / "table.csv").write_text("\n".join(lines) + "\n")
    monkeypatch.setattr("chainrule.runs.timing.measured", lambda *anything: Speed(9.0, 9.0, 1.0))
    run = fit(str(tmp_path / "table.csv"), minutes=0.05)
    assert {member["expert"] for member in run.report_dict["members"]} == {"boosted_trees", "chow_liu"}
    assert run.verify(quick=True).passed
    assert len(run.sample(3, seed=0).sample.x) == 3
