r"""The archive: a header, groups and a footer, so made that no damage passes unnoticed.

    magic     \x89 C R \r \n \x1a \n, version of the format (u8)
    header    length (u32), CRC-32 (u32), JSON, deflated with the dictionary below
    group     kind (u8), number (u32), length of the plain content (u64) and of the code (u64), CRC-32 of these and of
              the code (u32), SHA-256 of the plain content; the code
    footer    "CREND", number of groups (u32), length of the archive (u64), CRC-32 of these and of the header (u32)

All numbers are little-endian. Every length is compared with what the file still holds before anything is read.
"""

from __future__ import annotations

import json
import struct
from dataclasses import dataclass
from hashlib import sha256
from typing import Any
from zlib import compressobj, crc32, decompressobj, error

from chainrule.errors import DamagedArchive, InputError

__all__ = ["ELEMENTS", "FORMAT", "MODEL", "SIDE", "Archive", "Group", "archive_bytes", "read_archive"]

FORMAT = 1
MAGIC = b"\x89CR\r\n\x1a\n"
ELEMENTS, SIDE, MODEL = 0, 1, 2  # kinds of groups: elements coded with a model; what none codes; the model itself
LENGTHS = struct.Struct("<II")
HEAD = struct.Struct("<BIQQ")
SEAL = struct.Struct("<I32s")
END = b"CREND"
TAIL = struct.Struct("<5sIQ")
MOST_HEADER, MOST_PLAIN = 1 << 24, 1 << 40  # bytes that a sound archive of ours may have
DICTIONARY = (  # what headers of this format have in common; it is part of the format
    b'{"arranged":"sequences","stream","rows","canary":"","given":true,"told":true,"given":false,"layout":{"anchors":[],'
    b'"end":null,"lanes":64,"longest":64,"portable":true,"portable":false,"real":true,"real":false,"stride":64,"window":64},"machine":{"cpu":"DEFAULT",'
    b'"AVX512","AVX2","mkl_cbwr":"","mkldnn":true,"numpy":"2.4.6","processor":"arm64","aarch64","x86_64","threads":2,'
    b'"threads":1,"torch":"2.13.0+cpu"},"model":{"order":0,"place":"runs/digits-1","sha256":"0123456789abcdef"},'
    b'"per_group":4096,"profile":"any","portable","native","sequences":1000,"source":{"bytes":1000,"examples":1000,'
    b'"name":"table.csv","sha256":""},"told":false,"version":"0.1.0","way":"xz","model"}'
)


@dataclass(frozen=True)
class Group:
    """A part of an archive that is decoded by itself.

    kind: ELEMENTS, SIDE or MODEL.
    plain_length: number of bytes of what it stands for.
    digest: their SHA-256.
    code: the compressed bytes.
    """

    kind: int
    plain_length: int
    digest: bytes
    code: bytes

    @classmethod
    def of(cls, kind: int, plain: bytes, code: bytes) -> Group:
        """The group of a plain content and its code."""
        return cls(kind, len(plain), sha256(plain).digest(), code)

    def check(self, plain: bytes, why: str = "the archive is damaged, fetch it again") -> bytes:
        """The plain content itself; raises DamagedArchive where it is not what went in. why: how the error ends."""
        if len(plain) != self.plain_length:
            raise DamagedArchive(f"a group decodes to another length than was compressed; {why}")
        self.check_digest(sha256(plain).digest(), why)
        return plain

    def check_digest(self, digest: bytes, why: str = "the archive is damaged, fetch it again") -> None:
        """Raise DamagedArchive where a SHA-256 is not that of the plain content. why: how the error ends."""
        if digest != self.digest:
            raise DamagedArchive(f"a group decodes to another content than was compressed; {why}")


@dataclass(frozen=True)
class Archive:
    """What `read_archive` found: the header and the groups in their order."""

    header: dict[str, Any]
    groups: tuple[Group, ...]

    def of_kind(self, kind: int) -> list[Group]:
        """The groups of one kind, in their order."""
        return [group for group in self.groups if group.kind == kind]


