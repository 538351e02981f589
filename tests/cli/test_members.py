"""Ensembles of seeds and time budgets through the command line."""

import json
import math
import os
import shutil
import subprocess
import sys
from time import perf_counter

import numpy as np
import pytest
import torch

from chainrule.cli.app import main
from chainrule.config.registry import build_model
from chainrule.data import load
from chainrule.data.examples.sequences import SequenceExamples
from chainrule.errors import InputError, Interrupted
from chainrule.evaluation.evaluate import evaluate
from chainrule.runs import ensemble
from chainrule.runs.run import Run
from chainrule.training.budget import Budget, Speed, planned
from chainrule.training.engine import Engine
from chainrule.training.trial import measured
from tests.support.command_line import run_json
from tests.support.small_training import TRAIN, VALID, build, settings

SMALL = ["--evaluate-every", "3", "--width", "8", "--depth", "2", "--json"]
QUICK = ["--steps", "6", *SMALL]


@pytest.fixture(scope="module")
def rows(tmp_path_factory):
    path = tmp_path_factory.mktemp("rows") / "rows.npy"
    rng = np.random.default_rng(0)
    np.save(path, np.minimum(rng.geometric(0.4, (120, 4)) - 1, 5))
    return path


@pytest.fixture(scope="module")
def fitted(rows, tmp_path_factory):
    out = tmp_path_factory.mktemp("ensemble") / "run"
    assert main(["fit", str(rows), "--out", str(out), "--members", "2", "--seed", "7", *QUICK]) == 0
    return out


def test_the_run_is_the_average_of_its_members(fitted, rows):
    run = Run.open(fitted)
    assert run.config["model"]["members"] == 2
    members = [Run.open(fitted / "members" / name) for name in ("1", "2")]
    assert [member.config["training"]["seed"] for member in members] == [7, 8]
    data = run.data()
    x = data.test.batch(np.arange(len(data.test)))
    with torch.no_grad():
        each = torch.stack([member.model().double().element_log_prob(x) for member in members])
        together = run.model().double().element_log_prob(x)
    assert float((each[0] - each[1]).abs().max()) > 1e-3
    torch.testing.assert_close(together, each.logsumexp(0) - math.log(2), atol=1e-12, rtol=0)


def test_its_report_has_the_members_beside_the_ensemble(fitted):
    run = Run.open(fitted)
    report = json.loads((fitted / "report.json").read_text())
    assert [member["seed"] for member in report["members"]] == [7, 8]
    for split in ("train", "valid", "test"):
        scored = evaluate(run.model(), run.data().split(split)).likelihood.nats_per_example.value
        assert report["results"][split]["nats_per_example"] == pytest.approx(scored, rel=1e-6)
        each = [member["results"][split]["nats_per_example"] for member in report["members"]]
        assert scored < np.mean(each)  # Jensen


def test_a_member_is_the_run_of_its_seed(fitted, rows, capsys, tmp_path):
    run_json(capsys, "fit", rows, "--out", tmp_path / "alone", "--seed", "8", *QUICK)
    alone, member = (Run.open(path).model().state_dict() for path in (tmp_path / "alone", fitted / "members" / "2"))
    assert all(torch.equal(alone[name], member[name]) for name in alone)


@pytest.mark.slow
def test_a_member_may_be_trained_elsewhere_if_it_is_the_same(fitted, rows, capsys, tmp_path):
    shutil.copytree(fitted, tmp_path / "run")
    for done in ("report.json", "model.safetensors", "members/2"):
        path = tmp_path / "run" / done
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    again = ["fit", str(rows), "--out", str(tmp_path / "run"), "--members", "2", "--seed", "7", *QUICK, "--resume"]
    elsewhere = ["fit", rows, "--out", tmp_path / "run" / "members" / "2"]
    run_json(capsys, *elsewhere, "--seed", "9", *QUICK)
    assert main(again) == 2
    assert "training.seed is 9 there and 8 here" in capsys.readouterr().err
    shutil.rmtree(tmp_path / "run" / "members" / "2")
    run_json(capsys, *elsewhere, "--seed", "8", *QUICK)
    trained = (tmp_path / "run" / "members" / "2" / "model.safetensors").stat().st_mtime_ns
    assert main(again) == 0
    assert (tmp_path / "run" / "members" / "2" / "model.safetensors").stat().st_mtime_ns == trained
    before, after = (Run.open(path).model().state_dict() for path in (fitted, tmp_path / "run"))
    assert all(torch.equal(before[name], after[name]) for name in before)


