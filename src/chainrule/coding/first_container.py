r"""Archives of the first format, which are read, not written any more.

    magic     \x89 C R \r \n \x1a \n, 1 (u8)
    header    length (u32), CRC-32 (u32), JSON, deflated with the dictionary below
    group     kind (u8), number (u32), length of the plain content (u64) and of the code (u64), CRC-32 of these and of
              the code (u32), SHA-256 of the plain content; the code
    footer    "CREND", number of groups (u32), length of the archive (u64), CRC-32 of these and of the header (u32)

All numbers are little-endian.
"""

from __future__ import annotations

import json
import struct
from typing import Any
from zlib import crc32, decompressobj, error

from chainrule.coding.groups import LARGEST_HEADER, Archive, Group, damage, group_of

__all__ = ["read_first"]

BEGIN = 8  # bytes of the magic and the version
LENGTHS = struct.Struct("<II")
HEAD = struct.Struct("<BIQQ")
SEAL = struct.Struct("<I32s")
END = b"CREND"
TAIL = struct.Struct("<5sIQ")
DICTIONARY = (  # what headers of this format have in common; it is part of the format
    b'{"arranged":"sequences","stream","rows","canary":"","given":true,"told":true,"given":false,"layout":{"anchors":[],'
    b'"end":null,"lanes":64,"longest":64,"portable":true,"portable":false,"real":true,"real":false,"stride":64,"window":64},"machine":{"cpu":"DEFAULT",'
    b'"AVX512","AVX2","mkl_cbwr":"","mkldnn":true,"numpy":"2.4.6","processor":"arm64","aarch64","x86_64","threads":2,'
    b'"threads":1,"torch":"2.13.0+cpu"},"model":{"order":0,"place":"runs/digits-1","sha256":"0123456789abcdef"},'
    b'"per_group":4096,"profile":"any","portable","native","sequences":1000,"source":{"bytes":1000,"examples":1000,'
    b'"name":"table.csv","sha256":""},"told":false,"version":"0.1.0","way":"xz","model"}'
)


def read_first(content: bytes, what: str) -> Archive:
    """The archive of a content that has the magic and the version of this format.

    content: the bytes of the file.
    what: how errors call it.
    """
    start = BEGIN + LENGTHS.size
    if len(content) < start + TAIL.size + 4:
        raise damage(what, "it is cut off")
    length, check = LENGTHS.unpack_from(content, BEGIN)
    if length > min(LARGEST_HEADER, len(content) - start - TAIL.size - 4):
        raise damage(what, f"its header would have {length} bytes")
    written = content[start : start + length]
    if crc32(written) != check:
        raise damage(what, "the checksum of its header differs")
    header = _header(written, what)
    groups, place = _groups(content, start + length, what)
    tail = content[place : place + TAIL.size]
    _, count, total = TAIL.unpack(tail)
    if content[place + TAIL.size :] != struct.pack("<I", crc32(tail, crc32(written))):
        raise damage(what, "the checksum of its end differs")
    if count != len(groups) or total != len(content):
        raise damage(what, f"it has {len(groups)} groups in {len(content)} bytes, its end says {count} in {total}")
    return Archive(header, tuple(groups))


def _header(written: bytes, what: str) -> dict[str, Any]:
    inflate = decompressobj(wbits=-15, zdict=DICTIONARY)
    try:
        header = json.loads(inflate.decompress(written, LARGEST_HEADER))
    except (ValueError, RecursionError, error) as problem:
        raise damage(what, f"its header cannot be read ({problem})") from None
    if not isinstance(header, dict):
        raise damage(what, "its header is not an object")
    return header


def _groups(content: bytes, place: int, what: str) -> tuple[list[Group], int]:
    """The groups from a place on, and the place of the footer."""
    groups: list[Group] = []
    last = len(content) - TAIL.size - 4
    while content[place : place + len(END)] != END or place != last:
        if place + HEAD.size + SEAL.size > last:
            raise damage(what, "it is cut off, or something stands behind its end")
        head = content[place : place + HEAD.size]
        kind, number, plain_length, length = HEAD.unpack(head)
        check, digest = SEAL.unpack_from(content, place + HEAD.size)
        place += HEAD.size + SEAL.size
        if number != len(groups) or length > last - place:
            raise damage(what, f"the head of group {len(groups)} cannot be read")
        code = content[place : place + length]
        if crc32(code, crc32(head + digest)) != check:
            raise damage(what, f"the checksum of group {number} differs")
        groups.append(group_of(kind, plain_length, digest, code, f"{what}: group {number}"))
        place += length
    return groups, place
