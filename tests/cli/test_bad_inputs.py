"""Bad input: one line that names the file, and the row where there is one; exit code 2; nothing half-written."""

import gzip
import json
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from chainrule.cli.app import main
from tests.support.command_line import run_json

QUICK = ["--steps", "1", "--evaluate-every", "1", "--width", "8", "--depth", "1"]
TABLE = "city,age\n" + "A,1\nB,2\n" * 20
PROSE = "some words and then some more\n" * 60
RNG = np.random.default_rng(0)


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """A run on a table, one on names and one on images, to score with."""
    home = tmp_path_factory.mktemp("runs")
    (home / "t.csv").write_text(TABLE)
    (home / "names.txt").write_text("\n".join("abc"[n % 3] * (1 + n % 5) for n in range(90)))
    (home / "images").mkdir()
    for n in range(30):
        png(home / "images" / f"{n}.png", RNG.integers(0, 256, (4, 4)))
    more = {"t.csv": ["--split", "order:1/1/1"], "names.txt": ["--symbols", "characters"], "images": ["--levels", "2"]}
    for source, options in more.items():
        name = source.split(".")[0]
        assert main(["fit", str(home / source), "--out", str(home / f"run-{name}"), *QUICK, *options]) == 0
    return home


# --- what is wrong with it ------------------------------------------------------------------------------------------


def png(path, grey):
    Image.fromarray(np.asarray(grey).astype(np.uint8)).save(path)


def idx(x):
    return bytes([0, 0, 8, x.ndim]) + struct.pack(f">{x.ndim}I", *x.shape) + x.astype(np.uint8).tobytes()