def test_every_command_takes_it(fitted, capsys, tmp_path):
    report = json.loads((fitted / "report.json").read_text())
    scored = run_json(capsys, "evaluate", fitted, "--json")
    assert scored["total_nats"] == pytest.approx(report["results"]["test"]["total_nats"], rel=1e-6)
    assert len(run_json(capsys, "sample", fitted, "-n", "3", "--json")["log_prob"]) == 3
    assert main(["verify", str(fitted), "--quick"]) == 0
    assert main(["compare", str(fitted), str(fitted / "members" / "1")]) == 0
    assert main(["info", str(fitted)]) == 0
    assert main(["report", str(fitted), "--out", str(tmp_path / "page.html")]) == 0
    capsys.readouterr()


@pytest.mark.slow
def test_resuming_trains_only_what_is_not_finished(rows, capsys, tmp_path, monkeypatch):
    out, whole = tmp_path / "cut", tmp_path / "whole"
    run_json(capsys, "fit", rows, "--out", whole, "--members", "2", *QUICK)
    original, trained = ensemble.train_one, []

    def fails_at_the_second(plan, place, job, certificate):
        if place.name == "2" and not trained.count("2"):
            trained.append("2")
            raise InputError("the machine goes down")
        trained.append(place.name)
        return original(plan, place, job, certificate)

    monkeypatch.setattr(ensemble, "train_one", fails_at_the_second)
    assert main(["fit", str(rows), "--out", str(out), "--members", "2", *QUICK]) == 2
    assert main(["evaluate", str(out)]) == 2  # there are no weights yet
    assert main(["fit", "--resume", "--out", str(out), "--json"]) == 0
    assert trained == ["1", "2", "2"]
    assert Run.open(out).config["model"] == Run.open(whole).config["model"]
    assert (out / "model.safetensors").read_bytes() == (whole / "model.safetensors").read_bytes()
    capsys.readouterr()


def test_an_interrupted_member_names_the_whole(rows, capsys, tmp_path, monkeypatch):
    def interrupted(plan, place, job, certificate):
        raise Interrupted(f"interrupted; go on with: chainrule fit --resume --out {place}", 143)

    monkeypatch.setattr(ensemble, "train_one", interrupted)
    assert main(["fit", str(rows), "--out", str(tmp_path / "run"), "--members", "2", *QUICK]) == 143
    assert capsys.readouterr().err.strip().endswith(f"--resume --out {tmp_path / 'run'}")


