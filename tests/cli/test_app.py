"""The command line: the main job to its end, JSON that adds up, and bad input in one line."""

import json
import re
import shutil

import numpy as np
import pytest
import torch

from chainrule.cli.app import main
from chainrule.config.options import OPTIONS
from tests.support.command_line import assert_refused, run, run_json

QUICK = ["--steps", "6", "--evaluate-every", "3", "--width", "8", "--depth", "2"]


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """A directory with a little of every kind of data and a trained run of each."""
    home = tmp_path_factory.mktemp("home")
    rng = np.random.default_rng(0)
    np.save(home / "rows.npy", rng.integers(0, 3, (300, 5)))
    np.savez(
        home / "bits.npz",
        **{name: rng.integers(0, 2, (40, 4, 4)).astype(np.uint8) for name in ("train", "valid", "test")},
    )
    (home / "story.txt").write_text("the cat sat on the mat and the rat sat on the cat. " * 60)
    for name, source, more in (
        ("digits", "digits", []),
        ("rows", home / "rows.npy", []),
        ("bits", home / "bits.npz", ["--network", "causal_conv"]),
        ("story", home / "story.txt", ["--window", "32"]),
    ):
        assert main(["fit", str(source), "--out", str(home / name), *QUICK, *more]) == 0
    return home


@pytest.mark.parametrize("name", ["digits", "rows", "bits", "story"])
def test_fit_leaves_a_whole_run(home, name):
    files = {path.name for path in (home / name).iterdir()}
    assert {"config.json", "model.safetensors", "metrics.jsonl", "report.json", "learning_curve.png"} <= files
    assert ("samples.png" in files) == (name in ("digits", "bits"))
    report = json.loads((home / name / "report.json").read_text())
    assert report["steps"] == 6
    assert set(report["results"]) == {"train", "valid", "test"}
    config = json.loads((home / name / "config.json").read_text())
    assert config["training"]["learning_rate"] > 0
    assert not [path for path in files if path.startswith(".")]


@pytest.mark.parametrize("name", ["digits", "rows", "bits", "story"])
def test_evaluate_gives_the_number_of_fit(home, capsys, name):
    result = run_json(capsys, "evaluate", home / name, "--batch-size", "7")
    report = json.loads((home / name / "report.json").read_text())["results"]["test"]
    for key in ("nats_per_example", "nats_per_example_se", "bits_per_dim"):
        assert result[key] == pytest.approx(report[key], rel=1e-5)
    for key in ("examples", "elements", "dims", "impossible"):
        assert result[key] == report[key]
    if name == "story":
        assert result["bits_per_byte"] == pytest.approx(result["bits_per_dim"])
        assert result["bytes"] == result["elements"] == 306


def test_evaluate_takes_other_data(home, capsys):
    own = run_json(capsys, "evaluate", home / "digits")
    assert run_json(capsys, "evaluate", home / "digits", "digits")["total_nats"] == pytest.approx(own["total_nats"])
    whole = run_json(capsys, "evaluate", home / "story", home / "story.txt")
    assert whole["bytes"] == (home / "story.txt").stat().st_size


def test_score_adds_up_to_evaluate(home, capsys, tmp_path):
    total = run_json(capsys, "evaluate", home / "rows", home / "rows.npy")["total_nats"]
    code, out, _ = run(capsys, "score", home / "rows", home / "rows.npy")
    lines = out.splitlines()
    assert (code, lines[0], len(lines)) == (0, "example,log_prob", 301)
    assert sum(float(line.split(",")[1]) for line in lines[1:]) == pytest.approx(total, rel=1e-6)
    for ending in ("csv", "jsonl"):
        record = run_json(capsys, "score", home / "rows", home / "rows.npy", "--out", tmp_path / f"s.{ending}")
        assert record["examples"] == 300
    rows = [json.loads(line) for line in (tmp_path / "s.jsonl").read_text().splitlines()]
    assert sum(row["log_prob"] for row in rows) == pytest.approx(total, rel=1e-6)


