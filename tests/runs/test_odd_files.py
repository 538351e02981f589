"""Odd files come back, odd places and ranges of rows are refused, and no row comes back as another."""

import os
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

import chainrule as cr
from chainrule.atomic_files import write_file
from chainrule.coding.container import archive_bytes, read_archive
from chainrule.coding.header import GENERAL
from chainrule.errors import DamagedArchive, InputError
from chainrule.runs.archiving import work_of_file
from chainrule.runs.decompress import decoded_file, decoded_raw
from chainrule.runs.progress import silent
from chainrule.runs.run import Run
from tests.golden.places import GOLDEN, RUNS

DATA = GOLDEN / "data"
LINES = (DATA / "table.csv").read_bytes().splitlines(keepends=True)[:25]


@pytest.fixture(scope="module")
def table():
    """The run of a table of all kinds of columns, whose model is read once."""
    run = Run.open(RUNS / "table")
    model = run.model()
    run.model = lambda: model
    return run


def archive_of(run, path):
    """The archive that the model makes of a file; it gives the file back."""
    work = work_of_file(run, path, 8)
    assert work.coded is not None, work.note
    archive = read_archive(archive_bytes(*work.archive(silent)))
    assert decoded_file(archive, run, silent) == path.read_bytes()
    return archive


def with_cell(column, text, every=6):
    """The table with a text in one column of some lines."""
    lines = [LINES[0]]
    for n, line in enumerate(LINES[1:]):
        cells = line.rstrip(b"\n").split(b",")
        if n % every == 0:
            cells[column] = text
        lines.append(b",".join(cells) + b"\n")
    return b"".join(lines)


@pytest.mark.parametrize("text", [b"-0", b"1e400", b"9007199254740993", b"+01.50", b"0.1234567"])
def test_odd_numbers_come_back(table, tmp_path, text):
    """A zero with a sign, numbers beyond the grid or between its steps, other spellings."""
    path = tmp_path / "table.csv"
    for column in (0, 1):
        path.write_bytes(with_cell(column, text))
        archive_of(table, path)


@pytest.mark.parametrize(
    "change",
    [
        lambda content: content.replace(b"\n", b"\r"),
        lambda content: content.decode().encode("utf-16"),
        lambda content: content.replace(b",", b"\0,", 1),
        lambda content: b"\n" + content,
        lambda content: content[:20],
        lambda content: b"",
    ],
)
def test_files_that_the_model_cannot_read_come_back_all_the_same(table, tmp_path, change):
    path = tmp_path / "table.csv"
    path.write_bytes(change(b"".join(LINES)))
    result = cr.compress(path, model=table, out=tmp_path / "x.cr")
    assert result.way in GENERAL
    cr.decompress(tmp_path / "x.cr", out=tmp_path / "back")
    assert (tmp_path / "back").read_bytes() == path.read_bytes()


def test_a_row_that_the_model_does_not_have_is_never_another_row(table, tmp_path):
    path = tmp_path / "table.csv"
    path.write_bytes(with_cell(2, b"ultraviolet", every=10))
    archive = archive_of(table, path)
    assert archive.header["unlike"] == [0, 10, 20]
    with pytest.raises(InputError, match=r"example 10 has a value that the model does not have; .* leave out --rows"):
        decoded_raw(archive, table, "5:11", silent)
    colours = [line.split(b",")[2].decode() for line in path.read_bytes().splitlines()[1:]]
    assert [row[2] for row in decoded_raw(archive, table, "1:10", silent)] == colours[1:10]


def test_rows_after_a_line_that_was_left_out_say_so(table, tmp_path):
    path = tmp_path / "table.csv"
    path.write_bytes(b"".join([*LINES[:5], b"# a remark\n", *LINES[5:]]))
    (tmp_path / "x.cr").write_bytes(archive_bytes(*work_of_file(table, path, 8).archive(silent)))
    result = cr.decompress(tmp_path / "x.cr", model=table, out=tmp_path / "rows.csv", rows="4:6")
    assert result.note == "lines that the model could not read are no examples: rows are counted without them"
    assert cr.decompress(tmp_path / "x.cr", model=table, out=tmp_path / "back").note == ""


def test_rows_of_a_stream_end_where_it_ends(tmp_path):
    run, path = Run.open(RUNS / "text"), tmp_path / "text.txt"
    path.write_bytes((DATA / "text.txt").read_bytes()[:300])
    archive = archive_of(run, path)
    assert b"".join(decoded_raw(archive, run, "290:300", silent)) == path.read_bytes()[290:]
    assert b"".join(decoded_raw(archive, run, "300:300", silent)) == b""
    with pytest.raises(InputError, match="the archive has 300 symbols, got --rows 290:301"):
        decoded_raw(archive, run, "290:301", silent)


@pytest.mark.parametrize("rows", ["\u00b2:3", "\u0661:3", "3:2", "1:" + "9" * 5000, "-1:3", "1:2:3", ":"])
def test_odd_ranges_are_refused(table, tmp_path, rows):
    path = tmp_path / "table.csv"
    path.write_bytes(b"".join(LINES))
    with pytest.raises(InputError, match="--rows is a range such as 100:200"):
        decoded_raw(archive_of(table, path), table, rows, silent)


