"""Whatever comes in: one value is one number, what is no text is refused, pipes are read once."""

import bz2
import gzip
import io
import json
import lzma
import os
import threading

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.feather
import pyarrow.parquet
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from chainrule import InputError
from chainrule.cli.app import main
from chainrule.config.defaults import default_spec
from chainrule.config.registry import build_model
from chainrule.data import load
from chainrule.data.tables.survey import Survey
from chainrule.evaluation.evaluate import evaluate

pytestmark = pytest.mark.filterwarnings("ignore:the column:UserWarning")


def model_of(data):
    """A small untrained model of the data."""
    spec = default_spec(data.encoding.domain, data.encoding.group)
    spec["network"] |= {"width": 8, "depth": 1}
    torch.manual_seed(0)
    model = build_model(spec, data.encoding.domain, data.encoding.context_options)
    model.initialise(data.train.batch(np.arange(len(data.train))).x)
    return model.eval()


COLUMNS = {
    "n": st.integers(-5, 5),
    "x": st.floats(-1e6, 1e6).map(lambda x: round(x, 2)),
    "b": st.booleans(),
    "s": st.sampled_from(["red", "green", "blå", "a, b", 'q"q']),
    "d": st.dates(pd.Timestamp("1990-01-01").date(), pd.Timestamp("2030-01-01").date()),
    "t": st.datetimes(pd.Timestamp("1990-01-01"), pd.Timestamp("2030-01-01")).map(lambda t: t.replace(microsecond=0)),
}


def written(table, folder):
    """The table in every format."""
    frame = table.to_pandas()
    frame.to_csv(folder / "a.csv", index=False)
    frame.to_csv(folder / "A.TSV.GZ", index=False, sep="\t", compression="gzip")
    pa.parquet.write_table(table, folder / "a.parquet")
    pa.feather.write_feather(table, folder / "a.arrow")
    files = [str(path) for path in sorted(folder.iterdir()) if path.is_file()]
    lines = folder / "a.jsonl"
    lines.write_text(frame.to_json(orient="records", lines=True, date_format="iso"))
    return [*files, str(lines), table, frame, pl.from_arrow(table), table.to_pylist()]


@settings(max_examples=5)
@given(st.lists(st.fixed_dictionaries(COLUMNS), min_size=30, max_size=40), st.integers(0, 9))
def test_a_table_is_the_same_in_every_format(tmp_path_factory, rows, gap):
    rows[0] |= {"b": True, "s": "red"}
    rows[gap] = rows[gap] | {"x": None, "s": None if gap else "red"}
    sources = written(pa.Table.from_pylist(rows), tmp_path_factory.mktemp("formats"))
    found = [load(source) for source in sources]
    assert len({data.digest() for data in found}) == 1
    assert all(data.encoding == found[0].encoding for data in found)
    assert all(set(data.encoding.column_names) == set(COLUMNS) for data in found)
    model = model_of(found[0])
    assert np.array_equal(evaluate(model, found[0].test).nats, evaluate(model, found[-1].test).nats)
    for source in sources[:5]:
        examples = found[0].encoding.encode(source)
        assert examples.impossible is None
        assert examples.digest() == found[-1].encoding.encode(source).digest()


def test_types_that_hold_the_same_values():
    n = np.arange(60) % 7
    frames = [
        pd.DataFrame({"n": n.astype(t), "s": s})
        for t in ("uint8", "int32", "int64", "float32", "float64")
        for s in (["a", "b", None] * 20, pd.Categorical(["a", "b", None] * 20))
    ]
    assert len({load(frame).digest() for frame in frames}) == 1
    times = pd.date_range("2024-01-01", periods=60)
    zones = [times, times.tz_localize("UTC"), times.tz_localize("UTC").tz_convert("Europe/Berlin")]
    assert len({load(pd.DataFrame({"t": t, "n": n})).digest() for t in zones}) == 1


def test_two_columns_of_one_name_are_refused():
    twice = pa.table([pa.array([1, 2]), pa.array([3, 4])], names=["a", "a"])
    for frame in (twice, pd.DataFrame([[1, 2], [3, 4]], columns=["a", "a"])):
        with pytest.raises(InputError, match="'a' occurs twice"):
            load(frame)


def test_a_nested_column_can_be_dropped(tmp_path):
    pa.parquet.write_table(pa.table({"a": ["x", "y"] * 20, "b": [[1], [2]] * 20}), tmp_path / "t.parquet")
    with pytest.raises(InputError, match="--drop b"):
        load(str(tmp_path / "t.parquet"))
    assert load(str(tmp_path / "t.parquet"), drop="b").encoding.column_names == ("a",)


