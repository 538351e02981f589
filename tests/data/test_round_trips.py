"""For every kind of data: sample, write raw, read again, identical."""

import json

import numpy as np
import pytest
import torch
from PIL import Image

from chainrule import InputError
from chainrule.cli.app import main
from chainrule.config.defaults import default_spec
from chainrule.config.registry import build_model
from chainrule.data import encoding_from_json, load

RNG = np.random.default_rng(0)


def pictures(home):
    (home / "images").mkdir()
    for n in range(40):
        Image.fromarray(RNG.integers(0, 256, (4, 3)).astype(np.uint8)).save(home / "images" / f"{n}.png")
    return home / "images"


def written(name, content):
    def prepare(home):
        (home / name).write_text(content)
        return home / name

    return prepare


def array(home):
    np.save(home / "a.npy", RNG.integers(0, 3, (60, 4)))
    return home / "a.npy"


WORDS = ["".join(RNG.choice(list("abc"), size)) for size in RNG.integers(1, 9, 90)]
STEPS = [[sorted(RNG.choice(5, size, replace=False).tolist()) for size in RNG.integers(0, 4, 6)] for _ in range(50)]
TABLE = "city,age,height,born\n" + "".join(
    f"{'AB'[n % 2]},{'' if n % 7 == 0 else n % 60},{1.5 + n / 100:.2f},2024-02-{1 + n % 28:02d}\n" for n in range(90)
)
SOURCES = {
    "images": (pictures, {"levels": 17}),
    "bits": (pictures, {"binarize": "dynamic"}),
    "an array": (array, {}),
    "a table": (written("t.csv", TABLE), {}),
    "a stream of bytes": (written("a.txt", "some words and more\n" * 40), {"window": 8}),
    "a stream of characters": (
        written("a.txt", "söme wörds änd more\n" * 40),
        {"window": 8, "symbols": "characters"},
    ),
    "names": (written("a.txt", "\n".join(WORDS)), {"symbols": "characters"}),
    "records": (
        written("a.jsonl", "\n".join(json.dumps({"body": word}) for word in WORDS)),
        {"field": "body", "symbols": "characters"},
    ),
    "sequences": (written("a.json", json.dumps([list(word) for word in WORDS])), {}),
    "voices": (written("a.json", json.dumps(RNG.integers(60, 63, (50, 4, 2)).tolist())), {}),
    "sets": (written("a.json", json.dumps(STEPS)), {}),
    "an alignment": (
        written("a.fasta", "".join(f">{n}\n{''.join(RNG.choice(list('ACGT-'), 5))}\n" for n in range(60))),
        {},
    ),
    "reads": (written("a.fasta", "".join(f">{n}\n{word.upper()}\n" for n, word in enumerate(WORDS))), {}),
}


def write(encoding, drawn, home):
    """Samples as the raw data that a user gets; where they are."""
    raw = encoding.decode(drawn.x.numpy())
    if encoding.is_text:
        (home / f"s{encoding.file_endings[0]}").write_bytes(encoding.write(raw))
        return home / f"s{encoding.file_endings[0]}"
    if "" in encoding.file_endings:
        (home / "s").mkdir()
        for name, content in encoding.write_folder(raw).items():
            (home / "s" / name).write_bytes(content)
        return home / "s"
    np.save(home / "s.npy", raw)
    return home / "s.npy"


@pytest.mark.parametrize("kind", SOURCES)
def test_samples_are_read_again(tmp_path, kind):
    prepare, options = SOURCES[kind]
    data = load(prepare(tmp_path), **options)
    encoding = encoding_from_json(json.loads(json.dumps(data.encoding.to_json())))
    spec = default_spec(encoding.domain, encoding.group)
    spec["network"] |= {"width": 8, "depth": 1}
    torch.manual_seed(0)
    model = build_model(spec, encoding.domain)
    if encoding.domain.columns:
        model.initialise(data.train.batch(np.arange(len(data.train))).x)
    n = 1 if "stream" in kind else 6
    end = encoding.domain.end
    for seed in range(100):  # an empty text is no example of a file, one that was cut off is another: draw others
        drawn = model.sample(n, seed=seed, end=end)
        rows = [x[mask] for x, mask in zip(drawn.x, drawn.mask, strict=True)]
        if end is None or all(len(row) > 1 and int(row[-1]) == end for row in rows):
            break
    batch = encoding.encode(write(encoding, drawn, tmp_path)).batch(np.arange(n))
    for row, x, mask in zip(rows, batch.x, batch.mask, strict=True):
        assert np.array_equal(row.numpy(), x[mask].numpy(), equal_nan=row.is_floating_point())