def archive_bytes(header: dict[str, Any], groups: list[Group]) -> bytes:
    """The content of an archive.

    >>> read_archive(archive_bytes({"a": 1}, [Group.of(SIDE, b"plain", b"code")])).header
    {'a': 1}
    """
    said = json.dumps(header, separators=(",", ":"), sort_keys=True, allow_nan=False).encode()
    if len(said) > MOST_HEADER:
        raise InputError(f"the header of an archive has {len(said)} bytes, at most {MOST_HEADER}; compress fewer")
    deflate = compressobj(9, wbits=-15, zdict=DICTIONARY)
    written = deflate.compress(said) + deflate.flush()
    parts = [MAGIC, bytes([FORMAT]), LENGTHS.pack(len(written), crc32(written)), written]
    for number, group in enumerate(groups):
        head = HEAD.pack(group.kind, number, group.plain_length, len(group.code))
        seal = SEAL.pack(crc32(group.code, crc32(head + group.digest)), group.digest)
        parts += [head, seal, group.code]
    tail = TAIL.pack(END, len(groups), sum(map(len, parts)) + TAIL.size + 4)
    return b"".join([*parts, tail, struct.pack("<I", crc32(tail, crc32(written)))])


def read_archive(content: bytes, what: str = "the archive") -> Archive:
    """The header and the groups of an archive, all of whose checksums fit.

    content: the bytes of the file.
    what: how errors call it.

    Raises DamagedArchive for whatever `archive_bytes` does not write.
    """
    start = len(MAGIC) + 1 + LENGTHS.size
    if content[: len(MAGIC)] != MAGIC:
        raise DamagedArchive(
            f"{what}: is not an archive of chainrule (it starts with {content[:8].hex() or 'nothing'})"
        )
    if len(content) < start + TAIL.size + 4:
        raise _damaged(what, "it is cut off")
    if content[len(MAGIC)] != FORMAT:
        raise DamagedArchive(f"{what}: has format {content[len(MAGIC)]}, this version reads {FORMAT}; update chainrule")
    length, check = LENGTHS.unpack_from(content, len(MAGIC) + 1)
    if length > min(MOST_HEADER, len(content) - start - TAIL.size - 4):
        raise _damaged(what, f"its header would have {length} bytes")
    written = content[start : start + length]
    if crc32(written) != check:
        raise _damaged(what, "the checksum of its header differs")
    header = _header(written, what)
    groups, place = _groups(content, start + length, what)
    tail = content[place : place + TAIL.size]
    _, count, total = TAIL.unpack(tail)
    if content[place + TAIL.size :] != struct.pack("<I", crc32(tail, crc32(written))):
        raise _damaged(what, "the checksum of its end differs")
    if count != len(groups) or total != len(content):
        raise _damaged(what, f"it has {len(groups)} groups in {len(content)} bytes, its end says {count} in {total}")
    return Archive(header, tuple(groups))


def _header(written: bytes, what: str) -> dict[str, Any]:
    inflate = decompressobj(wbits=-15, zdict=DICTIONARY)
    try:
        header = json.loads(inflate.decompress(written, MOST_HEADER))
    except (ValueError, RecursionError, error) as problem:
        raise _damaged(what, f"its header cannot be read ({problem})") from None
    if not isinstance(header, dict):
        raise _damaged(what, "its header is not an object")
    return header


def _groups(content: bytes, place: int, what: str) -> tuple[list[Group], int]:
    """The groups from a place on, and the place of the footer."""
    groups: list[Group] = []
    last = len(content) - TAIL.size - 4
    while content[place : place + len(END)] != END or place != last:
        if place + HEAD.size + SEAL.size > last:
            raise _damaged(what, "it is cut off, or something stands behind its end")
        head = content[place : place + HEAD.size]
        kind, number, plain_length, length = HEAD.unpack(head)
        check, digest = SEAL.unpack_from(content, place + HEAD.size)
        place += HEAD.size + SEAL.size
        if (
            kind not in (ELEMENTS, SIDE, MODEL)
            or number != len(groups)
            or plain_length > MOST_PLAIN
            or length > last - place
        ):
            raise _damaged(what, f"the head of group {len(groups)} cannot be read")
        code = content[place : place + length]
        if crc32(code, crc32(head + digest)) != check:
            raise _damaged(what, f"the checksum of group {number} differs")
        groups.append(Group(kind, plain_length, digest, code))
        place += length
    return groups, place


def _damaged(what: str, why: str) -> DamagedArchive:
    return DamagedArchive(f"{what}: is damaged: {why}; fetch it again")
