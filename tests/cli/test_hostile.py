"""Every command with hostile words: it does its work or says in one line why not, and never blames itself.

The law: the exit code is documented, an error is one line, and there is no traceback.
"""

import io
import json
import shutil

import numpy as np
import pytest

from chainrule.config.options import FIT_OPTIONS
from tests.support.command_line import run

pytestmark = [pytest.mark.filterwarnings("ignore")]

DOCUMENTED = (0, 1, 2, 130, 141, 143)
QUICK = ("--steps", "1", "--evaluate-every", "1", "--width", "8", "--depth", "1")
QUICK_PAIRS = tuple(zip(QUICK[::2], QUICK[1::2], strict=True))
HUGE = str(10**12)
WORDS = {
    int: ("0", "-5", HUGE, "1e3", "", "abc", str(2**64 + 1)),
    float: ("0", "-1", "nan", "inf", "1e-300", "1e300", ""),
    str: ("", " ", ",", "=", "[/bold]", "\udcff", "x" * 5000, "{}", "../..", "\\", "0", "-"),
}
HELD_BACK = (
    "minutes",
    "steps",
    "epochs",
    "config",
    "out",
    "moved_to",
    "resume",
    "tensorboard",
    "compile",
    "engine",
)  # tried by themselves below


PARTS = 6  # in one of which the slow tier tries the words of an option, another for the next option
in_parts = pytest.mark.parametrize(
    "part", [pytest.param(n, marks=pytest.mark.soak if n else pytest.mark.slow) for n in range(PARTS)]
)


def check(capsys, *words):
    """Run a command; what it returned and complained about, once the law was seen to hold."""
    code, out, err = run(capsys, *words)
    said = f"chainrule {' '.join(map(repr, words))}: {code} {err[-2000:]}"
    assert code in DOCUMENTED, said
    assert "Traceback" not in out + err, said
    errors = [line for line in err.splitlines() if line.startswith("error:")]
    if code == 2:
        assert len(errors) == 1, said
        assert err.splitlines()[-1] == errors[0], said
    return code, err


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """Small runs of several kinds, and the data they are of."""
    from chainrule.cli.app import main

    home = tmp_path_factory.mktemp("home")
    rng = np.random.default_rng(0)
    rows = "".join(f"{'ABC'[k % 3]},{k % 7},{k / 4}\n" for k in range(90))
    (home / "table.csv").write_text("city,pulse [/min],weight\n" + rows)
    (home / "text.txt").write_text("the quick brown fox jumps over the lazy dog\n" * 30)
    (home / "names.txt").write_text("\n".join("abc"[n % 3] * (1 + n % 5) for n in range(90)))
    (home / "sets.json").write_text(json.dumps([[[n % 5], [1, 2]] for n in range(60)]))
    np.save(home / "images.npy", rng.integers(0, 2, (60, 4, 4)))
    for source in ("table.csv", "text.txt", "names.txt", "sets.json", "images.npy"):
        place = home / f"run-{source.partition('.')[0]}"
        assert main(["fit", str(home / source), "--out", str(place), *QUICK]) == 0
    return home


@pytest.fixture(autouse=True)
def small_place(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CHAINRULE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO()))  # nothing comes from there


def hostile_words(option):
    if option.is_switch:
        return ()
    return WORDS[next((kind for kind in (float, int) if option.types == (kind,)), str)]


OPTIONS = [option for option in FIT_OPTIONS if option.name not in HELD_BACK and hostile_words(option)]


def parts_of_options():
    """Each option with each part of its words; in the slow tier every second option with one."""
    for number, option in enumerate(OPTIONS):
        for part in range(PARTS):
            tier = pytest.mark.soak if part or number % 2 else pytest.mark.slow
            yield pytest.param(option, part, marks=tier, id=f"{option.name}-{part}")


@pytest.mark.parametrize(("option", "part"), list(parts_of_options()))
def test_fit_with_a_hostile_option(capsys, home, tmp_path, option, part, monkeypatch):
    # pictures are most of the time, and the same whatever the option
    monkeypatch.setattr("chainrule.runs.fit.illustrate", lambda *arguments: [])
    source = "text.txt" if option.help.startswith(("text:", "sequences:")) else "table.csv"
    source = "images.npy" if option.help.startswith(("images:", "arrays:")) else source
    for number, word in enumerate(hostile_words(option)[(OPTIONS.index(option) + part) % PARTS :: PARTS]):
        quick = [part for flag, value in QUICK_PAIRS if flag != option.flag for part in (flag, value)]
        check(capsys, "fit", home / source, "--out", tmp_path / f"{number}", *quick, f"{option.flag}={word}")


RUN_COMMANDS = {
    "sample": {"-n": int, "--seed": int, "--temperature": float, "--top-k": int, "--top-p": float, "--prefix": str}
    | {"--given": str, "--out": str},
    "evaluate": {"--window": int, "--stride": int, "--batch-size": int, "--split": str, "--save": str, "--groups": str},
    "probe": {"--labels": str, "--segments": int, "--folds": int, "--split": str},
    "report": {"--out": str},
    "classify": {"--split": str, "--batch-size": int},
}


