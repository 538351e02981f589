r"""The archive: a header, groups and a footer, so made that no damage passes unnoticed.

    magic     \x89 C R \r \n \x1a \n, version of the format (u8)
    header    length, CRC-32, the bytes of `header_bytes`
    group     kind (u8), length of the plain content and of the code; CRC-32 of the number of the group, of these, of
              the SHA-256 and of the code; SHA-256 of the plain content; the code
    footer    255 (u8), number of groups, length of all before the footer; CRC-32 of these and of the header

Lengths and numbers are whole numbers in bytes of seven bits, CRC-32 are u32, little-endian. Where the SHA-256 of a
group is the last hash of the header (that of the file itself), 128 is added to its kind, and it is not repeated. Every
length is compared with what the file still holds before anything is read.
"""

from __future__ import annotations

import struct
from typing import Any
from zlib import crc32

from chainrule.coding.first_container import read_first
from chainrule.coding.groups import LARGEST_HEADER, Archive, Group, damage, group_of
from chainrule.coding.header_bytes import header_bytes, read_header
from chainrule.coding.whole_numbers import number_bytes, read_number
from chainrule.errors import DamagedArchive, InputError

__all__ = ["FORMAT", "archive_bytes", "read_archive"]

FORMAT = 2
MAGIC = b"\x89CR\r\n\x1a\n"
END, HELD = 255, 128
CHECK = struct.Struct("<I")
DIGEST = 32


def archive_bytes(header: dict[str, Any], groups: list[Group]) -> bytes:
    """The content of an archive.

    >>> read_archive(archive_bytes({"a": 1}, [Group.of(1, b"plain", b"code")])).header
    {'a': 1}
    """
    written, hashes = header_bytes(header)
    if len(written) > LARGEST_HEADER:
        raise InputError(f"the header of an archive has {len(written)} bytes, at most {LARGEST_HEADER}; compress fewer")
    parts = [MAGIC, bytes([FORMAT]), number_bytes(len(written)), CHECK.pack(crc32(written)), written]
    for number, group in enumerate(groups):
        held = group.digest == hashes[-DIGEST:]
        head = bytes([group.kind | HELD * held]) + number_bytes(group.plain_length) + number_bytes(len(group.code))
        check = _check(number, head, group.digest, group.code)
        parts += [head, CHECK.pack(check), b"" if held else group.digest, group.code]
    tail = bytes([END]) + number_bytes(len(groups)) + number_bytes(sum(map(len, parts)))
    return b"".join([*parts, tail, CHECK.pack(crc32(tail, crc32(written)))])


def read_archive(content: bytes, what: str = "the archive") -> Archive:
    """The header and the groups of an archive, all of whose checksums fit.

    content: the bytes of the file.
    what: how errors call it.

    Raises DamagedArchive for whatever `archive_bytes` of this version or an earlier one does not write.
    """
    if content[: len(MAGIC)] != MAGIC:
        raise DamagedArchive(
            f"{what}: is not an archive of chainrule (it starts with {content[:8].hex() or 'nothing'})"
        )
    version = content[len(MAGIC)] if len(content) > len(MAGIC) else FORMAT
    if version == 1:
        return read_first(content, what)
    if version != FORMAT:
        raise DamagedArchive(f"{what}: has format {version}, this version reads 1 to {FORMAT}; update chainrule")
    return _Reader(content, what).archive()


def _check(number: int, head: bytes, digest: bytes, code: bytes) -> int:
    """The CRC-32 of a group."""
    return crc32(code, crc32(digest, crc32(head, crc32(number_bytes(number)))))


class _Reader:
    """Reads an archive from its beginning to its end.

    content: the bytes of the file.
    what: how errors call it.
    """

    def __init__(self, content: bytes, what: str) -> None:
        self.content, self.what, self.place = content, what, len(MAGIC) + 1

    def archive(self) -> Archive:
        """The header and the groups."""
        length = self._number()
        check = self._taken(CHECK.size)
        if length > LARGEST_HEADER:
            raise damage(self.what, f"its header would have {length} bytes")
        written = self._taken(length)
        if CHECK.pack(crc32(written)) != check:
            raise damage(self.what, "the checksum of its header differs")
        try:
            header, hashes = read_header(written)
        except ValueError as problem:
            raise damage(self.what, f"its header cannot be read ({problem})") from None
        groups: list[Group] = []
        while self.content[self.place : self.place + 1] != bytes([END]):
            groups.append(self._group(len(groups), hashes[-DIGEST:]))
        begin = self.place
        self.place += 1
        count, total = self._number(), self._number()
        tail = self.content[begin : self.place]
        if self._taken(CHECK.size) != CHECK.pack(crc32(tail, crc32(written))):
            raise damage(self.what, "the checksum of its end differs")
        if (count, total, self.place) != (len(groups), begin, len(self.content)):
            raise damage(self.what, f"its end says {count} groups in {total} bytes, which is not so")
        return Archive(header, tuple(groups))

    def _group(self, number: int, held: bytes) -> Group:
        """The next group. held: the last hash of the header."""
        begin = self.place
        kind = self._taken(1)[0]
        plain_length, length = self._number(), self._number()
        head = self.content[begin : self.place]
        check = self._taken(CHECK.size)
        digest = held if kind & HELD else self._taken(DIGEST)
        code = self._taken(length)
        if len(digest) != DIGEST or CHECK.pack(_check(number, head, digest, code)) != check:
            raise damage(self.what, f"the checksum of group {number} differs")
        return group_of(kind & ~HELD, plain_length, digest, code, f"{self.what}: group {number}")

    def _number(self) -> int:
        try:
            value, self.place = read_number(self.content, self.place)
        except DamagedArchive:
            raise damage(self.what, f"a number is cut off at byte {self.place}") from None
        return value

    def _taken(self, count: int) -> bytes:
        """The next bytes; raises DamagedArchive where there are fewer."""
        if count > len(self.content) - self.place:
            raise damage(self.what, f"it is cut off: {count} more bytes should follow at byte {self.place}")
        begin, self.place = self.place, self.place + count
        return self.content[begin : self.place]
