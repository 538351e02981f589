"""Names of columns with commas, equals signs, brackets and other letters: named, shown and kept on the command line."""

import csv

import pytest

from chainrule.cli.app import main

QUICK = ["--steps", "2", "--evaluate-every", "1", "--width", "8", "--depth", "1"]
NAMES = ["size, cm", "a=b", "pulse [/min]", "größe", "[bold]", "x=1,y=2"]


@pytest.fixture
def table(tmp_path):
    with (tmp_path / "odd.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(NAMES)
        writer.writerows([[k % 4, "uv"[k % 2], 60 + k % 7, k / 2, "xyz"[k % 3], k % 5] for k in range(80)])
    return tmp_path / "odd.csv"


def test_odd_names_are_named_shown_and_kept(table, tmp_path, capsys):
    out = str(tmp_path / "run")
    columns = "size, cm=categorical,pulse [/min]=count,größe=real:0.25"
    asked = ["--columns", columns, "--drop", "[bold]", "--given", "a=b,x=1,y=2"]
    assert main(["fit", str(table), "--out", out, *asked, *QUICK]) == 0
    shown = " ".join(capsys.readouterr().out.split())
    for text in (
        "size, cm (categorical of 4)",
        "pulse [/min] (count)",
        "größe (real, resolution 0.25)",
        "a=b, x=1,y=2",
    ):
        assert text in shown
    assert "[bold] (" not in shown
    sampled = tmp_path / "s.csv"
    assert main(["sample", out, "--given", "a=b=u,x=1,y=2=3", "-n", "4", "--out", str(sampled)]) == 0
    with sampled.open(newline="", encoding="utf-8") as file:
        rows = list(csv.reader(file))
    assert rows[0] == ["a=b", "x=1,y=2", "size, cm", "pulse [/min]", "größe"]
    assert all(row[:2] == ["u", "3"] for row in rows[1:])
    scores = tmp_path / "scores.csv"
    assert main(["score", out, str(sampled), "--out", str(scores)]) == 0
    assert "inf" not in scores.read_text()


def test_an_unknown_name_with_brackets_is_shown_whole(table, capsys):
    assert main(["fit", str(table), "--drop", "pulse [/m]", *QUICK]) == 2
    assert "pulse [/min]" in capsys.readouterr().err