def bomb():
    """A PNG of ten thousand million pixels in a few bytes."""

    def chunk(kind, body):
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = struct.pack(">IIBBBBB", 100_000, 100_000, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", b"") + chunk(b"IEND", b"")


def file(name, content, *options):
    """`fit` on a file of this content."""

    def prepare(place, runs):
        path = place / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return ["fit", path, *options]

    return prepare


def archive(**arrays):
    """`fit` on an npz file of these arrays."""

    def prepare(place, runs):
        np.savez(place / "a.npz", **arrays)
        return ["fit", place / "a.npz"]

    return prepare


def folder(**files):
    """`fit` on a folder of three good images and these files; a pair of name and content each."""

    def prepare(place, runs):
        home = place / "images"
        home.mkdir()
        for name in ("a", "c", "d"):
            png(home / f"{name}.png", np.arange(16).reshape(4, 4))
        for name, content in files.values():
            path = home / name
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(content) if isinstance(content, bytes) else png(path, content)
        return ["fit", home]

    return prepare


def texts(*options, **contents):
    """`fit` on a folder of these texts."""

    def prepare(place, runs):
        for name, text in contents.items():
            (place / f"{name}.txt").write_text(text)
        return ["fit", place, *options]

    return prepare


def scored(run, name, content):
    """`score` with a run."""

    def prepare(place, runs):
        (place / name).write_bytes(content if isinstance(content, bytes) else content.encode())
        return ["score", runs / f"run-{run}", place / name]

    return prepare


PIXELS = RNG.integers(0, 256, (64, 64))


def torn_png():
    from io import BytesIO

    buffer = BytesIO()
    Image.fromarray(PIXELS.astype(np.uint8)).save(buffer, format="PNG")
    return buffer.getvalue()[:2000]


CUT = gzip.compress(RNG.bytes(5000))[:-900]
CASES = {
    # text
    "an empty text": (file("a.txt", b""), "a.txt: the file is empty"),
    "a text cut off": (file("a.txt.gz", CUT), "a.txt.gz: the gzip file is cut off or damaged"),
    "a gzip that is none": (file("a.txt.gz", PROSE), "a.txt.gz: the .gz file is damaged or not compressed"),
    "no UTF-8": (
        file("a.txt", PROSE.encode() + b"\xff", "--symbols", "characters"),
        "a.txt: is not UTF-8 text (byte 0xff",
    ),
    "UTF-16": (
        file("a.txt", PROSE.encode("utf-16"), "--symbols", "bpe:300"),
        "a.txt: is not UTF-8 text (byte 0xff at 0)",
    ),
    "an empty document": (file("a.txt", "one\n\nthree", "--documents", "line"), "a.txt line 2: is empty"),
    "an empty file among documents": (texts("--documents", "file", a=PROSE, b=PROSE, c=""), "c.txt: the file is empty"),
    "an empty record": (file("a.jsonl", '{"text": "a"}\n{"text": ""}'), "a.jsonl line 2: is empty"),
    "a record without a text": (file("a.jsonl", '{"text": "a"}\n{"body": "b"}'), "a.jsonl line 2: has no text field"),
    "JSON lines cut off": (file("a.jsonl", '{"text": "a"}\n{"te'), "a.jsonl line 2: is not JSON"),
    "a tokenizer that is none": (
        file("a.txt", PROSE, "--symbols", "/proc/version"),
        "version: is not a tokenizer",
    ),
    "a text too short for its splits": (file("a.txt", "ab"), "a.txt: the valid split is empty"),
    # images
    "a bomb": (folder(b=("b.png", bomb())), "b.png: has more than 16777216 pixels"),
    "no image inside": (folder(b=("b.png", b"hello")), "b.png: is not a PNG or JPEG inside"),
    "an image cut off": (folder(b=("0.png", torn_png())), "0.png: the image is damaged"),
    "another file among images": (folder(b=("notes.txt", b"hello")), "notes.txt: is neither .png nor .jpg"),
    "images of different sizes": (folder(b=("b.png", np.zeros((5, 4)))), "b.png: is 4x5 grey, but the first"),
    "images of different modes": (folder(b=("b.png", np.zeros((4, 4, 3)))), "b.png: is 4x4 RGB, but the first"),
    "transparent pixels": (folder(b=("b.png", np.zeros((4, 4, 4)))), "b.png: has transparent pixels"),
    "images beside the splits": (
        folder(b=("train/b.png", np.zeros((4, 4))), c=("test/b.png", np.zeros((4, 4)))),
        "a.png: lies beside the folders",
    ),
    "IDX cut off": (
        file("t-images-idx3-ubyte.gz", gzip.compress(idx(PIXELS[None]))[:-20]),
        "t-images-idx3-ubyte.gz: the gzip file is cut off",
    ),
    "a short IDX": (file("t-images-idx3-ubyte", idx(PIXELS[None])[:-3]), "has 4109 bytes, its header promises 4112"),
    "no IDX": (file("t-images-idx3-ubyte", b"\0\0\x0d\3" + bytes(12)), "is not an IDX file of bytes"),
    "labels as images": (file("t-labels-idx1-ubyte", idx(np.zeros(9))), "expected images; open the file of images"),
    # arrays
    "an npz cut off": (file("a.npz", b"PK\3\4 and no more"), "a.npz: not a readable .npy or .npz file"),
    "a pickle": (
        file("a.npy", b"\x93NUMPY\1\0v\0{'descr': '|O', 'fortran_order': False, 'shape': (1,), }" + b" " * 58),
        "a.npy",
    ),
    "arrays of unknown names": (archive(a=np.zeros(3), b=np.zeros(3)), "a.npz: holds the arrays a, b"),
    "splits of two shapes": (
        archive(train=np.zeros((9, 2)), test=np.zeros((9, 3))),
        "a.npz: the splits differ in shape",
    ),
    "images of reals": (archive(x=np.full((9, 2, 2), 0.5)), "0.5 at (0, 0, 0) is not an integer"),
    "infinite numbers": (archive(x=np.full((9, 2), np.inf)), "inf at (0, 0)"),
    "negative symbols": (archive(x=np.full((9, 2), -3)), "a.npz: symbols start at 0, got -3"),
    # tables
    "an empty table": (file("t.csv", ""), "t.csv: the table is empty"),
    "a table of a header": (file("t.csv", "a,b\n"), "t.csv: has a header and no rows"),
    "a ragged table": (file("t.csv", TABLE + "C,3,4\n"), "t.csv line 42: has 3 values, expected 2"),
    "a short row": (file("t.csv", "a,b,c\n1,2,3\n1,2\n"), "t.csv line 3: has 2 values, expected 3"),
    "a table that is no UTF-8": (file("t.csv", TABLE.encode() + b"\xff,1\n"), "t.csv line 42: the bytes ff"),
    "a table cut off": (file("t.csv.gz", gzip.compress(RNG.bytes(9000).hex().encode())[:-2000]), "t.csv.gz"),
    "a Parquet that is none": (file("t.parquet", b"PAR1 and no more"), "t.parquet: cannot be read as a table"),
    "a column twice": (file("t.csv", "a,a\n1,2\n"), "the columns 1 and 2 have the same name 'a'"),
    "a label column that is missing": (file("t.csv", TABLE, "--given", "label"), "t.csv 'label'"),
    "a kind that does not fit": (
        file("t.csv", TABLE, "--columns", "city=count"),
        "'city' cannot be of the kind 'count'",
    ),
    "a binary table": (file("t.data", "0,1\n0,1\n1,1,0\n"), "t.data row 3: has 3 values, the first row 2"),
    # sequences
    "JSON cut off": (file("a.json", '{"train": [[1, 2'), "a.json: is not JSON"),
    "JSON without a test split": (file("a.json", '{"train": [[1]], "valid": [[1]]}'), "expected train, valid and test"),
    "an empty sequence": (file("a.json", "[[1], [2], []]"), "a.json sequence 3: is empty"),
    "a sequence that is none": (file("a.json", '[["a"], 7]'), "a.json sequence 2: is int"),
    "steps of two widths": (
        file("a.json", json.dumps([[[1, 2], [3, 4]]] * 40 + [[[1, 2], 3]])),
        "a.json",
    ),
    "FASTA without a header": (file("a.fasta", "ACGT\n>a\nACGT\n"), "a.fasta line 1: comes before the first header"),
    "FASTA with an empty sequence": (file("a.fasta", ">a\nACGT\n>b\n>c\nA\n"), "a.fasta sequence 2: is empty"),
    # scoring
    "a ragged table to score": (scored("t", "b.csv", "city,age\nA,1\nB,2\nB,x,3\n"), "b.csv line 4: has 3 values"),
    "a column that is missing": (scored("t", "b.csv", "city\nA\n"), "b.csv: has no column 'age'"),
    "a column that is unknown": (scored("t", "b.csv", "city,age,sex\nA,1,F\n"), "b.csv: has a column 'sex'"),
    "an unknown character": (scored("names", "b.txt", "ab\nxa\n"), "b.txt document 2: the character 'x' at 0"),
    "an image of another size": (
        scored("images", "b-images-idx3-ubyte", idx(PIXELS[None])),
        "images are 64x64, expected",
    ),
    # what there is not
    "no such file": (lambda place, runs: ["fit", place / "none.csv"], "none.csv: there is no such file"),
    "no such data set": (lambda place, runs: ["fit", "digit"], "did you mean 'digits'"),
    "a folder of nothing": (lambda place, runs: ["fit", place], "is a directory"),
}


def test_there_are_forty():
    assert len(CASES) >= 40


@pytest.mark.parametrize("case", CASES)
def test_one_line_and_nothing_half_written(runs, tmp_path, capsys, case):
    prepare, words = CASES[case]
    arguments = [str(argument) for argument in prepare(tmp_path, runs)]
    if arguments[0] == "fit":
        arguments += ["--out", str(tmp_path / "run")]
    before = set(tmp_path.rglob("*"))
    capsys.readouterr()
    code = main(arguments)
    out, err = capsys.readouterr()
    assert (code, out) == (2, "")
    assert err.startswith("error: ")
    assert err.count("\n") == 1
    assert words in err
    assert set(tmp_path.rglob("*")) == before


# --- what is odd and has an answer ------------------------------------------------------------------------------------


def test_an_unknown_category_is_an_explicit_p_of_zero(runs, tmp_path, capsys):
    (tmp_path / "b.csv").write_text("city,age\nA,1\nZ,2\nB,7\n")
    log_prob = run_json(capsys, "score", runs / "run-t", tmp_path / "b.csv")["log_prob"]
    assert log_prob[1:] == ["-inf", "-inf"]
    assert np.isfinite(log_prob[0])
    result = run_json(capsys, "evaluate", runs / "run-t", tmp_path / "b.csv")
    assert (result["impossible"], result["examples"], result["nats_per_example"]) == (2, 3, "inf")
    assert result["nats_per_example_of_possible"] == pytest.approx(-log_prob[0], rel=1e-5)


def test_a_byte_order_mark_is_no_part_of_a_column(tmp_path, capsys):
    (tmp_path / "t.csv").write_bytes(b"\xef\xbb\xbf" + TABLE.encode())
    run_json(capsys, "fit", tmp_path / "t.csv", "--out", tmp_path / "run", "--split", "order:1/1/1", *QUICK)
    config = json.loads((tmp_path / "run" / "config.json").read_text())
    assert [column["name"] for column in config["data"]["encoding"]["columns"]] == ["city", "age"]


def test_splits_that_overlap_are_counted(tmp_path, capsys):
    sequences = [[1, 2], [3], [4, 4, 4]]
    (tmp_path / "a.json").write_text(json.dumps({"train": sequences * 3, "valid": sequences, "test": sequences[1:]}))
    assert main(["fit", str(tmp_path / "a.json"), "--out", str(tmp_path / "run"), *QUICK]) == 0
    assert "2 of the 2 test examples are in train, too" in capsys.readouterr().out
    assert json.loads((tmp_path / "run" / "report.json").read_text())["test_examples_in_train"] == 2


@pytest.mark.parametrize(
    ("words", "number"),
    [
        (["fit", "digits", "--steps", "5.9"], "5.9"),
        (["fit", "digits", "--seed=-1.5"], "-1.5"),
        (["fit", "digits", "--seed", ".5"], ".5"),
        (["fit", "digits", "--steps", "1.5e1000"], "1.5e1000"),
        (["sample", "run", "-n", "1.9"], "1.9"),
        (["evaluate", "run", "--batch-size", "3.5"], "3.5"),
    ],
)
def test_a_number_with_a_fraction_is_no_whole_number(words, number, capsys):
    assert main(words) == 2
    _, err = capsys.readouterr()
    assert f"{number} is no whole number" in err
    assert err.count("\n") == 1