ADULT = "39, State-gov, 77516, Male, <=50K\n50, ?, 83311, Male, <=50K\n38, Private, 215646, Female, >50K\n" * 20
IRIS = "5.1,3.5,Iris-setosa\n4.9,3.0,Iris-setosa\n6.3,3.3,Iris-virginica\n" * 20 + "\n"
WINE = '"fixed acidity";"pH";"quality"\n' + "7.4;3.51;5\n7.8;3.2;6\n11.2;3.16;5\n" * 20
SALES = "Datum;Umsatz\n" + "31.12.2023;1.234,50 €\n01.01.2024;99,00 €\n" * 30
KINDS = {  # text, kinds, names that may be missing
    "adult.data": (ADULT, ["ordinal", "categorical", "ordinal", "categorical", "categorical"], ["c1"]),
    "iris.data": (IRIS, ["real", "real", "categorical"], []),
    "winequality-red.csv": (WINE, ["real", "real", "categorical"], []),
    "Sales.CSV": (SALES, ["date", "real"], []),
}


@pytest.mark.parametrize("name", KINDS)
def test_files_as_people_write_them(tmp_path, name):
    text, kinds, missing = KINDS[name]
    (tmp_path / name).write_text(text, encoding="utf-8")
    data = load(str(tmp_path / name))
    assert [column.kind for column in data.encoding.columns] == kinds
    assert [column.name for column in data.encoding.columns if column.missing is not None] == missing
    assert sum(map(len, data.splits.values())) == 60
    assert "first row as read" in data.note
    assert "60 rows" in data.note


@pytest.mark.parametrize(("name", "rows"), [("winequality-red", 1599), ("winequality-white", 4898)])
def test_wine_quality(shared_data, name, rows):
    data = load(str(shared_data / "uci_continuous" / f"{name}.csv"))
    assert sum(map(len, data.splits.values())) == rows
    assert {column.kind for column in data.encoding.columns} <= {"real", "ordinal", "count", "density"}


def test_odd_cells_in_a_column_of_numbers(tmp_path):
    path = tmp_path / "w.csv"
    path.write_text("w,n\n" + "1.5,a\n2.5,b\n" * 50 + "-,a\nn/a,b\n")
    with pytest.raises(InputError, match=r"'-' \(.*w.csv line 102\), 'n/a' \(.*w.csv line 103\).*--missing '-,n/a'"):
        load(str(path))
    data = load(str(path), missing="-,n/a")
    assert [column.missing for column in data.encoding.columns] == ["", None]
    again = data.encoding.encode(str(path))
    assert int(np.isnan(again.x[:, 0]).sum()) == 2
    assert load(str(path), columns="w=categorical").encoding.columns[0].kind == "categorical"


