"""Splits through the commands: shares of zero, groups, a test set from elsewhere; and what every command says then."""

import json
import shutil

import numpy as np
import pytest

import chainrule as cr
from chainrule.cli.app import main
from chainrule.errors import InputError
from tests.support.command_line import run, run_json

TINY = ["--steps", "6", "--evaluate-every", "2", "--width", "8", "--depth", "1", "--members", "1"]


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    """Two hundred rows of thirty customers, many of them alike."""
    rng, path = np.random.default_rng(0), tmp_path_factory.mktemp("table") / "t.csv"
    rows = [f"{c},{'xyz'[c % 3]},{b}" for c, b in zip(rng.integers(0, 30, 200), rng.integers(0, 3, 200), strict=True)]
    path.write_text("customer,a,b\n" + "\n".join(rows) + "\n")
    return path


@pytest.fixture(scope="module")
def fitted(table, tmp_path_factory):
    """A run for each split, by its text, made when it is asked for first."""
    folder, made = tmp_path_factory.mktemp("runs"), {}

    def of(split):
        if split not in made:
            made[split] = folder / f"run-{len(made)}"
            assert main(["fit", str(table), "--out", str(made[split]), "--split", split, *TINY]) == 0
        return made[split]

    return of


def report_of(path):
    return json.loads((path / "report.json").read_text())


