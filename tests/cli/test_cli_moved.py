"""Whose number is it: rows that stand in train, data that were moved, scores that name their examples."""

import json
import shutil

import numpy as np
import pytest

import chainrule as cr
from chainrule.cli.app import main
from chainrule.errors import InputError
from tests.support.command_line import run, run_json

TINY = ["--steps", "4", "--evaluate-every", "2", "--width", "8", "--depth", "1", "--members", "1"]
COMMANDS = {  # of a run, each with what it needs to ask for the run's own data
    "evaluate": (),
    "report": (),
    "verify": ("--quick",),
    "sample": ("-n", "1", "--prefix", "test:0.5"),
    "score": ("--novelty",),
    "compare": (),
    "probe": ("--labels",),
}


def write_rows(path, seed=0, count=120):
    rng = np.random.default_rng(seed)
    path.write_text("a,b,c\n" + "".join(f"{'xyz'[a]},{b},{c}\n" for a, b, c in rng.integers(0, 3, (count, 3))))
    return path


@pytest.fixture
def there(tmp_path, monkeypatch):
    """A run whose data are named by a path that is not absolute."""
    monkeypatch.chdir(tmp_path)
    write_rows(tmp_path / "t.csv")
    assert main(["fit", "t.csv", "--out", "run", *TINY]) == 0
    return tmp_path / "run"


def arguments(command, folder, more):
    if command == "score":
        more = (folder / "other.csv", *more)
    if command == "compare":
        more = (folder / "run", *more)
    if command == "probe":
        (folder / "labels.txt").write_text("".join(f"{'pq'[n % 2]}\n" for n in range(12)))
        more = ("--labels", folder / "labels.txt", "--folds", "2")
    return [command, folder / "run", *more]


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_of_a_run_says_whose_data_are_lost_and_takes_their_new_place(there, tmp_path, capsys, command):
    write_rows(tmp_path / "other.csv", seed=1)
    words = arguments(command, tmp_path, COMMANDS[command])
    (tmp_path / "moved").mkdir()
    place = shutil.move(tmp_path / "t.csv", tmp_path / "moved" / "rows.csv")
    code, _, error = run(capsys, *words)
    assert code == 2
    assert f"t.csv: is not there (seen from {tmp_path}); it is the data that {there} was fitted with" in error
    assert "--moved-to PATH" in error
    code, _, error = run(capsys, *words, "--moved-to", place)
    assert code == 0, error
    code, _, error = run(capsys, *words, "--moved-to", tmp_path / "other.csv")
    assert code == 2
    assert f"other.csv: is not the data that {there} was trained on" in error
    code, _, error = run(capsys, *words, "--moved-to", tmp_path / "nowhere.csv")
    assert code == 2
    assert "nowhere.csv: is not there" in error


def test_training_goes_on_where_the_data_are_now(there, tmp_path, capsys):
    weights = (there / "model.safetensors").read_bytes()
    place = shutil.move(tmp_path / "t.csv", tmp_path / "rows.csv")
    (there / "report.json").unlink()
    code, _, error = run(capsys, "fit", "--resume", "--out", there)
    assert code == 2
    assert f"t.csv: is not there (seen from {tmp_path}); it is the data that {there} was fitted with" in error
    write_rows(tmp_path / "other.csv", seed=1)
    code, _, error = run(capsys, "fit", "--resume", "--out", there, "--moved-to", tmp_path / "other.csv")
    assert code == 2
    assert "was begun otherwise: data.sha256" in error or "sha256" in error
    code, _, error = run(capsys, "fit", "--resume", "--out", there, "--moved-to", place)
    assert code == 0, error
    assert (there / "model.safetensors").read_bytes() == weights
    code, _, error = run(capsys, "fit", "--resume", place, "--out", there, "--moved-to", place)
    assert (code, "give one of them" in error) == (2, True)
    code, _, error = run(capsys, "fit", place, "--out", tmp_path / "b", "--moved-to", place)
    assert (code, "it needs --resume" in error) == (2, True)


def test_a_test_set_is_looked_for_beside_the_moved_data(tmp_path, capsys):
    before, after = tmp_path / "before", tmp_path / "after"
    before.mkdir()
    write_rows(before / "t.csv")
    write_rows(before / "new.csv", seed=1, count=30)
    out = tmp_path / "run"
    assert run(capsys, "fit", before / "t.csv", "--test", before / "new.csv", "--out", out, *TINY)[0] == 0
    shutil.move(before, after)
    assert run(capsys, "evaluate", out)[0] == 2
    assert run_json(capsys, "evaluate", out, "--moved-to", after / "t.csv")["examples"] == 30
    (out / "report.json").unlink()
    code, _, error = run(capsys, "fit", "--resume", "--out", out, "--moved-to", after / "t.csv")
    assert code == 0, error


def test_a_run_finds_its_data_from_anywhere_and_after_both_were_moved(tmp_path, capsys, monkeypatch):
    begin, later, elsewhere = tmp_path / "begin", tmp_path / "later", tmp_path / "elsewhere"
    begin.mkdir()
    elsewhere.mkdir()
    monkeypatch.chdir(begin)
    write_rows(begin / "t.csv")
    assert run(capsys, "fit", "t.csv", "--out", "runs/a", *TINY)[0] == 0
    before = run_json(capsys, "evaluate", "runs/a")["nats_per_example"]
    monkeypatch.chdir(elsewhere)
    write_rows(elsewhere / "t.csv", seed=1, count=10)  # of the same name, and not the data
    assert run_json(capsys, "evaluate", begin / "runs" / "a")["nats_per_example"] == before
    shutil.move(begin, later)
    assert run_json(capsys, "evaluate", later / "runs" / "a")["nats_per_example"] == before
    (later / "runs" / "a" / "report.json").unlink()
    code, _, error = run(capsys, "fit", "--resume", "--out", later / "runs" / "a")
    assert code == 0, error


