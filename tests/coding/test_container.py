"""The container: whatever is changed in an archive is noticed."""

import tracemalloc
from dataclasses import replace

import numpy as np
import pytest

from chainrule.coding.container import archive_bytes, read_archive
from chainrule.coding.groups import ELEMENTS, SIDE, Group
from chainrule.coding.header_bytes import header_bytes, read_header
from chainrule.coding.side import compressor_of, packed, side_plain, unpacked
from chainrule.coding.whole_numbers import number_bytes, numbers, read_length
from chainrule.errors import DamagedArchive
from tests.golden.places import GOLDEN

HEADER = {"format": 1, "rows": 12, "note": "né"}
GROUPS = [Group.of(ELEMENTS, b"elements", b"\1\2\3"), Group.of(SIDE, b"", packed(b"")), Group.of(SIDE, b"x", b"")]


def test_what_goes_in_comes_out():
    archive = read_archive(archive_bytes(HEADER, GROUPS))
    assert archive.header == HEADER
    assert archive.groups == tuple(GROUPS)
    assert archive.of_kind(SIDE) == GROUPS[1:]
    assert read_archive(archive_bytes({}, [])).groups == ()


def mutations(content, generator, count):
    """Archives with bits flipped, bytes put in and taken out, ends cut off and parts moved."""
    for n in range(count):
        at, kind = int(generator.integers(len(content))), n % 5
        if kind == 0:
            yield content[:at] + bytes([content[at] ^ 1 << int(generator.integers(8))]) + content[at + 1 :]
        elif kind == 1:
            yield content[:at] + generator.bytes(int(generator.integers(1, 9))) + content[at:]
        elif kind == 2:
            yield content[:at] + content[at + int(generator.integers(1, 9)) :]
        elif kind == 3:
            yield content[:at]
        else:
            yield content[:at] + generator.bytes(4) + content[at + 4 :]


def test_every_change_is_noticed():
    content = archive_bytes(HEADER, GROUPS)
    for changed in mutations(content, np.random.default_rng(0), 2000):
        if changed != content:
            with pytest.raises(DamagedArchive):
                read_archive(changed)


def test_a_length_beyond_the_file_is_refused_before_it_is_read():
    content = bytearray(archive_bytes(HEADER, GROUPS))
    content[8:9] = number_bytes(2**32 - 1)
    with pytest.raises(DamagedArchive, match="header would have 4294967295 bytes"):
        read_archive(bytes(content))
    with pytest.raises(DamagedArchive, match="is cut off: 999 more bytes should follow"):
        read_archive(bytes(content[:8]) + number_bytes(999) + bytes(content[13:]))


def test_a_group_with_a_repaired_checksum_is_noticed_by_its_plain_content():
    plain = b"abc" * 100
    group = Group.of(SIDE, plain, packed(plain))
    assert group.check(unpacked(group.code, group.plain_length)) == plain
    with pytest.raises(DamagedArchive, match="another content"):
        group.check(plain[::-1])


SQUEEZED = {
    "xz": np.random.default_rng(0).bytes(500) * 20,
    "bz2": b"a" * 10**5,
    "deflate": b'{"encoding":{"kind":"array","domain":{"shape":[6]',
    "stored": np.random.default_rng(1).bytes(99),
}


