"""Archives without a run: tables and arrays by counts, anything else by xz or bz2, and every file comes back."""

import json

import numpy as np
import pytest

import chainrule as cr
from chainrule.coding.container import archive_bytes, read_archive
from chainrule.coding.groups import ELEMENTS, MODEL, Group
from chainrule.coding.header import GENERAL
from chainrule.coding.side import packed, side_plain
from chainrule.errors import DamagedArchive, InputError
from chainrule.runs.archiving import work_of_counts
from chainrule.runs.decompress import decoded_file, run_of
from chainrule.runs.progress import silent
from tests.golden.places import GOLDEN
from tests.support.command_line import run as command
from tests.support.command_line import run_json


def table(path, count=6000, newline="\r\n"):
    """A CSV file with quotes, a missing value and columns that follow from each other."""
    random = np.random.default_rng(0)
    lines = ['"size",colour,odd,shape']
    for n, (size, colour) in enumerate(
        zip(random.integers(4, size=count), random.integers(3, size=count), strict=True)
    ):
        shape = "" if n % 7 == 3 else ("round", "square")[(size + colour) % 2]
        lines.append(f"{('xs', 's', 'm', 'l')[size]},{('red', 'green', 'blue')[colour]},{(size + colour) % 2},{shape}")
    path.write_bytes((newline.join(lines) + newline).encode())
    return path


@pytest.mark.parametrize("count", [0, 1, 2, 31, 33, 6000])
def test_tables_of_any_length_come_back(tmp_path, count):
    path = table(tmp_path / "table.csv", count)
    made = cr.compress(path)
    assert cr.decompress(tmp_path / "table.csv.cr", out=tmp_path / "back").whole
    assert (tmp_path / "back").read_bytes() == path.read_bytes()
    assert made.run == ""
    if count == 6000:
        assert (made.way, made.profile, made.examples) == ("counts", "portable", 6000)
        assert made.bytes_out == (tmp_path / "table.csv.cr").stat().st_size < made.others["xz"]
        heads = made.bytes_out - made.code_bytes - made.model_bytes - made.side_bytes
        assert 0 < heads < 500


def test_arrays_come_back_and_rows_of_them(tmp_path):
    x = np.random.default_rng(0).integers(2, size=(14_000, 20), dtype=np.uint8)
    np.save(tmp_path / "bits.npy", x)
    made = cr.compress(tmp_path / "bits.npy", minutes=0)
    assert made.way == "counts"
    assert cr.decompress(tmp_path / "bits.npy.cr", out=tmp_path / "back").whole
    assert (tmp_path / "back").read_bytes() == (tmp_path / "bits.npy").read_bytes()
    assert len(read_archive((tmp_path / "bits.npy.cr").read_bytes()).of_kind(ELEMENTS)) == 2
    cr.decompress(tmp_path / "bits.npy.cr", out=tmp_path / "rows.npy", rows="13000:13200")
    assert (np.load(tmp_path / "rows.npy") == x[13_000:13_200]).all()
    with pytest.raises(InputError, match="has 14000 examples, got --rows 1:14001"):
        cr.decompress(tmp_path / "bits.npy.cr", out=tmp_path / "x.npy", rows="1:14001")


@pytest.mark.parametrize("name", ["text.txt", "sequences.json", "proteins.fasta", "docs.jsonl"])
def test_what_holds_no_rows_of_symbols_is_left_to_xz(tmp_path, name):
    made = cr.compress(GOLDEN / "data" / name, out=tmp_path / "x.cr")
    assert made.way in GENERAL
    assert made.profile == "any"
    assert "there is nothing to count by, so a general compressor does all of it" in made.note
    cr.decompress(tmp_path / "x.cr", out=tmp_path / "back")
    assert (tmp_path / "back").read_bytes() == (GOLDEN / "data" / name).read_bytes()


