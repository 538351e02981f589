"""`chainrule score`: one picture, folders with splits, names and order of what is scored, and what is refused."""

import csv
import io

import numpy as np
import pytest
from PIL import Image

import chainrule as cr
from chainrule import InputError
from chainrule.cli.app import main
from chainrule.evaluation.scores import read_scores

RNG = np.random.default_rng(0)


def write_pictures(folder, names):
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        Image.fromarray(RNG.integers(0, 256, (3, 4)).astype(np.uint8)).save(folder / name)


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """A run on pictures, and folders of them."""
    home = tmp_path_factory.mktemp("pictures")
    write_pictures(home / "split" / "Train", [f"{k}.png" for k in range(12)])
    write_pictures(home / "split" / "Val", ["10.png", "9.png"])
    write_pictures(home / "split" / "Test", ["b.png", "a, the first.png", "11.png"])
    write_pictures(home / "flat", [f"img{k}.png" for k in range(12)])
    (home / "table.csv").write_text("n,s\n1,x\n")
    small = {"steps": 1, "width": 8, "depth": 1, "levels": 4}
    cr.fit(str(home / "split"), out=home / "run", verbose=False, **small)
    return home


def scored(home, capsys, *arguments):
    assert main(["score", str(home / "run"), *arguments]) == 0
    shown = capsys.readouterr()
    return list(csv.DictReader(io.StringIO(shown.out))), shown.err


def test_a_folder_with_splits_is_scored_whole_with_the_names_of_its_files(home, capsys):
    rows, said = scored(home, capsys, str(home / "split"))
    assert "17 examples in nats (train 12, valid 2, test 3)" in said
    assert [row["split"] for row in rows] == ["train"] * 12 + ["valid"] * 2 + ["test"] * 3
    names = [f"Train/{k}.png" for k in range(12)] + ["Val/9.png", "Val/10.png"]
    assert [row["file"] for row in rows] == [*names, "Test/11.png", "Test/a, the first.png", "Test/b.png"]
    assert [row["example"] for row in rows] == [str(n) for n in range(17)]
    for row in (rows[2], rows[12], rows[15]):
        alone, said = scored(home, capsys, str(home / "split" / row["file"]))
        assert said == ""
        assert float(alone[0]["log_prob"]) == pytest.approx(float(row["log_prob"]), rel=1e-5)
        assert alone[0]["file"] == row["file"].split("/")[1]


def test_one_split_can_be_asked_for(home, capsys):
    rows, said = scored(home, capsys, str(home / "split"), "--split", "test")
    assert (len(rows), "(test 3)" in said) == (3, True)
    assert main(["score", str(home / "run"), str(home / "flat"), "--split", "test"]) == 2
    assert "has no splits, got --split test" in capsys.readouterr().err


def test_pictures_without_splits_are_in_the_order_of_their_numbers(home, capsys):
    rows, _ = scored(home, capsys, str(home / "flat"))
    assert [row["file"] for row in rows] == [f"img{k}.png" for k in range(12)]
    assert "split" not in rows[0]


def test_scores_in_python_and_in_files(home, tmp_path, capsys):
    run = cr.Run.open(home / "run")
    scores = run.score(str(home / "split"), out=tmp_path / "s.jsonl", novelty=True)
    assert scores.splits == {"train": 12, "valid": 2, "test": 3}
    assert len(scores.files) == len(scores.log_prob) == len(scores.columns["typicality"]) == 17
    assert '"file":"Test/11.png"' in (tmp_path / "s.jsonl").read_text().replace(": ", ":")
    assert main(["score", str(home / "run"), str(home / "split"), "--out", str(tmp_path / "s.csv")]) == 0
    assert "(train 12, valid 2, test 3)" in capsys.readouterr().out
    assert read_scores(tmp_path / "s.csv") == pytest.approx(scores.log_prob, rel=1e-5)


def test_evaluate_says_which_split_of_its_data_it_takes(home):
    run = cr.Run.open(home / "run")
    result = run.evaluate(str(home / "split"))
    assert (result.data, result.likelihood.examples) == (f"{home / 'split'} (test)", 3)
    assert run.evaluate(str(home / "split"), split="train").likelihood.examples == 12
    assert run.evaluate(str(home / "flat")).data == str(home / "flat")


WRONG = {
    "missing": ("no-such-folder", "there is no such file or folder"),
    "a missing picture": ("gone.png", "there is no such file or folder"),
    "a table": ("table.csv", "is not a picture; expected one, or a folder"),
}


@pytest.mark.parametrize("case", WRONG)
@pytest.mark.parametrize("command", ["score", "evaluate"])
def test_what_is_no_picture_is_refused(home, capsys, case, command):
    name, words = WRONG[case]
    assert main([command, str(home / "run"), str(home / name)]) == 2
    error = capsys.readouterr().err
    assert f"{name}: {words}" in error
    assert error.count("\n") == 1


def test_pictures_of_another_size_are_refused(home, tmp_path):
    write_pictures(tmp_path, ["a.png"])
    Image.fromarray(np.zeros((5, 4), np.uint8)).save(tmp_path / "b.png")
    with pytest.raises(InputError, match=r"b.png: the images are 5x4, expected 3x4"):
        cr.Run.open(home / "run").score(str(tmp_path / "b.png"))