def test_options_of_tables(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("2019;2020\n" + "1,5;x\n2,5;y\n" * 20)
    assert load(str(path), header="yes").encoding.column_names == ("2019", "2020")
    (tmp_path / "d.csv").write_text("d,x\n" + "1/2/2024,1\n3/4/2024,2\n" * 20)
    first, second = (load(str(tmp_path / "d.csv"), dates=dates) for dates in ("day-first", "month-first"))
    assert first.digest() != second.digest()
    with pytest.raises(InputError, match="--dates is"):
        load(str(tmp_path / "d.csv"), dates="never")


def test_names_with_commas_and_equals_signs(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text('"size, cm",a=b,[c]\n' + "1,2,x\n2,3,y\n" * 20)
    data = load(str(path), columns="size, cm=count,a=b=categorical", given="[c]")
    assert [column.kind for column in data.encoding.columns] == ["count", "categorical"]
    assert load(str(path), drop="[c],size, cm").encoding.column_names == ("a=b",)


def test_a_wide_table_is_surveyed_once_per_column(tmp_path, monkeypatch):
    """Looking at 8,000 columns asks each of them as often as it asks each of 1,000."""
    counts = {}
    decide = Survey.decide
    for width in (1000, 8000):
        path = tmp_path / f"{width}.csv"
        row = ",".join(str(k % 9) for k in range(width))
        path.write_text(",".join(f"v{k}" for k in range(width)) + "\n" + f"{row}\n{row[::-1]}\n" * 6)
        asked = []
        monkeypatch.setattr(Survey, "decide", lambda *a, asked=asked: asked.append(1) or decide(*a))
        assert load(str(path)).encoding.domain.shape == (width,)
        counts[width] = len(asked)
    assert counts == {1000: 1000, 8000: 8000}


def test_what_is_no_text_is_refused(tmp_path):
    for name, content, words in (
        ("a.pdf", b"%PDF-1.7 " + bytes(4000), "PDF"),
        ("a.sqlite", b"SQLite format 3\x00" + bytes(4000), "SQLite"),
        ("a.h5", b"\x89HDF\r\n\x1a\n" + bytes(4000), "HDF5"),
        ("a.pdf.gz", gzip.compress(b"%PDF-1.7 " + bytes(4000)), "PDF"),
    ):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(InputError, match=words):
            load(str(tmp_path / name))
    assert load(str(tmp_path / "a.pdf"), symbols="bytes").encoding.kind == "text"


def test_compressed_texts_are_unpacked(tmp_path):
    text = b"It was a dark and stormy night, and the rain fell in torrents. " * 60
    packed = {"a.txt": text, "a.txt.gz": gzip.compress(text), "a.TXT.BZ2": bz2.compress(text)}
    packed |= {"a.txt.xz": lzma.compress(text), "a.txt.zst": pa.compress(text, "zstd", asbytes=True)}
    digests = set()
    for name, content in packed.items():
        (tmp_path / name).write_bytes(content)
        digests.add(load(str(tmp_path / name)).digest())
    assert len(digests) == 1


def test_a_pipe_is_read_once(tmp_path):
    (tmp_path / "a.csv").write_text("n,s\n" + "1,x\n2,y\n" * 30)
    os.mkfifo(tmp_path / "pipe.csv")
    feed = threading.Thread(target=lambda: (tmp_path / "pipe.csv").write_text((tmp_path / "a.csv").read_text()))
    feed.start()
    data = load(str(tmp_path / "pipe.csv"))
    feed.join()
    assert data.digest() == load(str(tmp_path / "a.csv")).digest()
    assert data.name == "pipe-pipe.csv"
    with pytest.raises(InputError, match="cannot be opened again"):
        load(data.name)


def test_a_table_from_standard_input(tmp_path, monkeypatch, capsys):
    """Where an option of tables says that it is one; a hyphen that is the value of an option stays one."""
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"n,s\n" + b"1.5,x\n2.5,y\n-,y\n" * 30)))
    out = str(tmp_path / "run")
    quick = ["--steps", "2", "--evaluate-every", "1", "--width", "8", "--out", out]
    assert main(["fit", "-", "--missing", "-", *quick]) == 0
    assert "n (real, resolution 0.5, may be missing)" in capsys.readouterr().out
    assert main(["evaluate", out]) == 2
    assert "cannot be opened again" in capsys.readouterr().err


def test_messages_call_a_pipe_by_its_name(monkeypatch):
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"n,s\n" + b"1,x\n2,y\n-,y\n" * 30)))
    assert "'-' (standard-input line 4)" in load("-", header="yes").note
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"n,s\n" + b"1,x\n2,y\n3\n" * 30)))
    with pytest.raises(InputError, match=r"^standard-input line 4: has 1 value"):
        load("-", header="yes")


INTEGERS = np.random.default_rng(0).integers(0, 6, (80, 3))
TYPES = ["uint8", "int16", "int32", "int64", "uint64", ">i4", ">i8", ">u2", "float16", "float32", "float64", ">f8"]


@pytest.mark.parametrize("split", ["random:80/10/10", "distinct:80/10/10"])
def test_integers_are_the_same_in_every_type_and_byte_order(tmp_path, split):
    found = [load(INTEGERS.astype(kind), split=split) for kind in TYPES]
    for kind in (">i4", "<i8", "uint8"):
        np.save(tmp_path / "a.npy", INTEGERS.astype(kind))
        found.append(load(str(tmp_path / "a.npy"), split=split))
        assert found[0].encoding.encode(str(tmp_path / "a.npy")).digest() == found[0].encoding.encode(INTEGERS).digest()
    found.append(load(INTEGERS.tolist(), split=split))
    assert len({data.digest() for data in found}) == 1
    bits = INTEGERS > 2
    assert load(bits).digest() == load(bits.astype("int64")).digest() == load(bits.astype(">f4")).digest()


def test_the_first_reader_keeps_the_type_of_an_array():
    old = [load(INTEGERS.astype(kind), reader=1) for kind in ("uint8", "int64")]
    assert old[0].digest() != old[1].digest()
    assert old[1].train.x.dtype == np.int64
    assert load(INTEGERS).options["reader"] == 2
    with pytest.raises(InputError, match="--reader is 1 or 2"):
        load(INTEGERS, reader=3)


def test_grey_values_of_any_type_are_pictures():
    grey = np.random.default_rng(0).integers(0, 256, (40, 4, 4))
    found = [load(grey.astype(kind), levels=4) for kind in ("uint8", "int64", ">i4", "float32")]
    assert len({data.digest() for data in found}) == 1
    with pytest.raises(InputError, match=r"from 0 to 700, expected grey values 0\.\.255"):
        load(np.append(grey, np.full((1, 4, 4), 700), 0), levels=4)


