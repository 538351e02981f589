"""Files that are compressed with a run come back byte for byte, or nothing comes back."""

import json
from copy import deepcopy
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import chainrule as cr
from chainrule.coding.container import archive_bytes, read_archive
from chainrule.coding.groups import MODEL
from chainrule.coding.header import GENERAL
from chainrule.errors import DamagedArchive, InputError, OtherMachine, OtherModel
from chainrule.runs.archiving import work_of_file
from chainrule.runs.carried import carried_bytes, carried_run
from chainrule.runs.decompress import decoded_file, run_of
from chainrule.runs.progress import silent
from chainrule.runs.run import Run
from tests.golden.places import GOLDEN, RUNS
from tests.support.command_line import run as command
from tests.support.command_line import run_json

DATA = GOLDEN / "data"
FILES = {  # a file for every kind of data; the larger ones take longer
    "binary": "bits/bits.test.data",
    "orders": "bits/bits.test.data",
    "fasta": "proteins.fasta",
    "sequences": "sequences.json",
    "sets": "notes.json",
    "documents": "names.txt",
    "table": "table.csv",
    "idx": "grey-idx3-ubyte",
}
LONGER = {"array": "grey.npy", "blocks": "bits.npy", "given": "table.csv", "jsonl": "docs.jsonl", "text": "text.txt"}
LONGER |= {"tokens": "text.txt", "scans": "grey.npy", "dynamic": "grey-idx3-ubyte", "imported": "short_names.txt"}


def with_model(run, path):
    """The archive that the model makes, whatever xz could do; it has to give the file back."""
    work = work_of_file(run, Path(path), 32)
    assert work.coded is not None, work.note
    archive = read_archive(archive_bytes(*work.archive(silent)))
    assert decoded_file(archive, run, silent) == Path(path).read_bytes()
    return archive


@pytest.mark.parametrize("name", FILES)
def test_files_of_every_kind_come_back(name):
    with_model(Run.open(RUNS / name), DATA / FILES[name])


@pytest.mark.slow
@pytest.mark.parametrize("name", LONGER)
def test_longer_files_come_back(name):
    with_model(Run.open(RUNS / name), DATA / LONGER[name])


TABLE = (DATA / "table.csv").read_bytes()


def test_values_that_the_model_never_saw_come_back(tmp_path):
    lines = TABLE.decode().splitlines()
    lines[3] = lines[3].replace(lines[3].split(",")[2], "ultraviolet")
    path = tmp_path / "table.csv"
    path.write_text("\n".join(lines) + "\n")
    run = Run.open(RUNS / "table")
    with_model(run, path)
    with pytest.raises(InputError, match=r"row 2 holds a value that the model does not have .*--elements"):
        cr.compress(path, model=run, out=tmp_path / "x.cr", elements=True)
    assert not (tmp_path / "x.cr").exists()


def test_lines_that_the_model_cannot_read_come_back(tmp_path):
    lines = TABLE.splitlines(keepends=True)
    lines[3] = b"n/a," + lines[3].partition(b",")[2]
    lines.insert(20, b"# a remark\n")
    (tmp_path / "table.csv").write_bytes(b"".join(lines))
    run = Run.open(RUNS / "table")
    work = work_of_file(run, tmp_path / "table.csv", 32)
    assert work.coded is not None
    assert len(work.coded.sequences) == len(lines) - 3
    assert "2 lines that the model cannot read are left to a general compressor" in work.note
    with_model(run, tmp_path / "table.csv")


def test_text_whose_characters_the_model_does_not_have_comes_back(tmp_path):
    path = tmp_path / "names.txt"
    run = Run.open(RUNS / "sequences")
    path.write_bytes(b"[[\n")
    result = cr.compress(path, model=run, out=tmp_path / "x.cr")
    assert result.way in GENERAL
    assert result.profile == "any"
    assert "the model cannot read it" in result.note
    assert cr.decompress(tmp_path / "x.cr", out=tmp_path / "back").whole
    assert (tmp_path / "back").read_bytes() == b"[[\n"


