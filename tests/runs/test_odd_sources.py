"""Without a run, every file comes back, by counts or by a general compressor, whatever is odd about it."""

import pytest

import chainrule as cr
from chainrule.coding.container import archive_bytes, read_archive
from chainrule.runs.archiving import general, work_of_counts
from chainrule.runs.decompress import decoded_file, run_of
from chainrule.runs.progress import silent
from tests.support.odd_sources import SOURCES, TABLES

FEW = (
    "mixed line ends.csv",
    "a byte order mark.csv",
    "a NUL.csv",
    "leading zeros.csv",
    "columns first.npy",
    "bits.data",
    "nothing",
)
NOT_COUNTED = {"a NUL", "UTF-16 without a mark", "latin-1", "no UTF-8", "a title twice", "rows of other lengths"}
NOT_COUNTED |= {"spaces", "nothing", "random bytes"}


def fault(path, content):
    """How a file comes back: by counts, or not; or what is wrong."""
    path.write_bytes(content)
    try:
        work = work_of_counts(path, 0, silent)
        header, groups = general(work.source, content) if work.coded is None else work.archive(silent)
        archive = read_archive(archive_bytes(header, groups))
        same = decoded_file(archive, None if work.coded is None else run_of(archive, None), silent) == content
    except Exception as error:
        return f"{type(error).__name__}: {str(error)[:200]}"
    if work.coded is None and "a general compressor does all of it: " not in work.note:
        return f"no reason: {work.note}"
    return ("counted" if work.coded is not None else "") if same else "ANOTHER FILE"


@pytest.mark.parametrize("name", FEW)
def test_some_odd_files_come_back(tmp_path, name):
    path = tmp_path / name
    path.write_bytes(SOURCES[name])
    cr.compress(path, minutes=0)
    path.unlink()
    assert cr.decompress(tmp_path / f"{name}.cr").whole
    assert path.read_bytes() == SOURCES[name]


@pytest.mark.parametrize("every", [pytest.param(5, marks=pytest.mark.slow), pytest.param(1, marks=pytest.mark.soak)])
def test_all_odd_files_come_back(tmp_path, every):
    """Or each fifth of them, which is another kind of file each time."""
    ended = {name: fault(tmp_path / name, SOURCES[name]) for name in list(SOURCES)[::every]}
    assert {name: how for name, how in ended.items() if how not in ("counted", "")} == {}
    tables = {name for name in TABLES if f"{name}.csv" in ended}
    assert {name for name in tables if not ended[f"{name}.csv"]} == NOT_COUNTED & tables