def test_samples(home, capsys, tmp_path):
    first = run_json(capsys, "sample", home / "digits", "-n", "3", "--out", tmp_path / "a.npy")
    again = run_json(capsys, "sample", home / "digits", "-n", "5", "--out", tmp_path / "b.npy")
    a, b = np.load(tmp_path / "a.npy"), np.load(tmp_path / "b.npy")
    assert a.shape == (3, 8, 8)
    assert (a == b[:3]).all()
    assert first["log_prob"] == pytest.approx(again["log_prob"][:3], abs=1e-3)
    assert first["log_q"] is None
    filtered = run_json(capsys, "sample", home / "digits", "-n", "2", "--top-k", "1", "--out", tmp_path / "c.png")
    assert filtered["log_q"] == pytest.approx([0, 0], abs=1e-6)
    assert (tmp_path / "c.png").read_bytes().startswith(b"\x89PNG")
    assert len(run_json(capsys, "sample", home / "story", "-n", "2")["text"]) == 2
    code, out, _ = run(capsys, "sample", home / "story", "-n", "1")
    assert code == 0
    assert out


def test_info(home, capsys):
    assert run_json(capsys, "info", home / "digits")["config"]["data"]["name"] == "digits"
    parts = run_json(capsys, "info")
    assert "causal_conv" in parts["networks"]
    assert run(capsys, "info", home / "digits")[0] == 0
    assert run(capsys, "info")[0] == 0


def test_fit_prints_one_json_object(tmp_path, capsys):
    record = run_json(capsys, "fit", "digits", "--out", tmp_path / "run", *QUICK)
    assert record["results"]["test"]["examples"] == 447
    assert record["independent_elements"]["test"]["nats_per_example"] == pytest.approx(106.47, abs=0.01)


def test_a_config_file_is_overridden_by_the_command_line(tmp_path, capsys):
    (tmp_path / "c.toml").write_text(
        'steps = 4\nevaluate-every = 2\n[network]\nname = "causal_conv"\nkernel_size = 2\n'
    )
    arguments = ["--config", tmp_path / "c.toml", "--steps", "2", "--width", "8", "--depth", "1"]
    run_json(capsys, "fit", "digits", "--out", tmp_path / "run", *arguments)
    config = json.loads((tmp_path / "run" / "config.json").read_text())
    assert config["training"]["steps"] == 2
    assert config["training"]["evaluate_every"] == 2
    assert config["model"]["network"]["kernel_size"] == 2


@pytest.mark.slow
def test_two_fits_of_one_seed_are_the_same_bits(tmp_path, capsys):
    for name in ("a", "b"):
        run_json(capsys, "fit", "digits", "--out", tmp_path / name, *QUICK, "--dropout", "0.2")
    assert (tmp_path / "a" / "model.safetensors").read_bytes() == (tmp_path / "b" / "model.safetensors").read_bytes()


def test_help_describes_every_option_with_its_default(capsys):
    code, out, _ = run(capsys, "fit", "--help")
    assert code == 0
    entries = [" ".join(entry.split()) for entry in re.split(r"\n  (?=\S)", out)]
    described = {entry.split()[0]: entry for entry in entries}
    for option in OPTIONS:
        entry = described[f"--{option.name.replace('_', '-')}"]
        assert option.help in entry
        if not option.is_switch:
            shown = re.search(r"\[default: (.+?)\]", entry)
            assert shown, entry
            if isinstance(option.default, int | float) and not re.match("image|text|row", shown[1]):
                assert shown[1] == option.default_text or float(shown[1]) == option.default, entry


# --- bad input: one line on standard error that names the thing and what to do, code 2, nothing left behind ----------


def _damage(path, position=-5):
    content = bytearray(path.read_bytes())
    content[position] ^= 0xFF
    path.write_bytes(content)


def _with(edit):
    """A copy of the trained digits run with something wrong."""

    def prepare(home, tmp):
        shutil.copytree(home / "digits", tmp / "run")
        edit(tmp / "run")
        return ["evaluate", tmp / "run"]

    return prepare


def _array(x, **changes):
    def prepare(home, tmp):
        np.save(tmp / "x.npy", x)
        return ["fit", tmp / "x.npy", "--out", tmp / "out"]

    return prepare


def _config(edit):
    def change(run_directory):
        path = run_directory / "config.json"
        config = json.loads(path.read_text())
        edit(config)
        path.write_text(json.dumps(config))

    return _with(change)


def _scored(x):
    def prepare(home, tmp):
        np.save(tmp / "x.npy", x)
        return ["score", home / "digits", tmp / "x.npy", "--out", tmp / "out.csv"]

    return prepare


