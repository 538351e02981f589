"""Completion and probing on the command line."""

import json

import numpy as np
import pytest

from chainrule.cli.app import main
from chainrule.runs.prefixes import prefixes
from chainrule.runs.run import Run
from tests.support.command_line import run

QUICK = ["--steps", "4", "--evaluate-every", "4", "--width", "8", "--depth", "1"]


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    home = tmp_path_factory.mktemp("home")
    (home / "story.txt").write_text("the cat sat on the mat and the rat sat on the cat. " * 60)
    assert main(["fit", "digits", "--out", str(home / "digits"), *QUICK]) == 0
    assert main(["fit", str(home / "story.txt"), "--window", "32", "--out", str(home / "story"), *QUICK]) == 0
    return home


@pytest.mark.slow
def test_the_upper_half_is_kept_and_the_rest_is_scored(home, capsys, tmp_path):
    from chainrule.data import load

    code, out, _ = run(
        capsys, "sample", home / "digits", "-n", "5", "--prefix", "test:0.5", "--out", tmp_path / "a.npy", "--json"
    )
    assert code == 0
    drawn = np.load(tmp_path / "a.npy").reshape(5, 64)
    real = load("digits").test.batch(np.arange(5)).x.numpy()
    assert (drawn[:, :32] == real[:, :32]).all()
    assert (drawn[:, 32:] != real[:, 32:]).any()
    free = json.loads(run(capsys, "sample", home / "digits", "-n", "5", "--out", tmp_path / "b.npy", "--json")[1])
    assert np.mean(json.loads(out)["log_prob"]) > np.mean(free["log_prob"]) / 1.2


def test_an_array_of_elements_is_a_prefix(home, capsys, tmp_path):
    np.save(tmp_path / "p.npy", np.full((1, 10), 3))
    code, _, _ = run(
        capsys, "sample", home / "digits", "-n", "2", "--prefix", tmp_path / "p.npy", "--out", tmp_path / "a.npy"
    )
    assert code == 0
    assert (np.load(tmp_path / "a.npy").reshape(2, 64)[:, :10] == 3).all()


def test_half_of_a_window_is_half_of_all_its_elements(home):
    completed = prefixes(Run.open(home / "story"), "test:0.5", 3)
    assert [len(given) for given in completed.prefix] == [16, 16, 16]


def test_documents_are_never_given_whole(tmp_path):
    (tmp_path / "names.txt").write_text("\n".join("abc"[n % 3] * (1 + n % 4) for n in range(90)))
    out = str(tmp_path / "names")
    assert main(["fit", str(tmp_path / "names.txt"), "--documents", "line", "--out", out, *QUICK]) == 0
    run_of = Run.open(tmp_path / "names")
    batch = run_of.data().test.batch(np.arange(4))
    given = [len(x) for x in prefixes(run_of, "test:0.9", 4).prefix]
    assert given == [max(0, min(int(np.ceil(0.9 * n)), n - 1)) for n in batch.elements.tolist()]


def test_cells_are_a_prefix_of_a_row(capsys, tmp_path):
    cells = "\n".join(f"{n % 3},{n / 7:.2f},{'xy'[n % 2]}" for n in range(120))
    (tmp_path / "t.csv").write_text("a,b,c\n" + cells + "\n")
    assert main(["fit", str(tmp_path / "t.csv"), "--out", str(tmp_path / "t"), "--steps", "2"]) == 0
    first = Run.open(tmp_path / "t").data().test.batch(np.arange(2)).x.numpy()[:, :2]
    for name, rows in (("one", first[0]), ("both", first)):
        np.save(tmp_path / f"{name}.npy", rows)
        asked = ["sample", tmp_path / "t", "-n", "2", "--prefix", tmp_path / f"{name}.npy", "--out", tmp_path / "s.csv"]
        code, _, said = run(capsys, *asked)
        assert code == 0, said
    np.save(tmp_path / "bad.npy", first * 0 - 5)
    assert "expected a value of that column" in run(capsys, *asked[:5], tmp_path / "bad.npy")[2]


def test_a_model_of_classes_is_not_probed_for_them(capsys, tmp_path):
    assert main(["fit", "digits", "--given", "label", "--out", str(tmp_path / "given"), *QUICK]) == 0
    code, _, said = run(capsys, "probe", tmp_path / "given")
    assert code == 2
    assert "know the label" in said


def test_a_text_goes_on(home, capsys):
    code, out, _ = run(capsys, "sample", home / "story", "-n", "2", "--prefix", "the cat", "--json")
    assert code == 0
    assert all(text.startswith("the cat") for text in json.loads(out)["text"])


def test_probe(home, capsys, tmp_path):
    code, out, _ = run(capsys, "probe", home / "digits", "--segments", "8", "--json")
    assert code == 0
    layers = json.loads(out)["layers"]
    assert [layer["layer"] for layer in layers] == [0, 1]
    assert max(layer["accuracy"] for layer in layers) > 0.5
    np.save(tmp_path / "y.npy", np.arange(447) % 2)
    assert run(capsys, "probe", home / "digits", "--labels", tmp_path / "y.npy")[0] == 0


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["sample", "digits", "--prefix", "test:1.5"], "between 0 and 1"),
        (["sample", "digits", "--prefix", "test:x"], "between 0 and 1"),
        (["sample", "digits", "-n", "9999", "--prefix", "test:0.5"], "447 examples"),
        (["sample", "digits", "--prefix", "hello"], "not on text"),
        (["sample", "digits", "--prefix", "/no/such.npy"], "is not a readable .npy file"),
        (["probe", "digits", "--labels", "/no/such.npy"], "one label per line"),
        (["probe", "digits", "--folds", "1"], ">= 2"),
    ],
)
def test_bad_input(home, capsys, arguments, words):
    code, out, err = run(capsys, arguments[0], home / arguments[1], *arguments[2:])
    assert (code, out) == (2, "")
    assert words in err
    assert err.count("\n") == 1