def test_masked_cells_are_missing():
    mask = np.zeros(INTEGERS.shape, bool)
    mask[::5, 1] = True
    data = load(np.ma.array(INTEGERS, mask=mask))
    assert [column.missing for column in data.encoding.columns] == [None, "", None]
    rows = [[None if m else int(v) for v, m in zip(*row, strict=True)] for row in zip(INTEGERS, mask, strict=True)]
    frame = pd.DataFrame(rows, columns=["c0", "c1", "c2"], dtype="Int64")
    assert data.digest() == load(frame).digest()
    assert load(np.ma.array(INTEGERS)).encoding.kind == "array"
    named = np.array([tuple(row) for row in INTEGERS], dtype=[("a", ">i4"), ("b", "u1"), ("c", "f8")])
    assert load(named).digest() == load(pd.DataFrame(INTEGERS, columns=["a", "b", "c"])).digest()
    with pytest.raises(InputError, match="masked cells and the shape"):
        load(np.ma.array(np.zeros((4, 2, 2)), mask=np.ones((4, 2, 2))))


def test_records_that_lack_names():
    records = [{"a": k % 4, "b": "xyz"[k % 3]} for k in range(60)] + [{"a": 1, "b": "x", "late": 2.5}] * 3
    data = load(records)
    assert data.encoding.column_names == ("a", "b", "late")
    assert data.digest() == load(pd.DataFrame(records)).digest()
    with pytest.raises(InputError, match=r"item 64 is 5, expected a record"):
        load([*records, 5])


def test_columns_of_mixed_types(tmp_path):
    cells = [1, "x", 2.5, None, 3.0, True] * 10
    frame = pd.DataFrame({"a": cells, "b": [k % 3 for k in range(60)]})
    texts = ["1", "x", "2.5", "", "3", "true"] * 10
    (tmp_path / "b.csv").write_text("a,b\n" + "".join(f"{a},{k % 3}\n" for k, a in enumerate(texts)))
    records = frame.to_dict("records")
    assert load(frame).digest() == load(records).digest() == load(str(tmp_path / "b.csv")).digest()
    odd = pd.DataFrame({"a": [1 + 2j] * 60, "b": [1, 2] * 30})
    with pytest.raises(InputError, match=r"column 'a' holds \(1\+2j\).*--drop a"):
        load(odd)
    assert load(odd, drop="a").encoding.column_names == ("b",)


def test_a_series_is_a_table_of_one_column():
    values = [k % 5 for k in range(60)]
    found = [load(pd.Series(values, name="s")), load(pl.Series("s", values)), load(pd.DataFrame({"s": values}))]
    assert {data.encoding.column_names for data in found} == {("s",)}
    assert len({data.digest() for data in found}) == 1


@pytest.mark.parametrize("cells", [[b"x\xff"] * 60, [[1, 2]] * 60, [{"u": 1}] * 60])
def test_a_column_that_holds_no_single_values_can_be_dropped(tmp_path, cells):
    pa.parquet.write_table(pa.table({"a": cells, "b, c": [1, 2] * 30, "d": [1, 2] * 30}), tmp_path / "t.parquet")
    for source in (str(tmp_path / "t.parquet"), pa.table({"a": cells, "b, c": [1, 2] * 30, "d": [1, 2] * 30})):
        with pytest.raises(InputError, match="--drop a"):
            load(source)
        assert load(source, drop="a").encoding.column_names == ("b, c", "d")
        assert load(source, drop=["a", "b, c"]).encoding.column_names == ("d",)


def test_flat_json_lines_are_a_table(tmp_path):
    rows = [
        {"n": k % 4, "x": k / 4, "s": "xyz"[k % 3], "b": k % 2 == 0, "d": f"2024-01-{1 + k % 9:02d}"} for k in range(60)
    ]
    rows[7] |= {"x": None, "s": None}
    path = tmp_path / "a.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    data = load(str(path))
    assert data.digest() == load(rows).digest()
    assert data.encoding.encode(str(path)).digest() == data.encoding.encode(rows).digest()


def test_pictures_with_a_palette_are_their_colours():
    rng = np.random.default_rng(0)
    pictures = [Image.fromarray(rng.integers(0, 4, (4, 4)).astype("u1")).convert("P") for _ in range(40)]
    for picture in pictures:
        picture.putpalette([255, 0, 0, 0, 255, 0, 0, 0, 255, 9, 9, 9] * 64)
    data = load(pictures)
    assert data.encoding.domain.shape == (4, 4, 3)
    assert data.digest() == load([picture.convert("RGB") for picture in pictures]).digest()
