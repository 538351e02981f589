"""The command line on text and sequences: from raw data to a number, to samples and back; bad input in one line."""

import gzip
import json

import numpy as np
import pytest

from chainrule import InputError
from chainrule.cli.app import main
from chainrule.data import load
from tests.support.command_line import assert_refused, run_json

QUICK = ["--steps", "2", "--evaluate-every", "2", "--width", "8", "--depth", "1"]
RNG = np.random.default_rng(0)


def write_everything(home):
    (home / "story.txt").write_text("The cat sat on the mat.\nThe rät sat on the cat.\n" * 60)
    (home / "names.txt").write_text("\n".join("".join(RNG.choice(list("abc"), RNG.integers(1, 9))) for _ in range(90)))
    (home / "records.jsonl").write_text("\n".join(json.dumps({"text": f"number {n}", "id": n}) for n in range(60)))
    steps = [[[int(k) for k in np.flatnonzero(RNG.random(4) < 0.4) + 60] for _ in range(9)] for _ in range(50)]
    (home / "music.json").write_text(json.dumps(steps))
    (home / "voices.json").write_text(json.dumps([RNG.integers(60, 64, (9, 2)).tolist() for _ in range(50)]))
    (home / "notes.json").write_text(
        json.dumps([RNG.choice(["do", "re", "mi"], 1 + n % 7).tolist() for n in range(80)])
    )
    (home / "protein.fasta").write_text("".join(f">{n}\n{''.join(RNG.choice(list('ACD-'), 6))}\n" for n in range(60)))
    (home / "reads.fa").write_text("".join(f">{n}\n{'ACGT'[n % 4] * (1 + n % 9)}A{n % 2 * 'C'}\n" for n in range(60)))


RUNS = {
    "story": ("story.txt", ["--symbols", "bpe:260", "--window", "16"]),
    "lines": ("story.txt", ["--documents", "line", "--symbols", "characters", "--split", "1/1/1"]),
    "names": ("names.txt", ["--pack", "32"]),
    "given": ("names.txt", ["--end", "given"]),
    "records": ("records.jsonl", []),
    "music": ("music.json", ["--window", "4"]),
    "voices": ("voices.json", []),
    "notes": ("notes.json", []),
    "protein": ("protein.fasta", []),
    "reads": ("reads.fa", []),
}


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    home = tmp_path_factory.mktemp("home")
    write_everything(home)
    for name in ("names", "music"):
        source, more = RUNS[name]
        assert main(["fit", str(home / source), "--out", str(home / f"run-{name}"), *QUICK, *more]) == 0
    return home


@pytest.mark.parametrize("name", RUNS)
def test_fit_evaluate_sample_and_read_again(home, tmp_path, capsys, name):
    source, more = RUNS[name]
    if name == "lines":  # duplicates stay together, so two different lines make two splits at most
        (tmp_path / source).write_text("".join(f"line {n * n}\n" for n in range(60)))
        home = tmp_path
    report = run_json(capsys, "fit", home / source, "--out", tmp_path / "run", *QUICK, *more)
    result = run_json(capsys, "evaluate", tmp_path / "run", "--batch-size", "7")
    for key in ("nats_per_example", "examples", "elements", "dims", "bytes", "protocol"):
        expected = report["results"]["test"][key]
        assert result[key] == (expected if key == "protocol" else pytest.approx(expected, rel=1e-5))
    assert {"independent elements", "Markov chain"} <= set(report["baselines"])
    assert {record["how"] for record in report["baselines"].values()} <= {"static", "adaptive"}
    encoding = load(
        str(home / source), **json.loads((tmp_path / "run" / "config.json").read_text())["data"]["options"]
    ).encoding
    out = tmp_path / f"samples{encoding.file_endings[0]}"
    run_json(capsys, "sample", tmp_path / "run", "-n", "3", "--out", out)
    assert (tmp_path / "run" / f"samples{encoding.file_endings[0]}").exists()
    text = run_json(capsys, "sample", tmp_path / "run", "-n", "3")["text"]
    assert len(text) == 3
    if name not in ("story", "lines", "names", "given", "records") and all(text):
        assert encoding.decode(encoding.encode(str(out)).batch(np.arange(3)).x.numpy())[0] == text[0]


def test_the_end_is_part_of_the_protocol(home, capsys):
    config = json.loads((home / "run-names" / "config.json").read_text())
    assert config["protocol"]["end"] == "scored"
    assert config["data"]["encoding"]["pack"] == 32
    result = run_json(capsys, "evaluate", home / "run-names", home / "names.txt")
    names = (home / "names.txt").read_text().split("\n")
    assert result["elements"] == result["bytes"] == sum(map(len, names)) + len(names)
    assert result["examples"] == len(names)


def test_other_windows_are_another_protocol(home, capsys):
    result = run_json(capsys, "evaluate", home / "run-names", "--window", "4", "--stride", "1")
    own = run_json(capsys, "evaluate", home / "run-names")
    assert result["protocol"]["context"] == "windows of 4 of the document, stride 1"
    for key in ("examples", "elements", "bytes"):
        assert result[key] == own[key]
    assert sum(row["elements"] for row in result["by_position"]) == result["elements"]
    assert [row["position"] for row in result["by_position"]] == ["0", "1", "2 to 3"]
    steps = run_json(capsys, "evaluate", home / "run-music", "--window", "2")
    assert steps["dims"] == run_json(capsys, "evaluate", home / "run-music")["dims"]