def test_without_valid_the_last_weights_are_kept_and_it_is_said(fitted, table, tmp_path, capsys):
    code, out, error = run(
        capsys, "fit", table, "--out", tmp_path / "run", "--split", "90/0/10", *TINY, "--patience", "1"
    )
    assert code == 0, error
    assert "without validation the last weights are kept, those of step 6 of 6 (ended by steps" in out
    assert "valid: there is no valid split" in out
    report = report_of(tmp_path / "run")
    assert (report["kept_step"], report["steps"], report["stopped"]) == (6, 6, "steps")
    assert list(report["results"]) == ["train", "test"]
    assert list(report["not_known"]) == ["valid"]
    lines = [json.loads(line) for line in (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines] == [2, 4, 6]
    assert not any("valid_nats_per_example" in line for line in lines)
    scored = run_json(capsys, "evaluate", tmp_path / "run")
    assert scored["total_nats"] == pytest.approx(report["results"]["test"]["total_nats"], rel=1e-6)


def test_without_test_its_figure_is_not_known(fitted, capsys, table, tmp_path):
    path = fitted("90/10/0")
    report = report_of(path)
    assert list(report["results"]) == ["train", "valid"]
    assert report["baselines"] == {}
    assert report["test_examples_in_train"] is None
    assert "there is no test split" in report["not_known"]["test"]
    for command in ("evaluate", "probe"):
        code, _, error = run(capsys, command, path)
        assert code == 2
        assert "there is no test split, so how well the model does on new data is not known" in error
        assert "--split valid" in error
    code, _, error = run(capsys, "compare", path, path)
    assert (code, "there is no test split" in error) == (2, True)
    code, _, error = run(capsys, "sample", path, "--prefix", "test:0.5", "-n", "1")
    assert (code, "there is no test split" in error) == (2, True)
    assert run_json(capsys, "evaluate", path, "--split", "valid")["examples"] == 20
    assert run_json(capsys, "evaluate", path, table)["examples"] == 200
    assert run_json(capsys, "verify", path, "--quick")["passed"]
    assert run(capsys, "info", path)[0] == 0


def test_the_page_of_a_run_says_what_is_not_known(fitted, capsys):
    for split, sentence in (("90/10/0", "there is no test split"), ("90/0/10", "there is no valid split")):
        path = fitted(split)
        assert run(capsys, "report", path)[0] == 0
        page = (path / "report.html").read_text()
        assert sentence in page
        assert ("valid examples" in page) == (split == "90/10/0")


def test_novelty_needs_held_out_examples(fitted, capsys, table):
    code, _, error = run(capsys, "score", fitted("90/0/10"), table, "--novelty")
    assert code == 2
    assert "there is no valid split" in error


def test_only_train(fitted, capsys):
    report = report_of(fitted("1/0/0"))
    assert list(report["results"]) == ["train"]
    assert list(report["not_known"]) == ["valid", "test"]


def test_members_without_valid_and_without_test(table, tmp_path, capsys):
    out = tmp_path / "run"
    assert run(capsys, "fit", table, "--out", out, "--split", "1/0/0", *TINY[:-1], "2")[0] == 0
    report = report_of(out)
    assert list(report["results"]) == ["train"]
    assert [member["kept_step"] for member in report["members"]] == [6, 6]
    assert list(report["not_known"]) == ["valid", "test"]


def test_a_budget_is_planned_without_valid(table, capsys, tmp_path):
    run_json(capsys, "fit", table, "--out", tmp_path / "run", "--split", "90/0/10", "--minutes", "0.01", *TINY[4:])
    assert report_of(tmp_path / "run")["kept_step"] == report_of(tmp_path / "run")["steps"]


def test_a_run_without_valid_goes_on_as_if_it_had_not_stopped(table, tmp_path, capsys):
    whole, parts = (tmp_path / name for name in ("whole", "parts"))
    options = [table, "--split", "1/0/0", *TINY]
    assert run(capsys, "fit", *options, "--out", whole)[0] == 0
    assert run(capsys, "fit", *options, "--out", parts, "--checkpoint-every", "2")[0] == 0
    (parts / "report.json").unlink()  # as a kill after step 4 leaves it
    shutil.rmtree(max(place for place in (parts / "checkpoints").iterdir() if place.is_dir()))
    code, out, error = run(capsys, "fit", "--resume", "--out", parts)
    assert code == 0, error
    assert "going on from step 4" in out
    assert (parts / "model.safetensors").read_bytes() == (whole / "model.safetensors").read_bytes()


@pytest.mark.slow
def test_the_unit_is_shown_wherever_a_standard_error_is(table, tmp_path, capsys):
    path = tmp_path / "run"
    code, out, error = run(capsys, "fit", table, "--out", path, "--split", "group:customer", *TINY)
    assert code == 0, error
    assert "± one standard error over groups of customer" in out
    test = report_of(path)["results"]["test"]
    assert test["unit"] == "groups of customer"
    assert 2 <= test["units"] < test["examples"]
    found = run_json(capsys, "evaluate", path)
    assert (found["unit"], found["units"]) == ("groups of customer", test["units"])
    assert found["nats_per_example_se"] == pytest.approx(test["nats_per_example_se"], rel=1e-5)
    own = run_json(capsys, "evaluate", path, table)
    assert (own["unit"], own["units"], own["examples"]) == ("groups of customer", 30, 200)
    assert "over groups of customer" in run(capsys, "evaluate", path)[1]
    compared = run_json(capsys, "compare", path, path)
    assert compared["unit"] == compared["comparisons"][0]["unit"] == "groups of customer"
    assert compared["comparisons"][0]["units"] == test["units"]
    assert f"examples in {test['units']} groups of customer" in run(capsys, "compare", path, path)[1]
    assert run(capsys, "report", path)[0] == 0
    assert "standard error over groups of customer" in (path / "report.html").read_text()


def test_a_test_set_of_its_own_in_a_run(table, tmp_path, capsys):
    other = tmp_path / "other.csv"
    other.write_text("customer,a,b\n1,y,1\n2,z,0\n99,x,2\n98,new,0\n")
    code, out, error = run(capsys, "fit", table, "--test", other, "--out", tmp_path / "run", *TINY)
    assert code == 0, error
    assert f"test is {other}, 4 examples" in out
    test = report_of(tmp_path / "run")["results"]["test"]
    assert (test["examples"], test["impossible"]) == (4, 2)  # the customer 99 and the name that is new
    assert run_json(capsys, "evaluate", tmp_path / "run")["examples"] == 4
    code, _, error = run(capsys, "fit", table, "--test", tmp_path / "none.csv", "--out", tmp_path / "b", *TINY)
    assert (code, "none.csv" in error) == (2, True)
    other.unlink()
    code, _, error = run(capsys, "evaluate", tmp_path / "run")
    assert code == 2
    assert f"{other}: is not there; it is the test set that {tmp_path / 'run'} was fitted with" in error


def test_in_python_the_same(table):
    data = cr.load(str(table), split="group:customer:70/0/30")
    fitted = cr.fit(data, steps=4, evaluate_every=2, width=8, depth=1)
    assert fitted.report_dict["kept_step"] == 4
    assert fitted.evaluate().likelihood.unit == "groups of customer"
    with pytest.raises(InputError, match="there is no valid split"):
        fitted.evaluate(split="valid")
    train = {tuple(row) for row in cr.load(str(table), split="90/10/0").train.batch(np.arange(180)).x.tolist()}
    rows = cr.load(str(table), split="1/0/0").train.batch(np.arange(200)).x.tolist()
    tested = cr.fit(str(table), test=str(table), steps=4, evaluate_every=2, width=8, depth=1, members=1)
    assert tested.report_dict["test_examples_in_train"] == sum(tuple(row) in train for row in rows)
    assert tested.evaluate().nats.shape == (200,)


@pytest.mark.parametrize("words", [("--experts", "boosted_trees"), ("--network", "boosted_trees")])
def test_what_needs_validation_is_refused_before_anything_is_written(table, tmp_path, capsys, words):
    code, _, error = run(capsys, "fit", table, "--split", "90/0/10", "--out", tmp_path / "run", *words)
    assert code == 2
    assert "boosted_trees needs a valid split" in error
    assert not (tmp_path / "run").exists()
