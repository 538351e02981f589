"""Heads, priors, precisions and processes through the command line."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from chainrule.cli.app import main
from chainrule.data.examples.arrays import ArrayExamples
from chainrule.domain import Domain
from chainrule.runs.specification import specification
from tests.support.command_line import run_json

QUICK = ["--steps", "6", "--evaluate-every", "3", "--width", "8", "--depth", "2", "--json"]


@pytest.fixture(scope="module")
def rows(tmp_path_factory):
    path = tmp_path_factory.mktemp("rows") / "rows.npy"
    rng = np.random.default_rng(0)
    np.save(path, np.minimum(rng.geometric(0.2, (120, 4)) - 1, 29))
    return path


@pytest.mark.parametrize("head", ["adaptive_softmax", "hierarchical_softmax", "sampled_softmax"])
def test_heads_for_many_symbols(head, rows, capsys, tmp_path):
    out = tmp_path / "run"
    fitted = run_json(capsys, "fit", rows, "--out", out, "--head", head, *QUICK)
    scored = run_json(capsys, "evaluate", out, "--json")
    assert scored["total_nats"] == pytest.approx(fitted["results"]["test"]["total_nats"], rel=1e-6)
    assert main(["verify", str(out), "--quick"]) == 0
    capsys.readouterr()
    assert run_json(capsys, "sample", out, "-n", "3", "--json")["log_prob"]
    records = [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]
    estimated = head == "sampled_softmax"
    for record in records:
        assert ("train_nats_per_example" in record) != estimated
        assert ("train_estimate_per_example" in record) == estimated
        assert record["valid_nats_per_example"] > 0


def test_what_is_reported_of_a_sampled_softmax_is_exact(rows, capsys, tmp_path):
    import torch

    from chainrule.runs.run import Run

    out = tmp_path / "run"
    (tmp_path / "c.toml").write_text('[head]\nname = "sampled_softmax"\nsamples = 2\n')
    fitted = run_json(capsys, "fit", rows, "--out", out, "--config", tmp_path / "c.toml", *QUICK)
    run = Run.open(out)
    model, data = run.model(), run.data()
    batch = data.test.batch(np.arange(len(data.test)))
    with torch.no_grad():
        logits = model.head.linear(model.conditioning(batch)).double()
        exact = (logits.gather(-1, batch.x.unsqueeze(-1)).squeeze(-1) - logits.logsumexp(-1)).sum()
    assert fitted["results"]["test"]["total_nats"] == pytest.approx(exact.item(), rel=1e-5)
    assert (model.head.nu.sum() - 2).abs() < 1e-4
    assert model.head.nu[0] > model.head.nu[20]  # counted from the data


def test_a_prior_from_the_command_line_and_from_a_table(rows, capsys, tmp_path):
    plain = run_json(capsys, "fit", rows, "--out", tmp_path / "a", "--prior", "gaussian:0.5", *QUICK)
    config = json.loads((tmp_path / "a" / "config.json").read_text())["training"]
    assert config["prior"] == "gaussian:0.5"
    assert config["weight_decay"] == 0.0
    (tmp_path / "c.toml").write_text('[prior]\n"*.bias" = "none"\n"Embedding" = "laplace:0.1"\n"*" = "gaussian:0.5"\n')
    run_json(capsys, "fit", rows, "--out", tmp_path / "b", "--config", tmp_path / "c.toml", *QUICK)
    records = [(tmp_path / name / "metrics.jsonl").read_text().splitlines() for name in ("a", "b")]
    penalties = [json.loads(lines[-1])["penalty"] for lines in records]
    assert penalties[0] != 0
    assert penalties[0] != penalties[1]
    assert plain["results"]["test"]["nats_per_example"] > 0


def test_microbatch_auto_changes_nothing_else(rows, capsys, tmp_path):
    whole = run_json(capsys, "fit", rows, "--out", tmp_path / "a", *QUICK)
    found = run_json(capsys, "fit", rows, "--out", tmp_path / "b", "--microbatch", "auto", *QUICK)
    assert found["results"]["test"]["total_nats"] == pytest.approx(whole["results"]["test"]["total_nats"], rel=1e-5)
    assert json.loads((tmp_path / "b" / "config.json").read_text())["training"]["microbatch"] == 50


@pytest.mark.parametrize(
    ("option", "value", "words"),
    [
        ("--prior", "gausian:1", "did you mean 'gaussian'"),
        ("--precision", "float8", "float16"),
        ("--engine", "dpd", "ddp"),
        ("--microbatch", "automatic", "auto"),
        ("--label-smoothing", "1", "label_smoothing"),
    ],
)
def test_bad_options(option, value, words, rows, capsys, tmp_path):
    assert main(["fit", str(rows), "--out", str(tmp_path / "run"), option, value, *QUICK]) == 2
    assert words in capsys.readouterr().err


TORCHRUN = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]


def torchrun(*arguments):
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    return subprocess.run(
        [*TORCHRUN, *map(str, arguments)], env=environment, capture_output=True, text=True, timeout=300
    )


@pytest.mark.slow
def test_two_processes_make_one_run(rows, capsys, tmp_path):
    alone = run_json(capsys, "fit", rows, "--out", tmp_path / "a", *QUICK, "--dropout", "0")
    done = torchrun("-m", "chainrule", "fit", rows, "--out", tmp_path / "b", *QUICK, "--dropout", "0")
    assert done.returncode == 0, done.stderr
    together = json.loads(done.stdout)
    for split in ("train", "valid", "test"):
        a, b = alone["results"][split], together["results"][split]
        assert a["examples"] == b["examples"]
        assert a["total_nats"] == pytest.approx(b["total_nats"], rel=1e-5)
    assert {path.name for path in (tmp_path / "a").iterdir()} == {path.name for path in (tmp_path / "b").iterdir()}


@pytest.mark.soak
def test_two_processes_train_a_model_for_each_scan(capsys, tmp_path):
    np.save(tmp_path / "images.npy", np.random.default_rng(0).integers(0, 3, (60, 4, 4)))
    asked = ["--orders", "2", "--common-start", "0.5", "--dropout", "0", *QUICK]
    done = torchrun("-m", "chainrule", "fit", tmp_path / "images.npy", "--out", tmp_path / "run", *asked)
    assert done.returncode == 0, done.stderr
    parts = json.loads(done.stdout)["results"]
    again = run_json(capsys, "evaluate", tmp_path / "run")
    assert again["total_nats"] == pytest.approx(parts["test"]["total_nats"], rel=1e-6)
    assert run_json(capsys, "verify", tmp_path / "run", "--quick")["passed"]


@pytest.mark.slow
def test_a_run_that_exists_is_refused_by_all_processes(rows, tmp_path):
    (tmp_path / "there").mkdir()
    (tmp_path / "there" / "file").touch()
    done = torchrun("-m", "chainrule", "fit", rows, "--out", tmp_path / "there", *QUICK)
    assert done.returncode != 0
    assert done.stderr.count("exists already") == 1


def second_rank(out):
    """The process of rank 1 that writes to this run."""
    for place in Path("/proc").glob("[0-9]*"):
        try:
            told, told_by = (place / "environ").read_bytes(), (place / "cmdline").read_bytes()
        except OSError:
            continue
        if b"LOCAL_RANK=1" in told.split(b"\0") and str(out).encode() in told_by:
            return int(place.name)
    raise AssertionError("rank 1 is not there")


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="reads /proc to find the second process")
def test_a_killed_rank_leaves_a_checkpoint_to_go_on_from(rows, capsys, tmp_path):
    out = tmp_path / "run"
    options = ["--width", "8", "--checkpoint-every", "5", "--evaluate-every", "1000", "--dropout", "0", "--seed", "3"]
    command = [*TORCHRUN, "-m", "chainrule", "fit", str(rows), "--out", str(out), "--steps", "100000", *options]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    job = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        deadline = time.monotonic() + 120
        while not list(out.glob("checkpoints/*/manifest.json")):
            assert job.poll() is None, job.stderr.read()
            assert time.monotonic() < deadline, "no checkpoint was written"
            time.sleep(0.05)
        os.kill(second_rank(out), signal.SIGKILL)
        _, err = job.communicate(timeout=120)
    finally:
        job.kill()
    assert job.returncode != 0
    assert "SIGKILL" in err or "Signal 9" in err
    saved = max(int(path.parent.name.rpartition("-")[2]) for path in out.glob("checkpoints/*/manifest.json"))
    assert saved >= 5
    going_on = subprocess.Popen(
        [sys.executable, "-m", "chainrule", "fit", "--resume", "--out", str(out)],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    said = ""
    while "going on from step" not in said:
        line = going_on.stdout.readline()
        assert line, said
        said += line
    going_on.kill()
    going_on.communicate()
    assert int(said.partition("going on from step")[2].split()[0]) >= 5


def test_a_long_budget_pays_for_a_larger_network_of_text():
    encoding = SimpleNamespace(domain=Domain((64,), 256), kind="text", group="text", pixel_block=1, context_options={})
    data = SimpleNamespace(encoding=encoding, train=ArrayExamples(np.zeros((100, 1), dtype=np.uint8)))
    widths = [
        specification(options, data)[0]["network"]["width"]
        for options in ({}, {"minutes": 10.0}, {"minutes": 30.0}, {"minutes": 30.0, "members": 4})
    ]
    assert widths == [128, 128, 192, 128]
    assert specification({"minutes": 30.0, "width": 64}, data)[0]["network"]["width"] == 64