def test_in_python_the_same(there, tmp_path):
    place = shutil.move(tmp_path / "t.csv", tmp_path / "rows.csv")
    opened = cr.Run.open(there)
    with pytest.raises(InputError, match="is not there"):
        opened.evaluate()
    assert opened.evaluate(moved_to=place).likelihood.examples == 12
    assert opened.verify(quick=True, moved_to=place).passed


def test_rows_of_a_file_that_stand_in_train_are_counted(there, tmp_path, capsys):
    data = cr.Run.open(there).data()
    rows = [",".join(row) for row in data.encoding.decode(data.train.batch(np.arange(len(data.train))).x.numpy())]
    (tmp_path / "own.csv").write_text("a,b,c\n" + "\n".join(rows[:5]) + "\nnew,0,0\n")
    found = run_json(capsys, "evaluate", there, tmp_path / "own.csv")
    assert (found["examples"], found["examples_in_train"], found["impossible"]) == (6, 5, 1)
    _, out, _ = run(capsys, "evaluate", there, tmp_path / "own.csv")
    assert "in train" in out
    assert "5 of 6 stand in the run's train split, too" in out
    assert "examples_in_train" not in run_json(capsys, "evaluate", there)
    assert cr.Run.open(there).evaluate(str(tmp_path / "own.csv")).in_train == 5
    every = run_json(capsys, "evaluate", there, "t.csv")
    lines = (tmp_path / "t.csv").read_text().split()[1:]
    assert every["examples_in_train"] == sum(line in set(rows) for line in lines)


def test_where_the_run_cannot_read_its_data_the_count_is_not_known(there, tmp_path, capsys):
    own = write_rows(tmp_path / "own.csv", seed=2, count=9)
    (tmp_path / "t.csv").unlink()
    found = run_json(capsys, "evaluate", there, own)
    assert (found["examples"], found["examples_in_train"]) == (9, None)
    assert "t.csv: is not there" in found["examples_in_train_unknown"]
    assert "is not known: t.csv: is not there" in run(capsys, "evaluate", there, own)[1]


def scores(path, pairs, column="id"):
    path.write_text(f"{column},log_prob\n" + "".join(f"{name},{value}\n" for name, value in pairs))
    return path


def test_scores_are_joined_by_their_ids(tmp_path, capsys):
    nats = {f"row {n}": -float(n) for n in range(20)}
    a = scores(tmp_path / "a.csv", nats.items())
    shuffled = dict(sorted(nats.items(), key=lambda pair: hash(pair[0][::-1]) % 97))
    b = scores(tmp_path / "b.csv", [(name, value - 0.5) for name, value in shuffled.items()], column="ID")
    (found,) = run_json(capsys, "compare", a, b)["comparisons"]
    assert found["difference"] == pytest.approx(0.5)
    assert found["standard_error"] == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize(
    ("others", "message"),
    [
        ([("x", -1), ("y", -1), ("y", -2)], "b.csv: the id 'y' stands in line 3 and in line 4"),
        ([("x", -1), ("", -1), ("z", -2)], "b.csv: line 3 has no id"),
        ([("x", -1), ("y", -1)], "b.csv has no id 'z', which a.csv has (1 of 3)"),
        ([("x", -1), ("y", -1), ("z", -1), ("w", 0)], "a.csv has no id 'w', which b.csv has (1 of 4)"),
        ([("p", -1), ("q", -1), ("r", -1)], "b.csv has no id 'x', 'y', 'z', which a.csv has (3 of 3)"),
    ],
)
def test_ids_that_do_not_match_are_refused(tmp_path, capsys, others, message):
    a, b = scores(tmp_path / "a.csv", [("x", -1), ("y", -1), ("z", -1)]), scores(tmp_path / "b.csv", others)
    code, _, error = run(capsys, "compare", a, b)
    assert code == 2
    assert message in error


def test_scores_with_ids_are_not_paired_with_scores_without(tmp_path, capsys, there):
    a = scores(tmp_path / "a.csv", [(f"r{n}", -1.0 - n) for n in range(12)])
    b = scores(tmp_path / "b.csv", [(n, -1.0 - n) for n in range(12)], column="example")
    for words in ((a, b), (b, a), (a, there), (there, a)):
        code, _, error = run(capsys, "compare", *words)
        assert code == 2
        assert "names its examples in a column `id`" in error
    assert run(capsys, "compare", b, there)[0] == 0


def test_tables_in_a_pipe_have_their_full_width(tmp_path, capsys):
    name = "a column of a name that is much longer than a line of a terminal, and goes on and on and on"
    (tmp_path / "t.csv").write_text(f'"{name}",b\n' + "".join(f"{'xyz'[n % 3]},{n % 4}\n" for n in range(90)))
    assert main(["fit", str(tmp_path / "t.csv"), "--out", str(tmp_path / "run"), *TINY]) == 0
    _, out, _ = run(capsys, "evaluate", tmp_path / "run")
    (line,) = (line for line in out.splitlines() if line.startswith("a column"))
    assert line.startswith(name)
    assert line.split()[-2] == "±" or "±" in line
    assert "…" not in out
    stored = json.loads((tmp_path / "run" / "report.json").read_text())["results"]["test"]
    assert str(stored["examples"]) in out
