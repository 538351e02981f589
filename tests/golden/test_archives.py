"""Archives of earlier versions: portable ones decode byte for byte, native ones decode or are refused by name."""

import pytest

from chainrule.coding.container import read_archive
from chainrule.errors import OtherMachine
from chainrule.runs.decompress import decoded_file, run_of
from chainrule.runs.progress import silent
from tests.golden.places import GOLDEN, RUNS

PORTABLE = {"table-portable": "table.csv", "bits-portable": "bits/bits.test.data"}
COUNTED = {"table-counts": "table.csv", "bits-counts": "bits/bits.test.data"}
NATIVE = {
    "table-native": "table.csv",
    "binary-native": "bits/bits.test.data",
    "sequences-native": "sequences.json",
    "fasta-native": "proteins.fasta",
}


def archive(name):
    return read_archive((GOLDEN / "archives" / f"{name}.cr").read_bytes())


@pytest.mark.parametrize("name", PORTABLE)
def test_a_portable_archive_is_decoded(name):
    """Its model travels in it."""
    found = archive(name)
    assert (found.header["way"], found.header["profile"]) == ("self-contained", "portable")
    assert decoded_file(found, run_of(found, None), silent) == (GOLDEN / "data" / PORTABLE[name]).read_bytes()


@pytest.mark.parametrize("name", COUNTED)
def test_an_archive_by_counts_is_decoded(name):
    """It needs no run."""
    found, path = archive(name), GOLDEN / "data" / COUNTED[name]
    assert (found.header["way"], found.header["profile"]) == ("counts", "portable")
    assert decoded_file(found, run_of(found, None), silent) == path.read_bytes()


@pytest.mark.parametrize("name", NATIVE)
def test_a_native_archive_is_decoded_or_refused_by_name(name):
    """The run is known again, whatever its configuration looks like by now."""
    found = archive(name)
    assert (found.header["way"], found.header["profile"]) == ("model", "native")
    run = run_of(found, RUNS / name.removesuffix("-native"))
    wanted = (GOLDEN / "data" / NATIVE[name]).read_bytes()
    try:
        found_again = decoded_file(found, run, silent) == wanted
    except OtherMachine as error:
        found_again = error.code == 5
    assert found_again
