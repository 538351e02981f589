"""Files of every kind, written oddly: each comes back, by the model or not, whatever is odd about it."""

import gzip
import io
import json

import numpy as np
import pytest

from chainrule.coding.container import archive_bytes, read_archive
from chainrule.runs.archiving import work_of_file
from chainrule.runs.decompress import decoded_file
from chainrule.runs.progress import silent
from chainrule.runs.run import Run
from tests.golden.places import GOLDEN, RUNS

DATA = GOLDEN / "data"
FILES = {
    "binary": "bits/bits.test.data",
    "sequences": "sequences.json",
    "fasta": "proteins.fasta",
    "documents": "names.txt",
}
SIZE = 80  # bytes of a file that are kept, whole lines of them
CHANGES = {
    "as it is": lambda x: x,
    "other line ends": lambda x: x.replace(b"\n", b"\r\n"),
    "old line ends": lambda x: x.replace(b"\n", b"\r"),
    "a byte order mark": lambda x: b"\xef\xbb\xbf" + x,
    "no last line end": lambda x: x.rstrip(b"\n"),
    "blank lines": lambda x: x.replace(b"\n", b"\n\n"),
    "a blank line first": lambda x: b"\n" + x,
    "latin-1": lambda x: x.replace(b"\n", b"\xe9\n", 1),
    "a NUL": lambda x: x.replace(b"\n", b"\0\n", 1),
    "UTF-16": lambda x: x.decode("latin-1").encode("utf-16"),
    "one line": lambda x: x[: x.find(b"\n") + 1],
    "one byte": lambda x: x[:1],
    "nothing": lambda x: b"",
    "a line end alone": lambda x: b"\n",
    "cut off": lambda x: x[:-2],
    "something behind": lambda x: x + b" x",
    "commas at the ends": lambda x: x.replace(b"\n", b",\n"),
    "other case": lambda x: x.swapcase(),
    "other digits": lambda x: x.replace(b"1", b"+1.0e0", 2),
    "a huge number": lambda x: x.replace(b"1", b"1" * 5000, 1) if x[:1] in b"[{" else x.replace(b"1", b"1" * 400, 1),
    "zeros with a sign": lambda x: x.replace(b"0", b"-0", 3),
    "packed": lambda x: gzip.compress(x, mtime=0),
    "random bytes": lambda x: np.random.default_rng(0).bytes(300),
    "brackets": lambda x: b"[" * (50_000 if x[:1] in b"[{" else 100),
}


def model_of(name):
    """A run whose model is read once."""
    run = Run.open(RUNS / name)
    model = run.model()
    run.model = lambda: model
    return run


def fault(run, path, content):
    """What is wrong with how a file comes back; nothing if it does."""
    path.write_bytes(content)
    try:
        work = work_of_file(run, path, 4)
        if work.coded is None:
            return None if "a general compressor does all of it" in work.note else f"no reason: {work.note}"
        archive = read_archive(archive_bytes(*work.archive(silent)))
        return None if decoded_file(archive, run, silent) == content else "ANOTHER FILE"
    except Exception as error:
        return f"{type(error).__name__}: {str(error)[:200]}"


@pytest.mark.slow
@pytest.mark.parametrize("name", FILES)
def test_odd_files_come_back(name, tmp_path):
    run, content = model_of(name), (DATA / FILES[name]).read_bytes()
    content = content if name == "sequences" else content[: content.find(b"\n", SIZE) + 1]
    path = tmp_path / f"odd-{FILES[name].rpartition('/')[2]}"
    found = {what: fault(run, path, change(content)) for what, change in CHANGES.items()}
    assert not {what: why for what, why in found.items() if why}


def saved(x, version=None):
    file = io.BytesIO()
    np.lib.format.write_array(file, x, version)
    return file.getvalue()


@pytest.mark.slow
def test_odd_arrays_come_back(tmp_path):
    run, x = model_of("binary"), np.loadtxt(DATA / FILES["binary"], delimiter=",").astype(int)
    kinds = ("<i8", ">i8", "|i1", "?", "<f2", "<f4", ">f8", "<u2", ">u4", "<c16", "S1", "<U1")
    files = {kind: saved(x.astype(kind)) for kind in kinds}
    files |= {f"version {n}": saved(x, (n, 0)) for n in (1, 2, 3)}
    values = (-0.0, np.nan, np.inf, 1e300, 0.5, 2.0**60)
    files |= {f"zeros as {value}": saved(np.where(x == 0, value, x)) for value in values}
    files |= {"columns first": saved(np.asfortranarray(x)), "no rows": saved(x[:0]), "no axes": saved(np.array(1))}
    files |= {"one axis": saved(x[0]), "three axes": saved(x[None]), "narrower": saved(x[:, :-1])}
    sound = files["<i8"]
    files |= {"longer": sound + b"more", "cut off": sound[:-3], "a head": sound[:60], "a mark": sound[:6]}
    for shape in (b"(99999999999, 6)", b"(-1, 6)", b"(20,)", b"('a',)"):
        files[f"the shape {shape}"] = sound.replace(b"(20, 6)", shape)
    found = {what: fault(run, tmp_path / "x.npy", content) for what, content in files.items()}
    assert not {what: why for what, why in found.items() if why}


@pytest.mark.slow
def test_odd_json_comes_back(tmp_path):
    run, content = model_of("sequences"), (DATA / FILES["sequences"]).read_bytes()
    said = json.loads(content)
    files = {f"indented by {indent!r}": json.dumps(said, indent=indent).encode() for indent in (0, 3, "\t")}
    files |= {text[:20]: text.encode() for text in ("null", "3", '"a"', "[]", "{}", "[[],[],[]]", '{"train":{"a":1}}')}
    twice = '{"train":[[1]],"train":[[0]]}'
    files |= {text[:20]: text.encode() for text in (twice, '{"train":[[1]],"z":[[1]]}', '["\\ud800"]', '{"train": 3}')}
    for word in (b"NaN", b"null", b"true", b"-1", b"1e400", b"{}", b"9" * 30, b'"\\u0000"'):
        files[word.decode()] = content.replace(b"1", word, 1)
    found = {what: fault(run, tmp_path / "x.json", content) for what, content in files.items()}
    assert not {what: why for what, why in found.items() if why}
