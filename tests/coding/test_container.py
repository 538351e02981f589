"""The container: whatever is changed in an archive is noticed."""

import struct
import tracemalloc
from dataclasses import replace

import numpy as np
import pytest

from chainrule.coding.container import ELEMENTS, SIDE, Group, archive_bytes, read_archive
from chainrule.coding.patch import numbers, read_length
from chainrule.coding.side import packed, side_plain, unpacked
from chainrule.errors import DamagedArchive

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
    for changed in mutations(content, np.random.default_rng(0), 5000):
        if changed != content:
            with pytest.raises(DamagedArchive):
                read_archive(changed)


def test_a_length_beyond_the_file_is_refused_before_it_is_read():
    content = bytearray(archive_bytes(HEADER, GROUPS))
    struct.pack_into("<I", content, 8, 2**32 - 1)
    with pytest.raises(DamagedArchive, match="header would have 4294967295 bytes"):
        read_archive(bytes(content))


def test_a_group_with_a_repaired_checksum_is_noticed_by_its_plain_content():
    plain = b"abc" * 100
    group = Group.of(SIDE, plain, packed(plain))
    assert group.check(unpacked(group.code, group.plain_length)) == plain
    with pytest.raises(DamagedArchive, match="another content"):
        group.check(plain[::-1])


def test_a_side_group_gives_no_more_bytes_than_it_says():
    code = packed(b"a" * 10**6)
    for length in (0, 10, 10**6 - 1, 10**6 + 1):
        with pytest.raises(DamagedArchive):
            unpacked(code, length)
    with pytest.raises(DamagedArchive):
        unpacked(b"", 0)
    with pytest.raises(DamagedArchive):
        unpacked(code[:50], 10**6)


def test_another_format_says_so():
    content = archive_bytes({}, [])
    with pytest.raises(DamagedArchive, match="has format 9, this version reads 1"):
        read_archive(content[:7] + b"\x09" + content[8:])
    with pytest.raises(DamagedArchive, match="not an archive of chainrule"):
        read_archive(b"PK\3\4 and so on")


def test_a_header_of_another_archive_is_told_by_the_end():
    content, other = archive_bytes(HEADER, []), archive_bytes(HEADER | {"rows": 13}, [])
    assert len(content) == len(other)
    with pytest.raises(DamagedArchive, match="checksum of its end"):
        read_archive(other[:-21] + content[-21:])


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
    length = 1 << 26
    sound, forged = bomb(length)
    assert len(forged.code) < length // 4096

    def refused():
        with pytest.raises(DamagedArchive, match="another content"):
            side_plain(forged)
        with pytest.raises(DamagedArchive, match="another length"):
            side_plain(replace(sound, plain_length=length - 1))
        with pytest.raises(DamagedArchive, match="another length"):
            side_plain(replace(sound, plain_length=length + 1))

    assert peak_of(refused) < 1 << 25
    assert side_plain(sound) == bytes(length)


def test_a_side_group_has_no_more_bytes_than_the_header_allows():
    sound, _ = bomb(1000)
    assert len(side_plain(sound, 1000)) == 1000
    with pytest.raises(DamagedArchive, match="would have 1000 bytes, and at most 999 fit the header"):
        side_plain(sound, 999)