@pytest.fixture(scope="module")
def archive(tmp_path_factory):
    """Rows of the binary table, often enough that the model beats xz."""
    place = tmp_path_factory.mktemp("archive")
    rows = np.random.default_rng(0).integers(2, size=(3000, Run.open(RUNS / "binary").encoding().domain.length))
    path = place / "rows.npy"
    np.save(path, rows.astype(np.int64))
    run = Run.open(RUNS / "binary")
    cr.compress(path, model=run, out=place / "rows.cr")
    return path, place / "rows.cr", run


def test_the_command_line_gives_the_file_back(archive, capsys, tmp_path):
    path, *_ = archive
    made = run_json(capsys, "compress", path, "--model", RUNS / "binary", "--out", tmp_path / "x.cr")
    assert made["way"] == "model"
    assert made["bytes_in"] == path.stat().st_size > made["others"]["xz"] > made["bytes_out"]
    assert made["bytes_out"] == (tmp_path / "x.cr").stat().st_size
    code, out, _ = command(capsys, "decompress", tmp_path / "x.cr", "--out", tmp_path / "back.npy")
    assert code == 0
    assert f"the same file, {path.stat().st_size:,} bytes" in out
    assert (tmp_path / "back.npy").read_bytes() == path.read_bytes()
    code, out, _ = command(
        capsys, "compress", path, "--model", RUNS / "binary", "--out", tmp_path / "x.cr", "--unchecked", "--force"
    )
    assert "not counted; portable; not decoded back" in out
    assert made["rounded"] == ["NADE"]
    assert 0 <= made["code_bytes"] - made["own_bytes"] < 1e-4 * made["own_bytes"] + 64
    assert f"NADE codes by whole numbers, a model of its own; the run's own nats are {made['own_bytes']:,.1f}" in out


def test_rows_come_from_the_groups_that_hold_them(archive, tmp_path):
    path, made, run = archive
    result = cr.decompress(made, model=run, out=tmp_path / "rows.npy", rows="1000:1010")
    assert (result.whole, result.examples) == (False, 10)
    assert (np.load(tmp_path / "rows.npy") == np.load(path)[1000:1010]).all()
    with pytest.raises(InputError, match="has 3000 examples, got --rows 2990:3001"):
        cr.decompress(made, model=run, out=tmp_path / "x.npy", rows="2990:3001")
    with pytest.raises(InputError, match="--rows is a range such as 100:200, got 'all'"):
        cr.decompress(made, model=run, out=tmp_path / "x.npy", rows="all")


def test_elements_alone_come_back_as_equal_examples(archive, tmp_path):
    path, _, run = archive
    run.compress(path, out=tmp_path / "x.cr", elements=True)
    result = run.decompress(tmp_path / "x.cr", out=tmp_path / "back.npy")
    assert not result.whole
    assert (np.load(tmp_path / "back.npy") == np.load(path)).all()
    assert (tmp_path / "back.npy").read_bytes() != path.read_bytes()


def test_a_damaged_archive_ends_with_code_3_and_writes_nothing(archive, capsys, tmp_path):
    content = archive[1].read_bytes()
    damaged = tmp_path / "x.cr"
    for changed in (content[:-1], content[:300] + bytes([content[300] ^ 1]) + content[301:], b"", content + b"more"):
        damaged.write_bytes(changed)
        code, _, err = command(capsys, "decompress", damaged, "--model", RUNS / "binary", "--out", tmp_path / "back")
        assert code == 3, err
        assert err.startswith("error: ")
        assert not (tmp_path / "back").exists()


def test_another_model_ends_with_code_4(archive, capsys, tmp_path):
    _, made, _ = archive
    code, _, err = command(capsys, "decompress", made, "--model", RUNS / "orders", "--out", tmp_path / "back")
    assert code == 4
    assert "was made with the model of" in err
    with pytest.raises(OtherModel):
        cr.decompress(made, model=RUNS / "table", out=tmp_path / "back")
    code, _, err = command(capsys, "decompress", made, "--model", tmp_path / "none", "--out", tmp_path / "back")
    assert (code, "there is no such run" in err) == (2, True)
    assert not (tmp_path / "back").exists()


def test_another_canary_is_another_machine(archive, tmp_path):
    made = read_archive(archive[1].read_bytes())
    changed = replace(made, header=made.header | {"canary": "0" * 32})
    with pytest.raises(OtherMachine, match="nothing that the archive names differs") as raised:
        decoded_file(changed, archive[2], silent)
    assert raised.value.code == 5