def fit(name, content, *more):
    """A command that fits to a file of this content."""

    def prepare(home, place):
        path = place / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return ["fit", path, "--out", place / "out", *more]

    return prepare


def fits(name, *more):
    return lambda home, place: ["fit", home / name, "--out", place / "out", *more]


def scored(run, name, content):
    def prepare(home, place):
        (place / name).write_text(content)
        return ["score", home / f"run-{run}", place / name]

    return prepare


def folder(home, place):
    (place / "folder").mkdir()
    (place / "folder" / "a.bin").write_bytes(b"\x00")
    return ["fit", place / "folder", "--out", place / "out"]


LONG = b"some text " * 100
BAD = {
    "empty file": (fit("a.txt", b""), "the file is empty"),
    "truncated gzip": (fit("a.txt.gz", gzip.compress(LONG)[:-12]), "cut off or damaged"),
    "no gzip": (fit("a.txt.gz", LONG), "damaged or not compressed"),
    "no UTF-8": (fit("a.txt", LONG + b"\xff\xfe", "--symbols", "characters"), "byte 0xff at 1000"),
    "no UTF-8 for tokens": (fit("a.txt", LONG + b"\xff\xfe" * 99, "--symbols", "bpe:300"), "not UTF-8 text"),
    "unknown symbols": (fits("story.txt", "--symbols", "charcters"), "did you mean 'characters'"),
    "bpe without a size": (fits("story.txt", "--symbols", "bpe:many"), "bpe:1000"),
    "bpe of too few": (fits("story.txt", "--symbols", "bpe:100"), "at least bpe:257"),
    "missing tokenizer": (fits("story.txt", "--symbols", "/no/t.json"), "tokenizer cannot be read"),
    "no tokenizer": (fits("story.txt", "--symbols", "/proc/version"), "is not a tokenizer.json"),
    "window of one": (fits("story.txt", "--window", "1"), "at least 2"),
    "stride beyond the window": (fits("story.txt", "--window", "8", "--stride", "9"), "between 1 and the window's 8"),
    "an end that is none": (fits("names.txt", "--end", "maybe"), "--end is scored"),
    "end of a stream": (fits("story.txt", "--end", "scored"), "does not apply"),
    "empty document": (fit("a.txt", "one\n\nthree\n", "--documents", "line"), "line 2: is empty"),
    "empty documents between separators": (
        fit("a.txt", "one<>two<><>four", "--documents", "<>"),
        "document 3: is empty",
    ),
    "a single document": (fit("a.txt", LONG, "--documents", "file"), "split is empty"),
    "folder without text": (folder, "is a directory"),
    "JSON lines cut off": (fit("a.jsonl", '{"text": "a"}\n{"text": '), "line 2: is not JSON"),
    "JSON lines without the field": (
        fit("a.jsonl", '{"text": "a"}\n{"body": "b"}'),
        "line 2: has no text field 'text'",
    ),
    "JSON cut off": (fit("a.json", '{"train": [[1, 2'), "is not JSON"),
    "JSON without a split": (fit("a.json", '{"train": [[1]], "valid": [[1]]}'), "expected train, valid and test"),
    "JSON that is no list": (fit("a.json", '"text"'), "holds no sequences"),
    "a sequence that is none": (fit("a.json", "[[1], 2]"), "sequence 2: is int"),
    "an empty sequence": (fit("a.json", "[[1], []]"), "sequence 2: is empty"),
    "reals as symbols": (fit("a.json", f"[{', '.join(f'[{n}, 2.5]' for n in range(60))}]"), "has 2.5"),
    "steps of another width": (
        scored("music", "a.json", "[[[60, 60]]]"),
        "expected a list of different symbols",
    ),
    "a key that is unknown": (scored("music", "a.json", "[[[60], [99, 60]]]"), "its probability is 0"),
    "FASTA without a header": (fit("a.fasta", "ACGT\n>a\nACGT\n"), "line 1: comes before the first header"),
    "FASTA with an empty sequence": (fit("a.fasta", ">a\nACGT\n>b\n"), "sequence 2: is empty"),
    "a row too short to pack": (fits("names.txt", "--pack", "3"), "pack into longer rows"),
    "packing with a convolution": (fits("names.txt", "--pack", "32", "--network", "causal_conv"), "cannot keep packed"),
    "a context that is too long": (lambda h, t: ["evaluate", h / "run-names", "--window", "999"], "longer --window"),
    "a stride beyond the context": (
        lambda h, t: ["evaluate", h / "run-names", "--window", "4", "--stride", "5"],
        "between 1 and the window's 4",
    ),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input(home, tmp_path, capsys, case):
    prepare, words = BAD[case]
    assert_refused(capsys, tmp_path, prepare(home, tmp_path), words)


def test_windows_are_for_sequences():
    digits = load("digits")
    with pytest.raises(InputError, match="not read through windows"):
        digits.encoding.with_windows(digits.test, 8, None, 64)


def test_a_byte_order_mark_is_kept(tmp_path):
    (tmp_path / "a.txt").write_bytes(b"\xef\xbb\xbf" + b"some text " * 100)
    data = load(str(tmp_path / "a.txt"), symbols="characters")
    pieces = [data.encoding.raw(data.split(name)) for name in ("train", "valid", "test")]
    assert b"".join(pieces) == (tmp_path / "a.txt").read_bytes()
