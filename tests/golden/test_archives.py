"""Archives of earlier versions: portable ones decode byte for byte, native ones decode or are refused by name."""

import pytest

from chainrule.coding.container import read_archive
from chainrule.errors import OtherMachine
from chainrule.runs.decompress import decoded_file, run_of
from chainrule.runs.progress import silent
from tests.golden.make_archives import ALONE, FILES, SOURCES
from tests.golden.places import GOLDEN, RUNS

PORTABLE = {"table-portable": "table.csv", "bits-portable": "bits/bits.test.data"}
PORTABLE |= {"bits-average-portable": "bits/bits.test.data"}
PORTABLE |= {f"{name}-{net}-portable": FILES[name] for net, (name, _) in SOURCES.items()}
COUNTED = {"table-counts": "table.csv", "bits-counts": "bits/bits.test.data"}
NATIVE = {
    "table-native": "table.csv",
    "binary-native": "bits/bits.test.data",
    "sequences-native": "sequences.json",
    "fasta-native": "proteins.fasta",
}


FOLDERS = {1: "archives", 2: "archives-2"}  # by the version of their format


def archive(version, name):
    content = (GOLDEN / FOLDERS[version] / f"{name}.cr").read_bytes()
    assert content[7] == version
    return read_archive(content)


def those_of(names):
    """The archives of all versions that have some of these names."""
    found = [(n, name) for n, folder in FOLDERS.items() for name in names if (GOLDEN / folder / f"{name}.cr").exists()]
    assert {n for n, _ in found} == set(FOLDERS)
    return found


@pytest.mark.parametrize(("version", "name"), those_of(PORTABLE))
def test_a_portable_archive_is_decoded(version, name):
    """Its model travels in it."""
    found = archive(version, name)
    assert (found.header["way"], found.header["profile"]) == ("self-contained", "portable")
    assert decoded_file(found, run_of(found, None), silent) == (GOLDEN / "data" / PORTABLE[name]).read_bytes()


@pytest.mark.parametrize(("version", "name"), those_of(COUNTED))
def test_an_archive_by_counts_is_decoded(version, name):
    """It needs no run."""
    found, path = archive(version, name), GOLDEN / "data" / COUNTED[name]
    assert (found.header["way"], found.header["profile"]) == ("counts", "portable")
    assert decoded_file(found, run_of(found, None), silent) == path.read_bytes()


@pytest.mark.parametrize("name", ALONE)
def test_an_archive_by_a_general_compressor_is_decoded(name):
    found = archive(2, name)
    assert (found.header["way"], found.header["profile"]) == (name, "any")
    assert decoded_file(found, None, silent) == ALONE[name]


@pytest.mark.parametrize(("version", "name"), those_of(NATIVE))
def test_a_native_archive_is_decoded_or_refused_by_name(version, name):
    """The run is known again, whatever its configuration looks like by now."""
    found = archive(version, name)
    assert (found.header["way"], found.header["profile"]) == ("model", "native")
    run = run_of(found, RUNS / name.removesuffix("-native"))
    wanted = (GOLDEN / "data" / NATIVE[name]).read_bytes()
    try:
        found_again = decoded_file(found, run, silent) == wanted
    except OtherMachine as error:
        found_again = error.code == 5
    assert found_again