def test_what_is_read_is_never_written_over(table, tmp_path, monkeypatch):
    def never(*_):
        raise AssertionError("a file would be written")

    path, packed = tmp_path / "table.csv", tmp_path / "x.cr"
    path.write_bytes(b"".join(LINES))
    cr.compress(path, model=table, out=packed)
    before = packed.read_bytes()
    monkeypatch.setattr("chainrule.runs.places.write_file", never)  # nothing of this machine is put at risk
    (tmp_path / "link").symlink_to(packed)
    os.mkfifo(tmp_path / "pipe")
    for place in (packed, tmp_path / "link", "/dev/null", tmp_path, tmp_path / "pipe", tmp_path / ("x" * 300), "a\0b"):
        with pytest.raises(InputError, match="--out"):
            cr.decompress(packed, model=table, out=place)
    (tmp_path / "dev").symlink_to("/dev")
    for place in (
        "/dev/stdout",
        "/dev/fd/1",
        tmp_path / "dev" / "no-such-device",
        "/dev/null",
        tmp_path / "pipe",
        tmp_path / ("x" * 300),
        path,
    ):
        with pytest.raises(InputError, match="--out"):
            cr.compress(path, model=table, out=place)
    assert packed.read_bytes() == before
    with pytest.raises(InputError):
        cr.decompress("/dev/zero", out=tmp_path / "zero")


def test_no_command_puts_a_file_in_the_place_of_a_device(monkeypatch):
    monkeypatch.setattr("chainrule.atomic_files._write", None)
    for place in ("/dev/stdout", "/dev/fd/1", "/proc/self/fd/1"):
        with pytest.raises(OSError, match="it is a device"):
            write_file(Path(place), b"")


def test_what_a_killed_process_left_is_removed_by_the_next(table, tmp_path):
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    path, other = tmp_path / "table.csv", tmp_path / f".other.cr.{ended.pid}.new"
    left = [tmp_path / f".table.csv.cr.{pid}.new" for pid in (ended.pid, 10**30)]
    kept = [other, tmp_path / ".table.csv.cr.1.new", tmp_path / ".table.csv.cr.x.new"]
    path.write_bytes(b"".join(LINES))
    for place in (*left, *kept):
        place.write_bytes(b"cut off")
    cr.compress(path, model=table)
    assert not any(place.exists() for place in left)
    assert all(place.exists() for place in kept)


def test_the_longest_name_is_as_good_as_any(table, tmp_path):
    path = tmp_path / ("x" * 251 + ".csv")
    path.write_bytes(b"".join(LINES))
    cr.compress(path, model=table, out=tmp_path / "x.cr")
    path.unlink()
    assert cr.decompress(tmp_path / "x.cr", model=table).out == str(path)
    assert path.read_bytes() == b"".join(LINES)


def test_a_pipe_is_read_once_and_needs_a_name(table, tmp_path):
    pipe, content = tmp_path / "pipe", b"".join(LINES)
    os.mkfifo(pipe)
    with pytest.raises(InputError, match="name the archive with --out"):
        cr.compress(pipe, model=table)
    threading.Thread(target=pipe.write_bytes, args=(content,)).start()
    cr.compress(pipe, model=table, out=tmp_path / "x.cr")
    threading.Thread(target=pipe.write_bytes, args=((tmp_path / "x.cr").read_bytes(),)).start()
    cr.decompress(pipe, model=table, out=tmp_path / "back")
    threading.Thread(target=pipe.write_bytes, args=((tmp_path / "x.cr").read_bytes(),)).start()
    with pytest.raises(InputError, match="name the file with --out"):
        cr.decompress(pipe, model=table)
    assert (tmp_path / "back").read_bytes() == content


@pytest.mark.parametrize("change", [{"lanes": 1 << 16}, {"sequences": 10**12, "per_group": 10**12}])
def test_a_forged_shape_is_refused_before_memory_is_taken(table, tmp_path, change):
    path = tmp_path / "table.csv"
    path.write_bytes(b"".join(LINES))
    archive = archive_of(table, path)
    header = archive.header | {key: value for key, value in change.items() if key != "lanes"}
    header["layout"] = header["layout"] | {key: value for key, value in change.items() if key == "lanes"}
    with pytest.raises(DamagedArchive, match=r"do not fit each other|not of so many"):
        decoded_file(read_archive(archive_bytes(header, list(archive.groups))), table, silent)


def test_grids_of_decimals_are_exact(tmp_path):
    """0.3 is not 3 x 0.1 in float64; both are the same element."""
    from chainrule.coding.coded import coded_examples
    from chainrule.data.examples.arrays import ArrayExamples
    from chainrule.domain import Column, Domain

    domain = Domain((1,), None, columns=(Column(None, resolution=0.1),))
    coded = coded_examples([ArrayExamples(np.array([[0.3], [3 * 0.1], [-0.0]]))], domain, 1, 3)
    assert [x.tobytes() for x in coded.sequences] == [x.tobytes() for x in np.array([[0.1 * 3], [0.1 * 3], [0.0]])]