@in_parts
@pytest.mark.parametrize("command", RUN_COMMANDS)
@pytest.mark.parametrize("kind", ["table", "text", "names", "images"])
def test_a_command_of_a_run_with_a_hostile_option(capsys, home, command, kind, part):
    for number, (flag, type_) in enumerate(RUN_COMMANDS[command].items()):
        few = ("-n", "1") if command == "sample" and flag != "-n" else ()
        for word in WORDS[type_][(number + part) % PARTS :: PARTS]:
            check(capsys, command, home / f"run-{kind}", *few, flag, word)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["table", "text", "names", "sets", "images"])
def test_a_run_reads_data_of_another_kind(capsys, home, kind):
    for source in ("table.csv", "text.txt", "names.txt", "sets.json", "images.npy", "run-text", "nothing", "\udcff"):
        for command in ("score", "evaluate"):
            check(capsys, command, home / f"run-{kind}", home / source)


DAMAGES = {
    "empty": b"",
    "one byte": b"{",
    "a list": b"[]",
    "null": b"null",
    "nested": b"[" * 100_000,
    "no text": b"\xff\xfe\x00",
    "an object of little": b'{"format": 1, "data": {}, "model": {}, "protocol": {}}',
    "other types": b'{"format": 1, "data": [], "model": 3, "protocol": "x"}',
}
COMMANDS = ("info", "evaluate", "sample", "report", "probe", "verify", "classify")
READERS = {"report.json": ("info", "report"), "metrics.jsonl": ("report",), "certificate.json": ("report", "verify")}


def refused(capsys, place, commands=COMMANDS):
    for command in commands:
        more = ("--quick",) if command == "verify" else ()
        code, err = check(capsys, command, place, *more)
        if code == 2:
            yield err


def damages():
    """Each file with each damage; a sixth of them in the slow tier."""
    for i, name in enumerate(["config.json", "report.json", "metrics.jsonl", "certificate.json"]):
        for j, damage in enumerate(DAMAGES):
            tier = pytest.mark.soak if (i + j) % PARTS else pytest.mark.slow
            yield pytest.param(name, damage, marks=tier, id=f"{name}-{damage}")


@pytest.mark.parametrize(("name", "damage"), list(damages()))
def test_a_run_with_a_damaged_file(capsys, home, tmp_path, name, damage):
    place = shutil.copytree(home / "run-table", tmp_path / "run")
    (place / name).write_bytes(DAMAGES[damage])
    for err in refused(capsys, place, READERS.get(name, COMMANDS)):
        assert name != "config.json" or str(place) in err
    check(capsys, "fit", "--resume", "--out", place)
    check(capsys, "compare", place, home / "run-table")


@pytest.mark.slow
@pytest.mark.parametrize("left_out", ["model.safetensors", "checkpoints", "report.json", "metrics.jsonl"])
def test_a_run_that_lacks_a_file(capsys, home, tmp_path, left_out):
    place = shutil.copytree(home / "run-text", tmp_path / "run")
    gone = place / left_out
    shutil.rmtree(gone) if gone.is_dir() else gone.unlink()
    list(refused(capsys, place))


SOURCES = {
    "empty.csv": b"",
    "byte.csv": b"a",
    "newline.csv": b"\n",
    "header.csv": b"a,b\n",
    "row.csv": b"a,b\n1,2\n",
    "two.csv": b"a,b\n1,2\n3,4\n",
    "constant.csv": b"a,b\n" + b"1,1\n" * 60,
    "missing.csv": b"a,b\n" + b",\n" * 60,
    "one-missing.csv": b"a,b\n" + b"1,\n2,\n" * 40,
    "zero.csv": b"\x00" * 300,
    "carriage.csv": b"a,b\r" + b"1,2\r3,4\r" * 40,
    "markup.csv": b"pulse [/min],[bold],[/]\n" + b"1,2,3\n4,5,6\n" * 40,
    "empty.txt": b"",
    "byte.txt": b"a",
    "two-letters.txt": b"DE\nFR\nIT\n" * 30,
    "one-letter.txt": b"a\nb\n" * 30,
    "carriage.txt": b"Anna\rBert\rCleo\r" * 30,
    "mixed.txt": b"Anna\nBert\r\nCleo\n" * 30,
    "zero.txt": b"\x00" * 300,
    "empty.json": b"",
    "nested.json": b"[" * 100_000 + b"]" * 100_000,
    "nested.jsonl": b'{"text": ' + b"[" * 100_000 + b"]" * 100_000 + b"}\n",
    "number.json": b"7",
    "huge.json": json.dumps([[10**12 + n % 3, 5] for n in range(60)]).encode(),
    "huge-ragged.json": json.dumps([[10**12 + n % 3] * (1 + n % 3) for n in range(60)]).encode(),
    "articles.json": json.dumps([[[4006381333931 + 17 * (n % 9)], [n % 9, 10**13]] for n in range(60)]).encode(),
    "nan.json": b"[[NaN, 1], [Infinity]]",
    "surrogates.json": b'[["\\ud800", "a"], ["b"]]' * 1,
    "surrogates.jsonl": b'{"text": "\\ud800 lone"}\n' * 60,
    "objects.jsonl": b'{"a": {"b": [1]}}\n' * 60,
    "empty.fasta": b"",
    "header.fasta": b">a\n",
    "carriage.fasta": b">a\rACGT\r>b\rAC\r" * 30,
    "empty.npy": b"",
    "short.npy": b"\x93NUMPY\x01\x00",
    "empty.npz": b"PK\x05\x06" + b"\x00" * 18,
    "empty.parquet": b"",
    "empty.gz": b"",
    "byte.png": b"a",
}


