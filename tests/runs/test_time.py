"""A fit of some minutes: what is decided by the clock, written down, and decided again."""

import json
import subprocess
import sys
import time

import numpy as np
import pytest

from chainrule.errors import InputError, Interrupted, RunError
from chainrule.runs.fit import fit
from chainrule.runs.run import Run
from chainrule.training import fit as loop
from chainrule.training.clock import Clock
from tests.support.command_line import run as command

SMALL = {"width": 8, "patience": 1000, "epochs": 1e9, "members": 1}


@pytest.fixture(scope="module")
def rows(tmp_path_factory):
    path = tmp_path_factory.mktemp("time") / "rows.npy"
    np.save(path, np.random.default_rng(0).integers(0, 2, (150, 5)))
    return str(path)


@pytest.fixture(scope="module")
def run(rows, tmp_path_factory):
    return fit(rows, out=tmp_path_factory.mktemp("runs") / "timed", minutes=0.03, **SMALL)


def decisions(run):
    return [json.loads(line) for line in (run.path / "decisions.jsonl").read_text().splitlines()]


def test_the_record_says_what_was_decided_when_and_why(run):
    entries = decisions(run)
    assert [entry["about"] for entry in entries if entry["about"] != "steps"] == ["plan", "begin", "end"]
    assert {"steps", "seconds", "step_seconds", "validation_seconds", "members"} <= set(entries[0])
    steps = [entry["steps"] for entry in entries if entry["about"] in ("plan", "steps")][-1]
    assert run.report_dict["steps"] == steps
    time = run.report_dict["time"]
    assert time["minutes"] == 0.03
    assert {"certificate", "scoring", "pictures and samples"} <= set(time["apart_seconds"])


@pytest.mark.slow
def test_equal_decisions_give_equal_bits(run, rows, tmp_path):
    again = fit(rows, out=tmp_path / "again", plan=str(run.path), **SMALL)
    assert again.files.read("model.safetensors") == run.files.read("model.safetensors")
    assert decisions(again) == decisions(run)
    third = fit(rows, plan=str(again.path), **SMALL)  # in memory
    assert third.files.read("model.safetensors") == run.files.read("model.safetensors")


@pytest.mark.slow
def test_interrupted_and_gone_on_with_it_ends_the_same(run, rows, tmp_path, monkeypatch):
    """The decisions before the interrupt are in the record; those after it are replayed from a whole one."""
    place, original = tmp_path / "cut", loop.Timekeeper.look

    def stops(keeper, step):
        if step == max(1, run.report_dict["steps"] // 2):
            raise KeyboardInterrupt
        return original(keeper, step)

    with monkeypatch.context() as changed:
        changed.setattr(loop.Timekeeper, "look", stops)
        with pytest.raises(Interrupted):
            fit(rows, out=place, plan=str(run.path), checkpoint_every=3, **SMALL)
    ended = fit(out=place, resume=True)
    assert ended.report_dict["steps"] == run.report_dict["steps"]
    assert ended.files.read("model.safetensors") == run.files.read("model.safetensors")


def test_steps_that_are_given_again_are_held_against_those_of_the_run(run):
    planned = run.config["training"]["steps"]
    with pytest.raises(RunError, match=rf"training\.steps is {planned} there and {planned + 1} here"):
        fit(out=run.path, resume=True, steps=planned + 1)


def test_steps_never_look_at_a_clock(rows, tmp_path):
    """The certificate and scoring are timed for the report, but nothing is decided by it."""

    class NoClock(Clock):
        def __call__(self):
            raise AssertionError("the clock was asked")

    out = fit(rows, out=tmp_path / "run", steps=4, evaluate_every=2, width=8, clock=NoClock())
    assert not (out.path / "decisions.jsonl").exists()
    assert "time" not in out.report_dict


def test_what_is_no_record_is_refused(rows, tmp_path, run):
    plain = fit(rows, out=tmp_path / "plain", steps=2, evaluate_every=2, width=8)
    with pytest.raises(InputError, match="was not fitted for a number of minutes"):
        fit(rows, plan=str(plain.path))
    with pytest.raises(InputError, match="give one of the two"):
        fit(rows, plan=str(run.path), minutes=1.0)
    with pytest.raises(RunError, match="no such run directory"):
        fit(rows, plan=str(tmp_path / "nowhere"))
    whole = (run.path / "decisions.jsonl").read_text()
    copy = Run.open(run.path)
    try:
        copy.files.write("decisions.jsonl", "".join(whole.splitlines(keepends=True)[:-1]).encode())
        with pytest.raises(RunError, match="comes to an end"):
            fit(rows, plan=str(run.path), **SMALL)
    finally:
        copy.files.write("decisions.jsonl", whole.encode())


def test_the_command_line_takes_a_plan(run, rows, tmp_path, capsys):
    code, _, err = command(
        capsys, "fit", rows, "--plan", run.path, "--out", tmp_path / "run", "--width", "8", "--patience", "1000",
        "--epochs", "1e9", "--members", "1",
    )  # fmt: skip
    assert code == 0, err
    assert (tmp_path / "run" / "model.safetensors").read_bytes() == run.files.read("model.safetensors")


def test_one_step_of_the_shortest_time(rows):
    short = fit(rows, minutes=1e-6, **SMALL)
    assert short.report_dict["steps"] >= 1


SLOW = """
import sys, time
begun = time.monotonic()
from chainrule.cli.app import main
time.sleep(3)  # a slow start
from chainrule.training import step
original = step.Stepper.__call__
def slow(self, *arguments):
    if time.monotonic() - begun < 9:
        time.sleep(0.05)
    return original(self, *arguments)
step.Stepper.__call__ = slow
sys.argv = ["chainrule", *sys.argv[1:]]
sys.exit(main())
"""
LOAD = "import time; end = time.monotonic() + 40\nwhile time.monotonic() < end: sum(range(10000))"


@pytest.mark.slow
def test_a_slow_start_and_load_are_made_up_for(rows, tmp_path):
    """Really: a process that begins slowly, and from the middle on three others beside it."""
    words = ["fit", rows, "--minutes", "0.4", "--out", str(tmp_path / "run"), "--width", "8", "--epochs", "1e9"]
    words += ["--patience", "100000", "--members", "1"]
    process = subprocess.Popen([sys.executable, "-c", SLOW, *words], stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    time.sleep(14)
    others = [subprocess.Popen([sys.executable, "-c", LOAD]) for _ in range(3)]
    said, _ = process.communicate(timeout=300)
    for other in others:
        other.kill()
        other.wait()
    assert process.returncode == 0, said
    report = json.loads((tmp_path / "run" / "report.json").read_text())
    assert 0.9 * 24 <= report["time"]["used_seconds"] <= 1.05 * 24
    entries = [json.loads(line) for line in (tmp_path / "run" / "decisions.jsonl").read_text().splitlines()]
    assert entries[0]["seconds"] > 3  # the opening counts
    assert sum(entry["about"] == "steps" for entry in entries) >= 1
