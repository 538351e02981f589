"""Forms of files: what has to be known, beside the decoded examples, to write a file again."""

import json

import numpy as np
import pytest

from chainrule.data.rewriting.forms import form_of, rewritten
from chainrule.data.sources.fasta import read_fasta
from chainrule.runs.run import Run
from tests.golden.places import GOLDEN, RUNS

DATA = GOLDEN / "data"
TABLE = (DATA / "table.csv").read_bytes()
CELLS = [line.split(b",") for line in TABLE.split(b"\n")[:-1]]
SPELLINGS = {
    "as it is": TABLE,
    "line ends of Windows": TABLE.replace(b"\n", b"\r\n"),
    "a byte order mark": b"\xef\xbb\xbf" + TABLE,
    "quotes": b"".join(b",".join(b'"%s"' % cell for cell in line) + b"\n" for line in CELLS),
    "another delimiter": TABLE.replace(b",", b";"),
    "a column in another place": b"".join(b",".join(line[::-1]) + b"\n" for line in CELLS),
    "a column that is not modelled": b"".join(b",".join([*line, line[0][:1]]) + b"\n" for line in CELLS),
    "a title": b"A table of things\n" + TABLE,
}


def encoding_of(run):
    return Run.open(RUNS / run).encoding()


def decoded(encoding, path):
    """What the encoding decodes from the elements of a file, as it would from those of an archive."""
    examples = encoding.encode(str(path))
    return encoding.decode(examples.batch(np.arange(len(examples))).x.numpy())


@pytest.mark.parametrize("name", SPELLINGS)
def test_a_table_is_written_as_it_was(name):
    encoding = encoding_of("table")
    raw = decoded(encoding, DATA / "table.csv")
    form = form_of(encoding, SPELLINGS[name], raw)
    assert form["form"] == "table"
    assert rewritten(encoding, json.loads(json.dumps(form)), raw) == SPELLINGS[name]
    modelled = [column for column in form["columns"] if "of" in column]
    assert len(modelled) == len(encoding.column_names)
    assert sum(len(column["cells"]) for column in modelled) < len(raw) / 10


@pytest.mark.parametrize("dtype", ["<u1", "<i8", ">i4", "<f4", "|b1"])
@pytest.mark.parametrize("order", ["C", "F"])
def test_an_array_is_written_in_its_type_and_order(dtype, order, tmp_path):
    encoding = encoding_of("blocks" if dtype == "|b1" else "array")
    x = np.load(DATA / ("bits.npy" if dtype == "|b1" else "grey.npy"))
    np.save(tmp_path / "x.npy", np.asarray(x.astype(dtype), order=order))
    content = (tmp_path / "x.npy").read_bytes()
    form = form_of(encoding, content, decoded(encoding, tmp_path / "x.npy"))
    assert rewritten(encoding, json.loads(json.dumps(form)), x) == content


@pytest.mark.parametrize("style", [{}, {"indent": 2}, {"separators": (",", ":")}])
def test_json_is_written_in_its_style(style):
    encoding = encoding_of("sets")
    content = json.dumps({"test": [[[1, 2], []]], "train": [[[3]], [[1]]]}, **style).encode()
    raw = [[[3]], [[1]], [[1, 2], []]]
    form = form_of(encoding, content, raw, [("train", 2), ("test", 1)])
    assert rewritten(encoding, json.loads(json.dumps(form)), raw) == content + b"\n"


def test_fasta_is_written_with_its_names_and_its_width():
    encoding = encoding_of("fasta")
    content = b">one the first\nACDE\nFG\n>two\nACD\n"
    form = form_of(encoding, content, ["ACDEFG", "ACD"])
    assert rewritten(encoding, form, ["ACDEFG", "ACD"]) == content
    sequences = [x.decode() for x in read_fasta(DATA / "proteins.fasta", False).sequences]
    content = (DATA / "proteins.fasta").read_bytes()
    assert rewritten(encoding, form_of(encoding, content, sequences), sequences) == content


def test_a_file_of_no_known_form_has_none():
    assert form_of(encoding_of("table"), b"", [["1"]]) == {"form": "none"}
    assert rewritten(encoding_of("table"), {"form": "none"}, [["1"]]) == b""