@pytest.mark.parametrize("name", SQUEEZED)
def test_a_side_group_gives_no_more_bytes_than_it_says(name):
    plain = SQUEEZED[name]
    code = packed(plain)
    assert compressor_of(code) == name
    assert unpacked(code, len(plain)) == plain
    for length in (0, 10, len(plain) - 1, len(plain) + 1):
        with pytest.raises(DamagedArchive):
            unpacked(code, length)
    for damaged in (b"", code[: len(code) // 2], code[:-1], code + b"x", b"\4" + code[1:]):
        with pytest.raises(DamagedArchive):
            unpacked(damaged, len(plain))


def test_another_format_says_so():
    content = archive_bytes({}, [])
    with pytest.raises(DamagedArchive, match="has format 9, this version reads 1 to 2"):
        read_archive(content[:7] + b"\x09" + content[8:])
    with pytest.raises(DamagedArchive, match="not an archive of chainrule"):
        read_archive(b"PK\3\4 and so on")


def test_a_header_of_another_archive_is_told_by_the_end():
    content, other = (archive_bytes(HEADER | {"rows": rows}, []) for rows in (57, 58))
    assert len(content) == len(other)
    with pytest.raises(DamagedArchive, match="checksum of its end"):
        read_archive(other[:-4] + content[-4:])


@pytest.mark.parametrize(
    "header",
    [
        {"name": "#16", "more": ["#", "##32", "0" * 32, "a" * 64, "A" * 64, "0" * 33]},
        {"b": {"z": "1" * 64, "a": "2" * 64}, "a": "3" * 32},
        {"é": "é", "n": None, "x": [1.5, True, []]},
    ],
)
def test_hashes_and_texts_that_look_like_their_marks_come_back(header):
    assert read_archive(archive_bytes(header, [])).header == header


def test_a_header_whose_hashes_are_fewer_or_more_than_it_names_is_refused():
    written, hashes = header_bytes({"sha256": "12" * 32})
    assert (len(hashes), read_header(written)[1]) == (32, hashes)
    for changed in (written[:-1], written + b"1", written[:-33], header_bytes({})[0][:-1], b""):
        with pytest.raises(ValueError, match=r"hash|end|Expecting"):
            read_header(changed)


def test_the_hash_of_the_file_is_held_once():
    plain = bytes(range(256)) * 4
    group = Group.of(SIDE, plain, packed(plain))
    header = {"sha256": group.digest.hex()}
    content, other = archive_bytes(header, [group]), archive_bytes({"sha256": "00" * 32}, [group])
    assert len(content) == len(other) - 32
    assert read_archive(content).groups == read_archive(other).groups == (group,)


def test_a_small_archive_is_small():
    """Header, footer and the head of one group, given a model; 64 of its bytes are hashes."""
    layout = {"anchors": [], "end": None, "lanes": 64, "longest": 64, "portable": False, "real": False}
    header = {
        "arranged": "rows",
        "canary": "1" * 32,
        "given": False,
        "layout": layout | {"stride": 64, "window": 64},
        "machine": {"cpu": "AVX2", "mkl_cbwr": "", "mkldnn": True, "processor": "x86_64", "threads": 2},
        "model": {"order": 0, "place": "runs/digits-1", "sha256": "2" * 32},
        "per_group": 4096,
        "told": False,
        "source": {"examples": 447, "name": "digits"},
        "version": "0.1.0",
        "way": "model",
        "profile": "native",
    }
    assert len(archive_bytes(header, [Group.of(ELEMENTS, b"x" * 4000, b"")])) < 140


@pytest.mark.parametrize("name", ["bits-counts", "table-native"])
def test_every_change_of_an_archive_of_the_first_format_is_noticed(name):
    content = (GOLDEN / "archives" / f"{name}.cr").read_bytes()
    assert content[7] == 1
    for changed in mutations(content, np.random.default_rng(0), 1000):
        if changed != content:
            with pytest.raises(DamagedArchive):
                read_archive(changed)


def test_a_length_that_is_missing_is_damage():
    for content in (numbers([]), numbers([1, 2]), b""):
        with pytest.raises(DamagedArchive):
            read_length(content)
    assert read_length(numbers([300]) + b"more") == (300, 3)


def bomb(length):
    """A side group of zeros, and the same with the hash of others."""
    plain = bytes(length)
    group = Group.of(SIDE, plain, packed(plain))
    return group, replace(group, digest=bytes(32))


def peak_of(action):
    """The most memory that Python takes for an action, in bytes."""
    tracemalloc.start()
    try:
        action()
    finally:
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    return peak


def test_a_long_side_group_takes_memory_only_where_its_hash_is_right():
    length = 1 << 24
    sound, forged = bomb(length)
    assert len(forged.code) < length // 4096

    def refused():
        with pytest.raises(DamagedArchive, match="another content"):
            side_plain(forged)
        with pytest.raises(DamagedArchive, match="another length"):
            side_plain(replace(sound, plain_length=length - 1))
        with pytest.raises(DamagedArchive, match="another length"):
            side_plain(replace(sound, plain_length=length + 1))

    assert peak_of(refused) < 1 << 23
    assert side_plain(sound) == bytes(length)


def test_a_side_group_has_no_more_bytes_than_the_header_allows():
    sound, _ = bomb(1000)
    assert len(side_plain(sound, 1000)) == 1000
    with pytest.raises(DamagedArchive, match="would have 1000 bytes, and at most 999 fit the header"):
        side_plain(sound, 999)
