"""Reading delimited text: ragged rows, lines of rows, pipes, names of files, memory, and foreign formats."""

import gzip
import os
import resource
import sqlite3
import subprocess
import sys
import textwrap
import threading
import zipfile
from types import SimpleNamespace

import duckdb
import numpy as np
import pyarrow as pa
import pytest

from chainrule import InputError
from chainrule.data.sources.delimited.dialect import sniff
from chainrule.data.sources.delimited.rows import line_of, lines_and_rows
from chainrule.data.sources.delimited.text_columns import read_delimited
from chainrule.data.sources.known_binaries import known_binary, refuse_known_binary
from chainrule.data.sources.plain_files import as_file, data_ending


def table(path, **asked):
    """The dialect and the whole table."""
    dialect = sniff(path, **asked)
    return dialect, pa.concat_tables(list(read_delimited(path, dialect)))


def body(rows, width=3):
    return "".join(",".join(str(width * r + k) for k in range(width)) + "\n" for r in range(rows))


RAGGED = [  # text, line, came, expected
    ("a,b,c\n" + body(20) + "1,2\n" + body(3), 22, 2, 3),
    ("a,b,c\n" + body(20) + "1,2,3,4\n" + body(3), 22, 4, 3),
    ('a,b,c\n"x\ny",2,3\n' + body(20) + "1,2,3,4\n", 24, 4, 3),
    ("a,b,c\n\n" + body(20) + "\n1,2,3,4\n", 24, 4, 3),
    ("title\na,b,c\n" + body(20) + "1,2,3,4\n", 23, 4, 3),
    ("a,b,c\n" + body(20_000) + "1\n", 20_002, 1, 3),
    ("a,b,c\r" + body(20).replace("\n", "\r") + "1,2,3,4\r", 22, 4, 3),
    ("# x\na,b,c\n# y\n" + body(20) + "1,2,3,4\n", 24, 4, 3),
]


@pytest.mark.parametrize(("text", "line", "came", "expected"), RAGGED)
@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_a_ragged_row_names_its_line(tmp_path, text, line, came, expected, pack):
    path = tmp_path / "a.csv"
    path.write_bytes(pack(text.encode()))
    with pytest.raises(InputError, match=rf"a\.csv line {line}: has {came} values, expected {expected} .*correct"):
        table(path)


def test_a_ragged_row_of_a_wide_file(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text(body(30, 500) + "1,2\n" + body(2, 500))
    with pytest.raises(InputError, match=r"line 31: has 2 values, expected 500"):
        table(path)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a,b\n1,2\n  \n3,4\n5,6\n", "line 3: holds nothing but spaces"),
        ("a,b\n1\n2,3,4\n5,6\n7\n8,9\n", "line 2: has 1 values, expected 2"),
        ('a,b\n1,2\n3,"4,5\n6,7\n', "line 3: a quote is not closed"),
        ('a,b\n1,2\n3,"4"5\n', "line 3: .*a quoted value goes on"),
        ("a,b,\n" + "1,2,\n" * 100_000 + "1,2,9\n", "line 100002: has 3 values, expected 2: '9'"),
        ("a,b,c\n" + "1,2\n" * 3 + "1,2\n", "line 1: the header has 3 names, but the rows have 2 values"),
    ],
)
def test_other_faults_name_their_line(tmp_path, text, message):
    path = tmp_path / "a.csv"
    path.write_text(text)
    with pytest.raises(InputError, match=message):
        table(path)


def test_bytes_of_another_encoding_deep_in_the_file(tmp_path):
    path = tmp_path / "a.csv"
    path.write_bytes(b"a,b\n" + b"1,2\n" * 500_000 + b"caf\xe9,2\n")
    with pytest.raises(InputError, match=r"line 500002: the bytes e9 2c 32 0a are not UTF-8; .*iconv"):
        sniff(path)