def changes(value):
    """A JSON value with one part of it changed, again and again."""
    if isinstance(value, dict):
        for key in value:
            yield {name: part for name, part in value.items() if name != key}
            for part in changes(value[key]):
                yield value | {key: part}
    yield from (None, -1, 0, 3, 10**12, "x", [], {}, True, 1.5)


@pytest.fixture(scope="module")
def small():
    """An archive that decodes in no time, its file and its run, which holds its model."""
    run, path = Run.open(RUNS / "binary"), DATA / FILES["binary"]
    model = run.model()
    run.model = lambda: model
    return with_model(run, path), path.read_bytes(), run


def test_a_header_that_was_changed_gives_no_other_file(small):
    """With checksums repaired: whatever comes back is the file itself."""
    sound, wanted, run = small
    refused = 0
    for header in changes(sound.header):
        if not isinstance(header, dict):
            continue
        try:
            found = read_archive(archive_bytes(deepcopy(header), list(sound.groups)))
            assert decoded_file(found, run, silent) == wanted
        except InputError:
            refused += 1
    assert refused > 100


def test_groups_that_were_changed_give_no_other_file(small):
    """With checksums repaired, but for the hash of the plain content."""
    sound, wanted, run = small
    refused, generator = 0, np.random.default_rng(0)
    for _ in range(60):
        number = int(generator.integers(len(sound.groups)))
        group = sound.groups[number]
        at = int(generator.integers(len(group.code)))
        code = group.code[:at] + bytes([group.code[at] ^ 1 << int(generator.integers(8))]) + group.code[at + 1 :]
        groups = list(sound.groups)
        groups[number] = replace(group, code=code)
        try:  # the last bits of a code may be any
            assert decoded_file(read_archive(archive_bytes(sound.header, groups)), run, silent) == wanted
        except DamagedArchive:
            refused += 1
    assert refused > 50


def test_a_portable_archive_of_a_float32_network_is_refused_by_name(archive, tmp_path):
    path, _, run = archive
    text = {"model": RUNS / "text", "out": tmp_path / "x.cr", "profile": "portable", "elements": True}
    with pytest.raises(InputError, match=r"no portable archive: the numbers of a \w+ differ in their last bits"):
        cr.compress(DATA / "text.txt", **text)
    with pytest.raises(InputError, match="unknown profile 'everywhere'"):
        cr.compress(path, model=run, out=tmp_path / "x.cr", profile="everywhere")


@pytest.mark.parametrize("name", ["binary", "table", "sequences"])
def test_a_self_contained_archive_needs_no_run(name):
    run, path = Run.open(RUNS / name), DATA / FILES[name]
    carried = carried_bytes(run)
    work = replace(work_of_file(carried_run(carried), path, 8), carried=carried)
    archive = read_archive(archive_bytes(*work.archive(silent)))
    assert archive.header["way"] == "self-contained"
    assert decoded_file(archive, run_of(archive, None), silent) == path.read_bytes()
    (group,) = archive.of_kind(MODEL)
    for damaged in (replace(group, code=group.code[:-1] + b"x"), replace(group, code=b"")):
        with pytest.raises(DamagedArchive):
            run_of(replace(archive, groups=(damaged, *archive.groups[1:])), None)
    for content in (carried[:-1], carried + b"x", carried.replace(b"float16", b"float99"), carried[:200]):
        with pytest.raises(DamagedArchive):
            carried_run(content)


def test_a_model_in_an_archive_that_cannot_compute_is_damage(monkeypatch):
    found = read_archive((GOLDEN / "archives-2" / "bits-average-portable.cr").read_bytes())
    run = run_of(found, None)

    def fails(*_):
        raise IndexError("index 7 is out of bounds")

    monkeypatch.setattr("chainrule.runs.decompress.decoded_groups", fails)
    with pytest.raises(DamagedArchive, match="cannot compute \\(index 7 is out of bounds\\)"):
        decoded_file(found, run, silent)


def test_a_self_contained_archive_is_counted_whole(archive, tmp_path):
    path, *_ = archive
    result = cr.compress(path, model=RUNS / "binary", out=tmp_path / "x.cr", self_contained=True)
    assert cr.decompress(tmp_path / "x.cr", out=tmp_path / "back.npy").whole
    assert (tmp_path / "back.npy").read_bytes() == path.read_bytes()
    assert result.way in ("self-contained", *GENERAL)
    assert result.bytes_out == (tmp_path / "x.cr").stat().st_size