@pytest.mark.parametrize("name", ["a.txt", "a.jsonl"])
def test_texts_of_any_bytes_are_read_again(tmp_path, name):
    content = "\n".join(WORDS) if name == "a.txt" else "\n".join(json.dumps({"text": word}) for word in WORDS)
    (tmp_path / name).write_text(content)
    encoding = load(str(tmp_path / name), symbols="bytes").encoding
    texts = [b"a", b"", b"two\nlines\r\n", b"\xff\xfe\x80", "blå \U0001f600".encode(), b"\xed\xa0\x80", b'"{\\', b""]
    assert encoding.file_endings == (".txt", ".jsonl")
    for written in ("s.jsonl", "s.JSONL"):
        (tmp_path / written).write_bytes(encoding.write_as(".jsonl", texts))
        examples = encoding.encode(str(tmp_path / written))
        assert encoding.decode([np.append(x, encoding.domain.end) for x in examples.sequences()]) == texts
    if name == "a.txt":
        plain = [b"a", b"", b"\xff\xfe\x80", b"", b"b"]  # blank lines at the end are none
        (tmp_path / "s.txt").write_bytes(encoding.write_as(".txt", plain))
        examples = encoding.encode(str(tmp_path / "s.txt"))
        assert encoding.decode([np.append(x, encoding.domain.end) for x in examples.sequences()]) == plain
    with pytest.raises(InputError, match="is empty"):
        load([b"a"] * 60 + [b""])


def test_names_are_sampled_into_each_kind_of_file(tmp_path, capsys):
    (tmp_path / "names.txt").write_text("\n".join(WORDS))
    out = str(tmp_path / "run")
    assert main(["fit", str(tmp_path / "names.txt"), "--steps", "2", "--width", "8", "--depth", "1", "--out", out]) == 0
    scores = []
    for name in ("s.jsonl", "s.txt"):
        assert main(["sample", out, "-n", "6", "--seed", "3", "--out", str(tmp_path / name)]) == 0
        assert main(["score", out, str(tmp_path / name), "--out", str(tmp_path / f"{name}.csv")]) == 0
        scores.append((tmp_path / f"{name}.csv").read_text())
    assert scores[0].count("\n") == 7
    assert main(["sample", out, "--out", str(tmp_path / "s.csv")]) == 2
    assert ".jsonl or .txt" in capsys.readouterr().err


@pytest.mark.parametrize(("name", "content"), [("a.fasta", ">a\nACGT\n>b\nAC\n" * 30), ("a.json", "[[1, 2, 3], [2]]")])
def test_samples_without_elements_are_read_again(tmp_path, name, content):
    (tmp_path / name).write_text(content)
    data = load(str(tmp_path / name), split="order:50/0/50")
    drawn = data.encoding.decode(np.full((1, 2), data.encoding.domain.end))
    (tmp_path / f"drawn-{name}").write_bytes(data.encoding.write([*drawn, *drawn]))
    examples = data.encoding.encode(str(tmp_path / f"drawn-{name}"))
    assert [len(row) for row in examples.sequences()] == [0, 0]
    assert int(examples.batch(np.arange(2)).mask.sum()) == 2  # their ends
    (tmp_path / name).write_bytes(data.encoding.write([*drawn, *drawn]))
    with pytest.raises(InputError, match="is empty"):
        load(str(tmp_path / name))
