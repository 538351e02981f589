"""The command line for those who check: verify, evaluate with its error, compare, novelty, report."""

import csv
import json
import re
import shutil

import numpy as np
import pytest

from chainrule.cli.app import main
from chainrule.config.registry import build_model
from chainrule.runs import start
from chainrule.verification.certificate.check import Certificate, blocked
from tests.support.command_line import run_json

QUICK = ["--steps", "4", "--evaluate-every", "2", "--width", "8", "--depth", "2"]


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """Two runs on rows, one on pictures, one on text."""
    home = tmp_path_factory.mktemp("home")
    rng = np.random.default_rng(0)
    np.save(home / "rows.npy", rng.integers(0, 3, (200, 5)))
    np.save(home / "pictures.npy", rng.integers(0, 4, (90, 4, 4)))
    (home / "story.txt").write_text("the cat sat on the mat and the rat sat on the cat. " * 40)
    for name, source, more in (
        ("rows", "rows.npy", []),
        ("other", "rows.npy", ["--seed", "1"]),
        ("pictures", "pictures.npy", ["--network", "causal_conv"]),
        ("story", "story.txt", ["--window", "32"]),
    ):
        assert main(["fit", str(home / source), "--out", str(home / name), *QUICK, *more]) == 0
    return home


@pytest.mark.parametrize("name", ["rows", "story"])
def test_verify_gives_a_certificate(home, capsys, name):
    record = run_json(capsys, "verify", home / name, "--quick")
    assert record["passed"]
    assert json.loads((home / name / "certificate.json").read_text())["passed"]
    assert main(["verify", str(home / name), "--quick"]) == 0


def leaky(*arguments):
    model = build_model(*arguments)
    model.network.register_forward_hook(lambda network, given, h: h + h.mean(1, keepdim=True))
    return model


@pytest.mark.slow
def test_a_leak_fails_verification_with_code_1(home, capsys, monkeypatch):
    monkeypatch.setattr("chainrule.runs.run.build_model", leaky)
    record = run_json(capsys, "verify", home / "rows", "--quick", code=1)
    assert not record["passed"]


@pytest.mark.whole_fit
def test_a_leak_stops_a_fit_before_it_begins(home, capsys, monkeypatch, tmp_path):
    monkeypatch.setattr(start, "build_model", leaky)
    assert (
        main(["fit", str(home / "rows.npy"), "--out", str(tmp_path / "run"), "--network", "transformer", *QUICK]) == 2
    )
    assert "causality.suffix" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


@pytest.mark.whole_fit
def test_a_model_that_is_not_verified_goes_on_with_a_warning(home, capsys, monkeypatch, tmp_path):
    unverified = Certificate("a model", (blocked("causality.suffix.evaluation", "it raises KeyError: 3"),))
    monkeypatch.setattr("chainrule.verification.certificate.verify.verify", lambda *arguments, **options: unverified)
    place = tmp_path / "run"
    assert main(["fit", str(home / "rows.npy"), "--out", str(place), *QUICK]) == 0
    assert "not verified: causality.suffix.evaluation: it raises" in capsys.readouterr().out
    assert json.loads((place / "report.json").read_text())["certificate"] == "not verified"
    assert run_json(capsys, "verify", place, code=6)["verdict"] == "not verified"
    assert main(["report", str(place)]) == 0
    assert "not verified" in (place / "report.html").read_text()