def test_lines_of_rows(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text('title\na,b\n1,2\n\n"x\ny",4\n5,6\n')
    dialect, rows = table(path)
    assert [line_of(path, dialect, row) for row in range(3)] == [3, 5, 7]
    assert (
        lines_and_rows(dialect, rows.num_rows) == "7 lines: 2 above the data, 3 rows, 2 blank or within quoted values"
    )


@pytest.mark.parametrize("name", ["a*.csv", "a?.csv", "[ab].csv", "a b'c\".csv", "größe;%s{}.csv", "http:", "x.csv.gz"])
def test_names_are_names(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "ab.csv").write_text("wrong,file\n1,2\n")
    path = tmp_path / name
    path.write_text("a,b\n1,2\n")
    assert table(path)[1].to_pylist() == [{"a": "1", "b": "2"}]
    with as_file(name) as found:
        assert table(found)[1].column_names == ["a", "b"]


def test_an_address_is_no_file():
    for address in ("http://localhost/a.csv", "s3://bucket/a.csv"):
        with pytest.raises(InputError, match="there is no such file"), as_file(address):
            pass


def test_folders_and_missing_files(tmp_path):
    for source, message in ((tmp_path, "is a folder"), (tmp_path / "no.csv", "no such file"), ("a\0b", "opened")):
        with pytest.raises(InputError, match=message), as_file(source):
            pass


def test_endings():
    names = ["a.CSV.GZ", "a.TSV", "a.csv.zst", "b.parquet", "c", "d.xz"]
    assert [data_ending(name) for name in names] == [".csv", ".tsv", ".csv", ".parquet", "", ""]


@pytest.mark.slow
def test_a_pipe_is_read_once_and_whole(tmp_path):
    text = ("a,b\n" + "1,2\n" * 100_000).encode()
    fifo = tmp_path / "fifo.csv"
    os.mkfifo(fifo)
    writer = threading.Thread(target=fifo.write_bytes, args=(text,))
    writer.start()
    with as_file(fifo) as path:
        assert path.name == "fifo.csv"
        assert table(path)[1].num_rows == 100_000
        assert table(path)[1].num_rows == 100_000
    writer.join()
    assert not path.exists()


@pytest.mark.parametrize("name", ["-", pytest.param("/dev/stdin", marks=pytest.mark.slow)])
def test_standard_input(name):
    code = f"""
    from chainrule.data.sources.plain_files import as_file
    with as_file({name!r}) as path:
        print(path.stat().st_size)
    """
    text = b"a,b\n" + b"1,2\n" * 100_000
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(code)], input=text, capture_output=True, check=True)
    assert int(done.stdout) == len(text)


def test_a_copy_that_would_fill_the_disk(tmp_path, monkeypatch):
    monkeypatch.setattr("shutil.disk_usage", lambda path: SimpleNamespace(free=0))
    path = tmp_path / "a.csv"
    path.write_bytes(gzip.compress(b"a,b\n1,2\n"))
    with pytest.raises(InputError, match="TMPDIR"):
        table(path)


def binaries(folder):
    """One small file of each format that is refused, by what the error calls it."""
    with zipfile.ZipFile(folder / "book", "w") as archive:
        archive.writestr("[Content_Types].xml", "")
        archive.writestr("xl/workbook.xml", "")
    with zipfile.ZipFile(folder / "archive", "w") as archive:
        archive.writestr("a.csv", "a,b\n1,2\n")
    with sqlite3.connect(folder / "base") as base:
        base.execute("create table t (x)")
    np.save(folder / "array.npy", np.arange(3))
    header = b'{"w":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}'
    (folder / "weights").write_bytes(len(header).to_bytes(8, "little") + header + bytes(4))
    (folder / "paper").write_bytes(b"%PDF-1.7\n")
    (folder / "hdf").write_bytes(b"\x89HDF\r\n\x1a\n" + bytes(8))
    return {
        "book": "Excel",
        "archive": "zip archive",
        "base": "SQLite",
        "array.npy": "NumPy",
        "weights": "safetensors",
        "paper": "PDF",
        "hdf": "HDF5",
    }