@pytest.mark.slow
@pytest.mark.parametrize("name", SOURCES)
def test_fit_on_a_hostile_file(capsys, tmp_path, name):
    (tmp_path / name).write_bytes(SOURCES[name])
    code, _ = check(capsys, "fit", tmp_path / name, "--out", tmp_path / "run", *QUICK)
    if code == 0:
        assert (tmp_path / "run" / "report.json").exists()
        check(capsys, "evaluate", tmp_path / "run")
        check(capsys, "report", tmp_path / "run")
        check(capsys, "sample", tmp_path / "run", "-n", "2")


ARRAYS = {
    "big-endian": np.arange(240).reshape(60, 4).astype(">i4") % 5,
    "uint64": np.full((60, 2), 2**63, dtype=np.uint64),
    "float16": (np.arange(240).reshape(60, 4) % 5).astype(np.float16),
    "large reals": np.full((60, 2), 1e300),
    "complex": np.ones((60, 2), dtype=complex),
    "text": np.array([["a", "b"]] * 60),
    "dates": np.zeros((60, 2), dtype="datetime64[s]"),
    "a number": np.array(3),
    "no examples": np.zeros((0, 4), dtype=int),
    "no elements": np.zeros((60, 0), dtype=int),
    "one example": np.zeros((1, 4), dtype=int),
    "fields": np.zeros(60, dtype=[("a", int), ("b", float)]),
    "fortran": np.asfortranarray(np.arange(240).reshape(60, 4) % 5),
    "huge": np.arange(120).reshape(60, 2) * 10**12,
}


@pytest.mark.slow
@pytest.mark.parametrize("name", ARRAYS)
def test_fit_on_a_hostile_array(capsys, tmp_path, name):
    np.save(tmp_path / "a.npy", ARRAYS[name])
    check(capsys, "fit", tmp_path / "a.npy", "--out", tmp_path / "run", *QUICK)


TOML = {
    "a list for a text": "split = [80, 10, 10]",
    "a number for a text": "columns = 3",
    "a text for a number": 'steps = "many"',
    "a table for a number": "[steps]\na = 1",
    "nested": "[network.name]\na = 1",
    "a table of lists": "[network]\nwidth = [1, 2]",
    "a table of texts": '[network]\nwidth = "wide"',
    "a network of another kind": "network = 3",
    "a network without a name": "[network]\nname = 3",
    "a head of a list": 'head = ["categorical"]',
    "a prior of numbers": "[prior]\nweight = 3",
    "unknown": "stepps = 3",
    "of the command line": 'out = "x"',
    "syntax": "steps = 3\nwidth = = 4",
    "deep": "a = " + "[" * 5000 + "]" * 5000,
    "large": "seed = 99999999999999999999999",
    "dates": "steps = 2020-01-01",
    "infinite": "learning_rate = inf",
    "not a number": "dropout = nan",
    "boolean": "steps = true",
    "shape": 'shape = ["a", 3]',
    "a list of shapes": "shape = [[1, 2], [3]]",
    "bytes": "\x00",
    "empty": "",
}


@pytest.mark.slow
@pytest.mark.parametrize("name", TOML)
def test_fit_with_a_hostile_configuration(capsys, home, tmp_path, name):
    (tmp_path / "c.toml").write_text(TOML[name])
    words = ("--out", tmp_path / "run", "--config", tmp_path / "c.toml", *(QUICK if name == "empty" else ()))
    code, err = check(capsys, "fit", home / "table.csv", *words)
    assert code == (0 if name == "empty" else 2), err


@pytest.mark.slow
def test_nothing_and_surplus(capsys, home):
    for words in ((), ("",), ("fit",), ("fit", ""), ("evaluate",), ("score", home / "run-text"), ("nonsense",), ("-",)):
        check(capsys, *words)
    for words in (("compare", home / "run-text"), ("import", home), ("info", home), ("reproduce", "nothing")):
        check(capsys, *words)