def test_evaluate_saves_what_it_counted(home, capsys, tmp_path):
    labels = np.arange(len(np.load(home / "rows.npy"))) % 2
    np.save(tmp_path / "labels.npy", labels)
    arguments = [home / "rows", home / "rows.npy", "--calibration", "--groups", tmp_path / "labels.npy"]
    record = run_json(capsys, "evaluate", *arguments, "--save", tmp_path / "scores.csv")
    with open(tmp_path / "scores.csv") as file:
        nats = [float(row["log_prob"]) for row in csv.DictReader(file)]
    assert sum(nats) == pytest.approx(record["total_nats"], rel=1e-12)
    assert json.loads((tmp_path / "scores.json").read_text())["total_nats"] == record["total_nats"]
    groups = record["by_group"]
    assert sum(g["examples"] * g["nats_per_example"] for g in groups.values()) == pytest.approx(-sum(nats))
    calibration = record["calibration"]
    assert sum(calibration["nats_by_position"]) == pytest.approx(record["nats_per_example"], rel=1e-6)
    assert sum(calibration["pit"]) == record["elements"]
    assert sum(row[0] for row in calibration["reliability"]) == 3 * record["elements"]


def test_scores_in_parquet(home, capsys, tmp_path):
    from pyarrow import parquet

    record = run_json(capsys, "evaluate", home / "rows", "--save", tmp_path / "scores.parquet")
    column = parquet.read_table(tmp_path / "scores.parquet")["log_prob"].to_numpy()
    assert column.sum() == pytest.approx(record["total_nats"], rel=1e-12)


def test_compare_runs_and_files(home, capsys, tmp_path):
    record = run_json(capsys, "evaluate", home / "other", "--save", tmp_path / "other.csv")
    own = run_json(capsys, "evaluate", home / "rows")
    two = run_json(capsys, "compare", home / "rows", home / "other", tmp_path / "other.csv")["comparisons"]
    assert [c["b"] for c in two] == [str(home / "other"), "other.csv"]
    expected = record["nats_per_example"] - own["nats_per_example"]
    for comparison in two:
        assert comparison["difference"] == pytest.approx(expected, abs=1e-9)
        assert comparison["p_holm"] >= comparison["p_value"]
    assert two[0]["where_b_wins"]["examples"]
    assert run_json(capsys, "compare", home / "story", home / "story")["block"] == 1  # no difference, no correlation
    assert run_json(capsys, "compare", home / "story", home / "story", "--bootstrap-block", "2")["block"] == 2


def test_novelty(home, capsys, tmp_path):
    np.save(tmp_path / "blank.npy", np.zeros((3, 4, 4), np.int64))
    record = run_json(capsys, "score", home / "pictures", tmp_path / "blank.npy", "--novelty")
    assert {"log_prob", "typicality", "p_typicality", "ratio", "p_ratio"} <= set(record)
    assert all(0 < p <= 1 for p in record["p_typicality"] + record["p_ratio"])
    assert main(["score", str(home / "rows"), str(home / "rows.npy"), "--background", str(home / "other")]) == 0
    assert capsys.readouterr().out.startswith("example,log_prob,typicality,p_typicality,ratio,p_ratio\n0,")


@pytest.mark.parametrize("name", ["rows", "pictures", "story"])
def test_a_report_is_one_page(home, capsys, name):
    record = run_json(capsys, "report", home / name)
    page = (home / name / "report.html").read_text()
    assert record["bytes"] == len(page.encode()) < 2_000_000
    assert not re.findall(r'(?:src|href)="(?!data:)', page)
    assert "<script" not in page
    assert "@import" not in page
    for section in ("Log-likelihood", "Learning curve", "Bits by position", "Calibration", "Certificate", "Protocol"):
        assert f"<h2>{section}</h2>" in page
    assert page.count("<svg") == len(re.findall(r'<svg role="img" aria-label="[^"]', page))
    assert page.count("<img") == len(re.findall(r'<img alt="[^"]', page))