def test_foreign_formats_are_refused_by_name(tmp_path):
    for name, what in binaries(tmp_path).items():
        with pytest.raises(InputError, match=f"{name}: is .*{what}.*;"):
            refuse_known_binary(tmp_path / name)
        with pytest.raises(InputError, match=what):
            sniff(tmp_path / name)
    for name, content in (("a", b"a,b\n1,2\n"), ("b", b""), ("c", b"PK"), ("d", gzip.compress(b"x"))):
        (tmp_path / name).write_bytes(content)
        assert known_binary(tmp_path / name) is None


def random_rows(seed, rows=300):
    """Rows of texts of every trouble that quotes can hold."""
    rng = np.random.default_rng(seed)
    pieces = ["x", "y z", '"', ",", ";", "\n", "é", "1", "'", " ", "#", "1,5"]
    return [["k" + "".join(rng.choice(pieces, rng.integers(0, 5))) for _ in range(3)] for _ in range(rows)]


@pytest.mark.parametrize("seed", range(8))
def test_what_is_written_with_quotes_is_read_back(tmp_path, seed):
    rows = random_rows(seed)
    path = tmp_path / "a.csv"
    quoted = ["a,b,c"] + [",".join('"' + cell.replace('"', '""') + '"' for cell in row) for row in rows]
    path.write_text("\n".join(quoted) + "\n")
    dialect, came = table(path)
    assert [list(row.values()) for row in came.to_pylist()] == rows
    lines = np.cumsum([2] + [1 + sum(cell.count("\n") for cell in row) for row in rows])
    assert line_of(path, dialect, 200) == lines[200]


@pytest.mark.parametrize("seed", range(4))
def test_arrow_and_duckdb_read_the_same(tmp_path, monkeypatch, seed):
    path = tmp_path / "a.csv"
    rows = [[cell if k else "" for k, cell in enumerate(row)] for row in random_rows(seed)]
    quoted = ["a,b,c"] + [",".join('"' + cell.replace('"', '""') + '"' if cell else "" for cell in row) for row in rows]
    path.write_text("\n".join(quoted) + "\n")
    _, one = table(path)
    monkeypatch.setattr("chainrule.data.sources.delimited.text_columns.WIDE", 0)
    _, other = table(path)
    assert one.to_pylist() == other.to_pylist()


def test_duckdb_itself_reads_the_same_plain_file(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("id,name,x\n1,ann,1.5\n2,bob,\n3,cy,2.5\n")
    _, ours = table(path)
    theirs = duckdb.sql(f"select * from read_csv('{path}', all_varchar = true)")
    assert [tuple(row.values()) for row in ours.to_pylist()] == theirs.fetchall()
    assert ours.column_names == theirs.columns


@pytest.mark.slow
def test_memory_does_not_grow_with_the_file(tmp_path):
    path = tmp_path / "a.csv"
    with path.open("w") as file:
        file.write("a,b,c,d\n")
        block = "".join(f"{k},{k * 7919 % 10007 / 8},green,{k * 31 % 977}\n" for k in range(100_000))
        for _ in range(30):
            file.write(block)
    dialect = sniff(path)
    assert sum(block.num_rows for block in read_delimited(path, dialect)) == 3_000_000
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert sum(block.num_rows for block in read_delimited(path, dialect)) == 3_000_000
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss < before + (100 << 10)


def test_reading_can_stop_early(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("a,b\n" + "1,2\n" * 500_000)
    blocks = read_delimited(path, sniff(path))
    assert next(blocks).num_rows
    blocks.close()


def test_very_many_columns(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text(",".join(f"g{k}" for k in range(8000)) + "\n" + body(30, 8000))
    dialect, rows = table(path)
    assert (len(dialect.names), rows.num_rows, rows.column("g7999")[0].as_py()) == (8000, 30, "7999")


def test_a_long_line(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text(f"a,b\n1,{'x' * 5_000_000}\n2,y\n")
    assert len(table(path)[1].column("b")[0].as_py()) == 5_000_000