def test_numbers_that_repeat_are_counted_and_others_stand_in_the_difference(tmp_path):
    path = tmp_path / "numbers.csv"
    random = np.random.default_rng(0)
    pairs = zip(random.integers(30, size=3000), random.random(3000), strict=True)
    path.write_text("n,letter,y\n" + "".join(f"{x},{'ab'[x % 2]},{y:.3f}\n" for x, y in pairs))
    work = work_of_counts(path, 60, silent)
    assert work.coded is not None
    assert work.coded.elements == 6000
    archive = read_archive(archive_bytes(*work.archive(silent)))
    assert decoded_file(archive, run_of(archive, None), silent) == path.read_bytes()


def test_a_table_of_numbers_alone_is_left_to_xz_and_says_so(tmp_path):
    path = tmp_path / "numbers.csv"
    path.write_text("a,b\n" + "".join(f"{x:.6f},{y:.6f}\n" for x, y in np.random.default_rng(0).normal(size=(200, 2))))
    made = cr.compress(path)
    assert made.way in GENERAL
    assert "every column holds numbers that hardly ever repeat" in made.note


def test_a_table_that_would_take_too_long_is_left_to_a_general_compressor(tmp_path, monkeypatch):
    monkeypatch.setattr("chainrule.runs.counted.MOST_STEPS", 100)
    path = table(tmp_path / "table.csv", 26)
    assert "4 columns in 26 rows would take 104 steps of counting, and 100 are taken at most" in cr.compress(path).note


def test_the_command_line_needs_no_run(capsys, tmp_path):
    path = table(tmp_path / "table.csv")
    code, out, _ = command(capsys, "compress", path)
    assert code == 0
    assert "nothing trained, by counts that both sides learn, all of it counted; portable; decoded back" in " ".join(
        out.split()
    )
    path.unlink()
    assert run_json(capsys, "decompress", tmp_path / "table.csv.cr")["whole"]
    assert path.read_bytes() == table(tmp_path / "again.csv").read_bytes()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"elements": True}, "--elements needs a run"),
        ({"moved_to": "x"}, "--moved-to needs a run"),
        ({"profile": "native"}, "no native archive"),
        ({"minutes": -1}, "--minutes is the time"),
        ({"minutes": float("nan")}, "--minutes is the time"),
    ],
)
def test_options_that_need_a_run_are_refused(tmp_path, options, words):
    with pytest.raises(InputError, match=words):
        cr.compress(table(tmp_path / "table.csv", 10), **options)
    with pytest.raises(InputError, match="name a file, or a run"):
        cr.compress()


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    path = table(tmp_path_factory.mktemp("counted") / "table.csv", 60)
    content = archive_bytes(*work_of_counts(path, 60, silent).archive(silent))
    return path.read_bytes(), read_archive(content)


def tried(archive, wanted):
    """Whether an archive is refused as damaged; it may give no other file."""
    try:
        assert decoded_file(archive, run_of(archive, None), silent) == wanted
    except DamagedArchive:
        return True
    return False


def test_what_it_is_counted_by_is_checked(small):
    wanted, archive = small
    assert not tried(archive, wanted)
    said = json.loads(side_plain(archive.of_kind(MODEL)[0]))
    others = [
        {},
        [],
        {"encoding": said["encoding"]},
        {"encoding": {}, "elements": said["elements"]},
        said | {"elements": said["elements"][:-1]},
        said | {"elements": [[e[0], [7], [0]] for e in said["elements"]]},
        said | {"encoding": said["encoding"] | {"columns": []}},
        said | {"encoding": {"kind": "array", "shape": [10**12], "num_symbols": 2}},
        said | {"encoding": {"kind": "array", "shape": [len(said["elements"])], "num_symbols": 10**12}},
    ]
    for other in others:
        content = json.dumps(other).encode()
        groups = [Group.of(MODEL, content, packed(content)), *archive.groups[1:]]
        assert tried(read_archive(archive_bytes(archive.header, groups)), wanted)
    for change in ({"sequences": -1}, {"sequences": 61}, {"sequences": 10**12}, {"arranged": "stream"}):
        assert tried(read_archive(archive_bytes(archive.header | change, list(archive.groups))), wanted)