BAD = {
    "scores of another length": lambda home, tmp: ["compare", home / "rows", tmp / "short.csv"],
    "only one model": lambda home, tmp: ["compare", home / "rows"],
    "no scores": lambda home, tmp: ["compare", home / "rows", tmp / "words.csv"],
    "scores out of order": lambda home, tmp: ["compare", tmp / "order.csv", tmp / "order.csv"],
    "runs on different data": lambda home, tmp: ["compare", home / "rows", home / "story"],
    "scores into another format": lambda home, tmp: ["evaluate", home / "rows", "--save", tmp / "a.xls"],
    "groups of another length": lambda home, tmp: ["evaluate", home / "rows", "--groups", tmp / "short.csv"],
    "report of another format": lambda home, tmp: ["report", home / "rows", "--out", tmp / "a.pdf"],
    "verify nothing": lambda home, tmp: ["verify", tmp / "none"],
}
WORDS = {
    "scores of another length": "score the same data",
    "only one model": "at least two",
    "no scores": "`log_prob`",
    "scores out of order": "is not example 0",
    "runs on different data": "examples, ",
    "scores into another format": "change the ending",
    "groups of another length": "one for each",
    "report of another format": "change the ending",
    "verify nothing": "no such run",
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input(home, tmp_path, capsys, case):
    (tmp_path / "short.csv").write_text("log_prob\n-1\n-2\n")
    (tmp_path / "words.csv").write_text("name,score\na,b\n")
    (tmp_path / "order.csv").write_text("example,log_prob\n1,-1\n0,-2\n")
    capsys.readouterr()
    assert main([str(argument) for argument in BAD[case](home, tmp_path)]) == 2
    err = capsys.readouterr().err
    assert err.startswith("error: ")
    assert err.count("\n") == 1
    assert WORDS[case] in err


def test_a_damaged_run_is_refused(home, tmp_path, capsys):
    shutil.copytree(home / "rows", tmp_path / "run")
    (tmp_path / "run" / "model.safetensors").write_bytes(b"nothing")
    assert main(["report", str(tmp_path / "run")]) == 2


@pytest.fixture(scope="module")
def tables(tmp_path_factory):
    """Two runs on a table of four columns, the last of which is a copy of the first."""
    home = tmp_path_factory.mktemp("tables")
    rng = np.random.default_rng(0)
    animal = rng.choice(["cat", "dog", "owl"], 300)
    lines = ["animal,legs,weight,again"]
    lines += [f"{a},{rng.integers(2, 6)},{rng.normal(3, 1):.1f},{a}" for a in animal]
    (home / "table.csv").write_text("\n".join(lines) + "\n")
    for name, steps in (("one", "2"), ("two", "60")):
        arguments = ["fit", str(home / "table.csv"), "--out", str(home / name), "--steps", steps, *QUICK[2:]]
        assert main(arguments) == 0
    return home


@pytest.mark.slow
def test_columns_by_name(tables, capsys):
    record = run_json(capsys, "evaluate", tables / "two", "--calibration")
    columns = {row["column"]: row for row in record["by_column"]}
    assert list(columns) == ["animal", "legs", "weight", "again"]
    assert sum(row["nats"] for row in columns.values()) == pytest.approx(record["nats_per_example"], rel=1e-6)
    assert all(row["cells"] == record["examples"] and row["nats_se"] > 0 for row in columns.values())
    assert sum(record["calibration"]["pit"]) == record["elements"]
    assert main(["evaluate", str(tables / "two")]) == 0
    shown = capsys.readouterr().out
    assert all(name in shown for name in columns)


def test_the_columns_where_b_wins(tables, capsys):
    record = run_json(capsys, "compare", tables / "one", tables / "two")["comparisons"][0]["where_b_wins"]
    assert record["columns"][0] == ["animal", "legs", "weight", "again"][record["positions"][0]]
    assert len(record["columns"]) == len(record["positions"]) > 0
    assert main(["compare", str(tables / "one"), str(tables / "two")]) == 0
    assert f"in the columns {record['columns'][0]}" in capsys.readouterr().out


def test_the_certificate_of_a_table_sums_its_columns(tables, capsys):
    record = run_json(capsys, "verify", tables / "two")
    (check,) = (check for check in record["checks"] if check["name"] == "normalisation.support")
    assert check["passed"]
    assert check["tried"].startswith("4 of 4 elements")
