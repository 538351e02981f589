"""What a model does not code: bytes by a general compressor, with bounds on what they may become."""

from __future__ import annotations

import bz2
import lzma
import zlib
from collections.abc import Iterator
from hashlib import sha256

from chainrule.coding.common_texts import COMMON
from chainrule.coding.groups import SIDE, Group
from chainrule.errors import DamagedArchive

__all__ = ["compressor_of", "packed", "side_group", "side_plain", "unpacked"]

LARGEST = 1 << 32  # bytes of a plain content
AT_ONCE = 1 << 20  # bytes that are decompressed before it is known that they are the right ones

WINDOW = 1 << 24  # bytes that xz looks back at most
FILTERS = [{"id": lzma.FILTER_LZMA2, "preset": 9 | lzma.PRESET_EXTREME, "dict_size": WINDOW}]
STORED, XZ, BZ2, COMMONLY = b"\0", b"\1", b"\2", b"\3"  # the last one deflated with what is common
NAMES = {STORED: "stored", XZ: "xz", BZ2: "bz2", COMMONLY: "deflate"}
SHORT = 1 << 15  # bytes up to which that is tried, as far as deflate looks back


def packed(plain: bytes) -> bytes:
    r"""The shortest of the bytes, their xz, bz2 and deflate stream, after one byte that says which.

    >>> packed(b"ab"), len(packed(b"a" * 10**6)) < 300
    (b'\x00ab', True)
    """
    few = [FILTERS[0] | {"dict_size": min(WINDOW, max(1 << 12, len(plain)))}]  # a large window takes time to set up
    by_xz = lzma.compress(plain, format=lzma.FORMAT_RAW, filters=few)
    found = [STORED + plain, XZ + by_xz, BZ2 + bz2.compress(plain)]
    if len(plain) <= SHORT:
        deflate = zlib.compressobj(9, wbits=-15, zdict=COMMON)
        found.append(COMMONLY + deflate.compress(plain) + deflate.flush())
    return min(found, key=len)


def compressor_of(code: bytes) -> str:
    """Which one `packed` took: "xz", "bz2", "deflate", or "stored" for the bytes themselves.

    >>> compressor_of(packed(b"ab"))
    'stored'
    """
    return NAMES.get(code[:1], "unknown")


def unpacked(code: bytes, length: int) -> bytes:
    """What `packed` took in.

    code: its result.
    length: number of bytes that come out; nothing beyond it is decompressed.

    >>> unpacked(packed(b"ab" * 100), 200) == b"ab" * 100
    True
    """
    if code[:1] == STORED and len(code) - 1 == length:
        return code[1:]
    if code[:1] == COMMONLY and length <= SHORT:
        return _inflated(code[1:], length)
    if code[:1] not in (XZ, BZ2):
        raise DamagedArchive("a side group cannot be read; the archive is damaged, fetch it again")
    return b"".join(_pieces(code, length))


def _inflated(code: bytes, length: int) -> bytes:
    """A short content that was deflated with what is common."""
    inflate = zlib.decompressobj(wbits=-15, zdict=COMMON)
    try:
        plain = inflate.decompress(code, length + 1)
    except zlib.error as error:
        raise DamagedArchive(f"a side group cannot be read ({error}); the archive is damaged") from None
    if len(plain) != length or not inflate.eof or inflate.unused_data:
        raise DamagedArchive("a side group has another length than it says; the archive is damaged, fetch it again")
    return plain


def _pieces(code: bytes, length: int) -> Iterator[bytes]:
    """What an xz or bz2 stream holds, some at a time; raises DamagedArchive where its length is another."""
    reader, rest, left = _decompressor(code), code[1:], length
    try:
        while not reader.eof and left >= 0:
            piece = reader.decompress(rest, max_length=min(AT_ONCE, left + 1))
            rest, left = b"", left - len(piece)
            if not piece and reader.needs_input:
                break
            yield piece
    except (lzma.LZMAError, EOFError, OSError) as error:
        raise DamagedArchive(f"a side group cannot be read ({error}); the archive is damaged") from None
    if left or not reader.eof or reader.unused_data:
        raise DamagedArchive("a side group has another length than it says; the archive is damaged, fetch it again")


def _decompressor(code: bytes) -> lzma.LZMADecompressor | bz2.BZ2Decompressor:
    if code[:1] == BZ2:
        return bz2.BZ2Decompressor()
    return lzma.LZMADecompressor(format=lzma.FORMAT_RAW, filters=FILTERS)


def side_group(plain: bytes) -> Group:
    """Bytes that no model codes, as a group."""
    return Group.of(SIDE, plain, packed(plain))


def side_plain(group: Group, most: int = LARGEST) -> bytes:
    """The bytes of a `side_group`, or of a model.

    group: the group. A long content is decompressed twice, so that memory is taken only for one whose hash is right.
    most: number of bytes that it may have.
    """
    if group.plain_length > min(most, LARGEST):
        raise DamagedArchive(
            f"a side group would have {group.plain_length} bytes, and at most {min(most, LARGEST)} fit the header; "
            "the archive is damaged, fetch it again"
        )
    if group.plain_length > AT_ONCE and group.code[:1] in (XZ, BZ2):
        digest = sha256()
        for piece in _pieces(group.code, group.plain_length):
            digest.update(piece)
        group.check_digest(digest.digest())
    return group.check(unpacked(group.code, group.plain_length))