def test_an_ensemble_of_text_and_a_tied_head(tmp_path, capsys):
    text = tmp_path / "book.txt"
    text.write_text("the cat sat on the mat and the dog sat on the cat\n" * 30)
    (tmp_path / "c.toml").write_text('[head]\nname = "categorical"\ntied = true\n')
    arguments = ["--members", "2", "--window", "16", "--documents", "stream", "--config", tmp_path / "c.toml"]
    out = tmp_path / "run"
    report = run_json(capsys, "fit", text, "--out", out, *arguments, *QUICK)
    model = Run.open(out).model()
    for network, head in zip(model.network.members, model.head.heads, strict=True):
        assert head.linear.weight is network.embedding.table.weight
    scored = run_json(capsys, "evaluate", out, "--json")
    assert scored["total_nats"] == pytest.approx(report["results"]["test"]["total_nats"], rel=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize("head", ["adaptive_softmax", "hierarchical_softmax", "sampled_softmax"])
def test_heads_that_are_laid_out_by_counts(head, rows, tmp_path, capsys):
    out = tmp_path / "run"
    report = run_json(capsys, "fit", rows, "--out", out, "--members", "2", "--head", head, *QUICK)
    scored = run_json(capsys, "evaluate", out, "--json")
    assert scored["total_nats"] == pytest.approx(report["results"]["test"]["total_nats"], rel=1e-6)


@pytest.mark.soak
def test_two_processes_make_one_ensemble(fitted, rows, tmp_path):
    command = [
        sys.executable,
        "-m",
        "torch.distributed.run",
        "--standalone",
        "--nproc-per-node",
        "2",
        "-m",
        "chainrule",
    ]
    command += ["fit", str(rows), "--members", "2", "--seed", "7", "--dropout", "0", *QUICK]
    alone, together = tmp_path / "alone", tmp_path / "together"
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    done = subprocess.run([*command, "--out", str(together)], env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert main([*command[8:], "--out", str(alone)]) == 0
    a, b = (json.loads((path / "report.json").read_text())["results"]["test"] for path in (alone, together))
    assert a["examples"] == b["examples"]
    assert a["total_nats"] == pytest.approx(b["total_nats"], rel=1e-5)
    planned = subprocess.run(
        [*command[:8], "fit", str(rows), "--minutes", "0.05", "--out", str(tmp_path / "planned"), *SMALL],
        env=environment,
        capture_output=True,
        text=True,
    )
    assert planned.returncode == 0, planned.stderr


@pytest.mark.slow
def test_a_table_with_holes(tmp_path, capsys):
    table = tmp_path / "t.csv"
    rng = np.random.default_rng(1)
    lines = [f"{'ab'[k % 2]},{rng.normal():.1f},{'' if k % 5 == 0 else rng.integers(9)}" for k in range(150)]
    table.write_text("\n".join(["kind,size,count", *lines]) + "\n")
    out = tmp_path / "run"
    report = run_json(capsys, "fit", table, "--out", out, "--members", "2", *QUICK)
    each = [member["results"]["test"]["nats_per_example"] for member in report["members"]]
    assert report["results"]["test"]["nats_per_example"] <= np.mean(each)
    assert len(run_json(capsys, "sample", out, "-n", "5", "--json")["log_prob"]) == 5
    assert main(["verify", str(out), "--quick"]) == 0


def test_steps_follow_the_time():
    speed = Speed(first=1.0, step=0.02, validation=0.5)
    counts = {minutes: planned(60 * minutes, speed) for minutes in (0.5, 1, 2, 10, 60)}
    for minutes, (steps, every) in counts.items():
        validations = math.ceil(steps / every)
        spent = speed.first + steps * speed.step + validations * speed.validation
        assert 0.9 * 60 * minutes < spent <= 60 * minutes
        assert validations * speed.validation <= 0.06 * 60 * minutes
        assert validations <= 22
    assert counts[60][0] / counts[10][0] == pytest.approx(6, rel=0.05)
    steps, every = planned(60, speed, evaluate_every=10)
    assert every == 10
    assert steps < counts[1][0]


def test_one_step_is_planned_also_in_the_shortest_time():
    assert planned(6.0, Speed(first=1.0, step=20.0, validation=5.0)) == (1, 1)
    for minutes in (0, -1, math.inf, math.nan):
        with pytest.raises(InputError, match="minutes must be positive"):
            Budget(minutes)


def test_measuring_leaves_nothing_behind():
    model = build()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    random, mode = torch.get_rng_state(), model.training
    speed = measured(model, TRAIN, VALID, settings(), Engine(), 0.6)
    assert torch.equal(torch.get_rng_state(), random)
    assert model.training == mode
    assert all(torch.equal(before[name], tensor) for name, tensor in model.state_dict().items())
    assert all(parameter.grad is None for parameter in model.parameters())
    assert min(speed.first, speed.step, speed.validation) > 0


@pytest.mark.slow
def test_a_run_planned_by_defaults_of_its_minutes_goes_on(rows, capsys, tmp_path, monkeypatch):
    monkeypatch.setattr("chainrule.config.defaults.MEMBERS", {"row": (0.01, 2)})
    out = tmp_path / "run"
    members = run_json(capsys, "fit", rows, "--out", out, "--minutes", "0.04")["members"]
    assert members[-1]["expert"] == "boosted_trees"
    (out / "report.json").unlink()
    (out / "members" / str(len(members) - 2) / "report.json").unlink()
    weights = (out / "model.safetensors").read_bytes()
    again = run_json(capsys, "fit", "--resume", "--out", out)["members"]
    assert [member["results"] for member in again] == [member["results"] for member in members]
    assert (out / "model.safetensors").read_bytes() == weights
    run_json(capsys, "fit", "--resume", "--out", out / "members" / "1")


@pytest.mark.soak
def test_a_text_that_got_a_larger_network_for_its_minutes_goes_on(capsys, tmp_path, monkeypatch):
    network = {"name": "corrected_ngram", "network": "state_space"}
    larger = ((0.0, network | {"width": 8}), (0.01, {"width": 16, "depth": 1}))
    monkeypatch.setattr("chainrule.config.defaults.TIMED_TEXT", larger)
    (tmp_path / "a.txt").write_text("to be, or not to be: that is the question. " * 60)
    out = tmp_path / "run"
    run_json(capsys, "fit", tmp_path / "a.txt", "--out", out, "--minutes", "0.04")
    assert Run.open(out).config["model"]["network"]["width"] == 16
    assert Run.open(out).config["data"]["options"]["window"] == 1024
    (out / "report.json").unlink()
    run_json(capsys, "fit", "--resume", "--out", out)


def test_short_examples_in_the_trial_do_not_promise_short_steps(monkeypatch):
    examples = SequenceExamples.of([np.zeros(n, dtype=np.int64) for n in (10, 10, 10, 90)], 128, 64)
    monkeypatch.setattr("chainrule.training.trial._steps", lambda *arguments: [(9.0, 20), (0.3, 20), (0.5, 20)])
    monkeypatch.setattr("chainrule.training.trial._validation", lambda *arguments: 1.0)
    chosen = settings(batch_size=2)
    speed = measured(build(), examples, examples, chosen, Engine(), 60.0)
    assert (speed.first, speed.step) == (9.0, pytest.approx(0.02 * 60))  # 20 ms an element, 60 elements a step
    all_at_once = settings(batch_size=256)
    assert measured(build(), examples, examples, all_at_once, Engine(), 60.0).step == pytest.approx(0.02 * 120)
    assert measured(build(), TRAIN, VALID, chosen, Engine(), 60.0).step == pytest.approx(0.4)


@pytest.mark.slow
def test_a_run_takes_the_minutes_it_was_given(rows, capsys, tmp_path):
    out = tmp_path / "run"
    begun = perf_counter()
    report = run_json(
        capsys, "fit", rows, "--out", out, "--minutes", "0.05", "--patience", "1000", "--epochs", "1e9",
        "--experts", "none", *SMALL[2:],
    )  # fmt: skip
    assert perf_counter() - begun < 30
    training = Run.open(out).config["training"]
    assert report["stopped"] == "steps"
    assert report["steps"] > 20
    assert training["evaluate_every"] < training["steps"]
    assert 2.5 < report["time"]["used_seconds"] < 10  # three seconds, on a machine that others use, too
    weights = (out / "model.safetensors").read_bytes()
    again = run_json(capsys, "fit", "--resume", "--out", out, "--json")
    assert again["steps"] == report["steps"]
    assert (out / "model.safetensors").read_bytes() == weights
    assert main(["fit", "--resume", "--out", str(out), "--minutes", "2"]) == 2
    assert "was planned for 0.05 minutes" in capsys.readouterr().err


@pytest.mark.slow
def test_a_budget_is_for_all_members(rows, capsys, tmp_path):
    out = tmp_path / "run"
    report = run_json(capsys, "fit", rows, "--out", out, "--minutes", "0.04", "--members", "2", *SMALL)
    members = [Run.open(out / "members" / name).config["training"] for name in ("1", "2")]
    assert members[0]["steps"] == members[1]["steps"] == Run.open(out).config["training"]["steps"]
    assert members[0]["evaluate_every"] == 3
    assert report["time"]["used_seconds"] < 10
    again = run_json(capsys, "fit", "--resume", "--out", out, "--json")
    assert again["results"] == report["results"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--minutes", "1", "--steps", "5"], "give one of the two"),
        (["--minutes", "0"], "minutes must be positive"),
        (["--minutes", "1", "--plan", "runs/other"], "give one of the two"),
        (["--members", "0"], "at least 1"),
    ],
)
def test_bad_options(arguments, words, rows, capsys, tmp_path):
    assert main(["fit", str(rows), "--out", str(tmp_path / "run"), *arguments, *SMALL]) == 2
    assert words in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


def test_a_specification_of_members(rows):
    domain = load(str(rows)).encoding.domain
    part = {"network": {"name": "causal_conv", "width": 8}, "head": {"name": "categorical"}}
    model = build_model({"members": 3} | part, domain).single_chain()
    assert len(model.network.members) == 3
    assert model.network.features == 24