def test_places_are_refused_before_anything_is_coded(archive, tmp_path):
    path, made, run = archive
    with pytest.raises(InputError, match="there is no such directory"):
        cr.compress(path, model=run, out=tmp_path / "none" / "x.cr")
    with pytest.raises(InputError, match="is what is read, and would be lost"):
        cr.compress(path, model=run, out=path)
    with pytest.raises(InputError, match="exists already"):
        cr.decompress(made, model=run)
    with pytest.raises(InputError, match="there is no such file"):
        cr.compress(tmp_path / "none.npy", model=run, out=tmp_path / "x.cr")
    with pytest.raises(InputError, match="--lanes is between"):
        cr.compress(path, model=run, out=tmp_path / "x.cr", lanes=0)


def test_a_file_that_exists_is_replaced_by_force_alone(archive, capsys, tmp_path):
    path, made, run = archive
    (tmp_path / "rows.npy").write_bytes(path.read_bytes())
    model = ("--model", RUNS / "binary")
    before = {place: b"kept" for place in (tmp_path / "rows.npy.cr", tmp_path / "x.cr", tmp_path / "back.npy")}
    for place, content in before.items():
        place.write_bytes(content)
    for words in (
        ("compress", tmp_path / "rows.npy", *model),
        ("compress", path, *model, "--out", tmp_path / "x.cr"),
        ("compress", *model, "--out", tmp_path / "x.cr"),
        ("decompress", made, *model, "--out", tmp_path / "back.npy"),
        ("decompress", made, *model, "--out", tmp_path / "back.npy", "--rows", "1:2"),
        ("decompress", made, *model),
    ):
        code, _, said = command(capsys, *words)
        assert code == 2
        assert "exists already; replace it with --force, or name another file with --out" in " ".join(said.split())
    assert all(place.read_bytes() == content for place, content in before.items())
    assert command(capsys, "compress", tmp_path / "rows.npy", *model, "--force")[0] == 0
    assert (tmp_path / "rows.npy.cr").read_bytes() == made.read_bytes()
    assert cr.decompress(tmp_path / "rows.npy.cr", model=run, force=True).out == str(tmp_path / "rows.npy")
    cr.decompress(made, model=run, out=tmp_path / "back.npy", force=True)
    assert (tmp_path / "rows.npy").read_bytes() == (tmp_path / "back.npy").read_bytes() == path.read_bytes()


def test_force_never_replaces_what_is_read(archive, tmp_path):
    path, made, run = archive
    copy = tmp_path / "rows.npy"  # an archive under the name of the file that it holds
    copy.write_bytes(made.read_bytes())
    for refused in (
        lambda: cr.compress(path, model=run, out=path, force=True),
        lambda: cr.decompress(copy, model=run, force=True),
        lambda: cr.decompress(copy, model=run, out=copy, force=True),
    ):
        with pytest.raises(InputError, match="is what is read, and would be lost"):
            refused()


@pytest.mark.parametrize("name", ["bits.csv", "bits.txt", "bits"])
def test_the_name_of_a_file_does_not_decide_whether_the_model_reads_it(tmp_path, name):
    run, path = Run.open(RUNS / "binary"), tmp_path / name
    path.write_bytes((DATA / FILES["binary"]).read_bytes())
    assert work_of_file(run, path, 8).coded is not None
    path.write_bytes(b"a,b,c,d,e,f\n" + path.read_bytes())
    work = work_of_file(run, path, 8)
    assert work.coded is None
    assert "is neither an array of NumPy nor lines of 0 and 1 with commas" in work.note


def test_a_split_of_the_runs_own_data_is_coded_by_its_elements(tmp_path, monkeypatch):
    monkeypatch.chdir(GOLDEN)
    run = Run.open(RUNS / "binary")
    result = run.compress(out=tmp_path / "test.cr")
    assert (result.bytes_in, result.examples) == (None, len(run.data().test))
    header = json.loads(json.dumps(read_archive((tmp_path / "test.cr").read_bytes()).header))
    assert "sha256" not in header["source"]
    run.decompress(tmp_path / "test.cr", out=tmp_path / "back.npy")
    assert len(np.load(tmp_path / "back.npy")) == result.examples