def _npz(home, tmp, **arrays):
    np.savez(tmp / "x.npz", **arrays)
    return ["fit", tmp / "x.npz", "--out", tmp / "out"]


def _file(content, ending=".txt"):
    def prepare(home, tmp):
        (tmp / f"x{ending}").write_bytes(content)
        return ["fit", tmp / f"x{ending}", "--out", tmp / "out"]

    return prepare


def _fit(*arguments):
    return lambda home, tmp: ["fit", *arguments, "--out", tmp / "out"]


def _toml(text):
    def prepare(home, tmp):
        (tmp / "c.toml").write_text(text)
        return ["fit", "digits", "--config", tmp / "c.toml", "--out", tmp / "out"]

    return prepare


ONES = np.ones((3, 2), np.uint8)
BAD = {
    "category out of range": (_scored(np.full((3, 8, 8), 17)), "17 at (0, 0), expected integers in 0..16"),
    "negative category": (_array(np.array([[0, -1], [1, 1]])), "start at 0, got -1"),
    "NaN": (_array(np.array([[[0.0, np.nan], [1, 1]]])), "nan at (0, 0, 1)"),
    "a real among integers": (_array(np.array([[[0.0, 0.5], [1, 1]]])), "quantise"),
    "strings": (_array(np.array([["a", "b"]])), "encode the values"),
    "too many symbols": (_array(np.array([[0, 2**40], [1, 1]])), "at most 1048576"),
    "one axis": (_array(np.arange(9)), "one axis"),
    "empty array": (_array(np.zeros((0, 3), np.int64)), "is empty"),
    "empty file": (_file(b""), "file is empty"),
    "text too short to split": (_file(b"ab"), "split is empty"),
    "empty split": (lambda h, t: _npz(h, t, train=ONES, valid=ONES[:0], test=ONES), "is empty"),
    "splits that lack one": (lambda h, t: _npz(h, t, train=ONES, other=ONES), "expected train, valid and test"),
    "splits of different shapes": (
        lambda h, t: _npz(h, t, train=ONES, valid=ONES[:, :1], test=ONES),
        "differ in shape",
    ),
    "no array file": (_file(b"not an array", ".npy"), "not a readable"),
    "truncated array file": (_file(b"PK\x03\x04 broken", ".npz"), "not a readable"),
    "pickled objects": (_array(np.array([{}], dtype=object)), "holds pickled Python objects, which are never loaded"),
    "wrong shape to score": (_scored(np.zeros((3, 5), int)), "expected examples of 64 elements"),
    "shape that does not fit": (
        lambda h, t: ["fit", h / "rows.npy", "--shape", "2,2", "--out", t / "out"],
        "expected examples of 4 elements",
    ),
    "shape that is none": (lambda h, t: ["fit", h / "rows.npy", "--shape", "a,b", "--out", t / "out"], "list of sides"),
    "missing file": (_fit("/no/such/file.txt"), "no such file"),
    "missing array file": (_fit("/no/such/file.npy"), "no such file"),
    "unknown data set": (_fit("digit"), "did you mean 'digits'"),
    "directory": (lambda h, t: ["fit", t, "--out", t / "out"], "is a directory"),
    "unknown network": (_fit("digits", "--network", "causal_con"), "did you mean 'causal_conv'"),
    "unknown head": (_fit("digits", "--head", "categorial"), "did you mean 'categorical'"),
    "unknown option": (_fit("digits", "--step", "3"), "--steps"),
    "unknown command": (lambda h, t: ["fitt", "digits"], "fit"),
    "a word for a number": (_fit("digits", "--steps", "many"), "many"),
    "steps below one": (_fit("digits", "--steps", "0"), "at least 1, got 0"),
    "batch below one": (_fit("digits", "--batch-size", "0"), "at least 1, got 0"),
    "negative rate": (_fit("digits", "--learning-rate", "-1"), "positive, got -1"),
    "unknown normalisation": (_fit("digits", "--normalisation", "per_elemnt"), "per_element"),
    "head that does not fit": (_fit("digits", "--head", "bernoulli"), "use a categorical head"),
    "option of another kind of data": (_fit("digits", "--window", "9"), "does not apply"),
    "a split that is none": (lambda h, t: ["fit", h / "rows.npy", "--split", "1/2", "--out", t / "out"], "80/10/10"),
    "config that is missing": (_fit("digits", "--config", "/no/c.toml"), "check --config"),
    "config that is no TOML": (_toml("steps = = 3"), "is not TOML"),
    "config with an unknown name": (_toml("stepz = 3"), "did you mean 'steps'"),
    "config with an unknown part option": (_toml("[network]\nkernel = 3"), "did you mean 'kernel_size'"),
    "config with a word for a number": (_toml('steps = "many"'), "steps must be of type int"),
    "run directory in use": (lambda h, t: ["fit", "digits", "--out", h / "digits"], "not empty"),
    "unwritable output": (lambda h, t: ["fit", "digits", "--out", "/proc/no/run"], "cannot be written"),
    "no run directory": (lambda h, t: ["evaluate", t / "none"], "no such run directory"),
    "foreign directory": (lambda h, t: ["evaluate", t], "no config.json"),
    "config.json cut off": (_with(lambda r: (r / "config.json").write_text('{"format": ')), "cannot be read"),
    "config.json of something else": (_with(lambda r: (r / "config.json").write_text("{}")), "does not describe"),
    "a newer format": (_config(lambda c: c.update(format=99)), "format 99"),
    "damaged encoding": (_config(lambda c: c["data"]["encoding"].pop("domain")), "damaged"),
    "missing weights": (_with(lambda r: (r / "model.safetensors").unlink()), "no weights"),
    "damaged weights": (_with(lambda r: _damage(r / "model.safetensors")), "damaged"),
    "weights cut off": (_with(lambda r: (r / "model.safetensors").write_bytes(b"12345678")), "cannot be read"),
    "weights of another model": (_config(lambda c: c["model"]["network"].update(width=16)), "do not fit"),
    "unknown split": (lambda h, t: ["evaluate", h / "digits", "--split", "tests"], "train, valid and test"),
    "no samples": (lambda h, t: ["sample", h / "digits", "-n", "0"], "at least one"),
    "temperature of zero": (lambda h, t: ["sample", h / "digits", "--temperature", "0"], "temperature"),
    "samples into an unknown format": (
        lambda h, t: ["sample", h / "digits", "--out", t / "a.gif"],
        "change the ending",
    ),
    "samples into nowhere": (lambda h, t: ["sample", h / "digits", "--out", t / "no" / "a.png"], "no such directory"),
    "scores into an unknown format": (
        lambda h, t: ["score", h / "digits", "digits", "--out", t / "a.xls"],
        "change the ending",
    ),
    "batch size of zero": (lambda h, t: ["evaluate", h / "digits", "--batch-size", "0"], ">= 1"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input(home, tmp_path, capsys, case):
    prepare, words = BAD[case]
    assert_refused(capsys, tmp_path, prepare(home, tmp_path), words)


def test_data_that_changed_is_refused(home, tmp_path, capsys):
    shutil.copy(home / "rows.npy", tmp_path / "rows.npy")
    assert main(["fit", str(tmp_path / "rows.npy"), "--out", str(tmp_path / "run"), *QUICK]) == 0
    capsys.readouterr()
    x = np.load(tmp_path / "rows.npy")
    np.save(tmp_path / "rows.npy", 2 - x)
    code, _, err = run(capsys, "evaluate", tmp_path / "run")
    assert code == 2
    assert "is not the data" in err


def test_weights_are_not_pickled(home):
    from safetensors.torch import load_file

    assert all(isinstance(t, torch.Tensor) for t in load_file(home / "digits" / "model.safetensors").values())


def test_an_empty_directory_called_digits_is_no_data(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    options = ["--steps", "2", "--evaluate-every", "2", "--width", "8", "--depth", "1", "--json"]
    assert main(["fit", "digits", "--out", "digits", *options]) == 0
    assert json.loads(capsys.readouterr().out)["run"] == "digits"


def test_options_are_read_the_same_beside_pydantic(home, tmp_path, capsys):
    pytest.importorskip("pydantic")  # which cyclopts asks about types once anything has imported it
    small = ["--steps", "2", "--evaluate-every", "2", "--width", "8", "--depth", "1", "--experts", "none"]
    report = run_json(capsys, "fit", home / "rows.npy", "--out", tmp_path / "run", *small)
    assert report["steps"] == 2
