"""Python's fit and the command line's are one: the same weights, bit for bit, for every kind of data."""

import json
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch

from chainrule.config.registry import build_model
from chainrule.data import load
from chainrule.errors import InputError, RunError
from chainrule.runs.fit import fit
from chainrule.runs.plan import plan
from chainrule.runs.run import Run
from chainrule.runs.start import initial_model
from tests.support.command_line import run as command

QUICK = {"steps": 4, "evaluate_every": 2, "batch_size": 8, "width": 8}


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    home = tmp_path_factory.mktemp("fit")
    random = np.random.default_rng(0)
    np.save(home / "grey.npy", random.integers(0, 4, (60, 4, 4)))
    np.savetxt(home / "reals.csv", random.normal(size=(80, 3)), "%.6f", ",", header="a,b,c", comments="")
    rows = "".join(f"{random.integers(20, 60)},{random.normal():.2f},{'ab'[k % 2]}\n" for k in range(90))
    (home / "table.csv").write_text("age,size,sex\n" + rows)
    (home / "names.txt").write_text("anna\nbert\ncarl\ndora\nemil\n" * 12)
    (home / "book.txt").write_text("the cat sat on the mat and the dog sat on the cat " * 30)
    return home


KINDS = {
    "digits": ("digits", {}),
    "array": ("grey.npy", {"depth": 1}),
    "rows of reals": ("reals.csv", {}),
    "table, given a column": ("table.csv", {"given": "sex"}),
    "documents": ("names.txt", {"depth": 1}),
    "stream": ("book.txt", {"depth": 1, "window": 16, "documents": "stream"}),
    "counted head": ("book.txt", {"depth": 1, "window": 16, "documents": "stream", "head": "adaptive_softmax"}),
    "members": ("reals.csv", {"members": 2}),
    "scans": ("grey.npy", {"orders": 2, "depth": 1}),
}


LONG = ("members", "rows of reals", "table, given a column")


@pytest.mark.parametrize("kind", [pytest.param(k, marks=[pytest.mark.slow] * (k in LONG)) for k in KINDS])
def test_python_and_the_command_line_give_the_same_weights(kind, home, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(home)
    source, own = KINDS[kind]
    options = QUICK | own
    words = [word for name, value in options.items() for word in (f"--{name.replace('_', '-')}", value)]
    code, _, err = command(capsys, "fit", source, *words, "--out", tmp_path / "run")
    assert code == 0, err
    run = fit(source, **options)
    printed = capsys.readouterr()
    assert printed.out == printed.err == ""
    there = Run.open(tmp_path / "run")
    for ours, theirs in zip(run.model().parameters(), there.model().parameters(), strict=True):
        assert np.array_equal(ours.detach().numpy(), theirs.detach().numpy(), equal_nan=True)
    assert run.files.read("model.safetensors") == there.files.read("model.safetensors")
    for split in ("train", "valid", "test"):
        assert run.report_dict["results"][split] == there.report_dict["results"][split]
    same = ("data", "protocol", "model", "training", "asked")
    assert json.loads(json.dumps({k: run.config[k] for k in same})) == {k: there.config[k] for k in same}


def test_an_object_has_the_weights_of_its_file(home):
    rows = np.load(home / "grey.npy")
    ours, theirs = (fit(source, **QUICK, depth=1) for source in (rows, str(home / "grey.npy")))
    assert ours.files.read("model.safetensors") == theirs.files.read("model.safetensors")


@pytest.mark.slow
def test_a_run_in_memory_writes_nothing_and_can_be_saved(home, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    run = fit(str(home / "reals.csv"), **QUICK, sample_every=2)
    assert run.path is None
    assert list(tmp_path.iterdir()) == []
    assert [line["step"] for line in run.metrics()] == [2, 4]
    assert "samples-step-2.csv" in run.files.names()
    run.save(tmp_path / "kept")
    code, _, err = command(capsys, "evaluate", tmp_path / "kept")
    assert code == 0, err


@pytest.mark.slow
def test_verbose_prints_what_the_command_line_prints(home, capsys):
    fit(str(home / "reals.csv"), **QUICK, verbose=True)
    assert "kept step" in capsys.readouterr().out


@pytest.mark.slow
def test_a_run_goes_on_where_it_was_interrupted(home, tmp_path):
    source = str(home / "reals.csv")
    whole = fit(source, out=tmp_path / "again", **QUICK)
    again = fit(out=tmp_path / "again", resume=True)
    assert again.files.read("model.safetensors") == whole.files.read("model.safetensors")
    with pytest.raises(RunError, match=r"training\.steps is 4 there and 5 here"):
        fit(out=tmp_path / "again", resume=True, steps=5)
    with pytest.raises(RunError, match="was planned for a number of steps, not for 1 minutes"):
        fit(out=tmp_path / "again", resume=True, minutes=1)


def test_what_memory_cannot_do_is_refused(home):
    with pytest.raises(InputError, match="which run is meant"):
        fit("digits", resume=True)
    with pytest.raises(InputError, match="need a run directory"):
        fit("digits", tensorboard=True)
    with pytest.raises(InputError, match="unknown option 'widht'; did you mean 'width'"):
        fit("digits", widht=3)
    with pytest.raises(InputError, match="fit needs DATA"):
        fit()


def test_a_plan_says_what_a_fit_does(home):
    made = plan(str(home / "reals.csv"), minutes=2.0, seed=3)
    assert (made.members, made.budget.minutes, made.settings.seed) == (4, 2.0, 3)
    assert made.options == {"minutes": 2.0, "seed": 3}
    assert made.member(2).settings.seed == 5
    assert made.member(2).members == 1
    assert plan("digits").data.name == plan(load("digits")).data.name == "digits"
    with pytest.raises(InputError, match="give one of the two"):
        plan("digits", minutes=1.0, steps=3)
    with pytest.raises(InputError, match="is a data set already; give split where it is loaded"):
        plan(plan("digits").data, split="80/10/10")


def test_a_model_built_by_hand_starts_at_what_the_data_says(home):
    made = plan(str(home / "reals.csv"), width=8)
    torch.manual_seed(made.settings.seed)
    by_hand = build_model(made.spec, made.data.encoding.domain)
    rows = made.data.train.batch(np.arange(len(made.data.train)))
    before = by_hand(rows)
    by_hand.initialise(rows.x)
    assert torch.equal(by_hand(rows), initial_model(made)(rows))
    assert not torch.equal(by_hand(rows), before)


def test_a_fit_runs_in_a_thread(home):
    with ThreadPoolExecutor(1) as pool:
        run = pool.submit(fit, str(home / "reals.csv"), **QUICK).result()
    assert run.report_dict["steps"] == 4
