"""What a model does not code: bytes by a general compressor, with bounds on what they may become."""

from __future__ import annotations

import lzma

from chainrule.coding.container import SIDE, Group
from chainrule.errors import DamagedArchive

__all__ = ["packed", "side_group", "side_plain", "unpacked"]

LARGEST = 1 << 32  # bytes of a plain content

FILTERS = [{"id": lzma.FILTER_LZMA2, "preset": 9 | lzma.PRESET_EXTREME, "dict_size": 1 << 24}]
STORED, XZ = b"\0", b"\1"


def packed(plain: bytes) -> bytes:
    r"""The shorter of the bytes themselves and their xz stream, after one byte that says which.

    >>> packed(b"ab"), len(packed(b"a" * 10**6)) < 300
    (b'\x00ab', True)
    """
    squeezed = lzma.compress(plain, format=lzma.FORMAT_RAW, filters=FILTERS)
    return XZ + squeezed if len(squeezed) < len(plain) else STORED + plain


def unpacked(code: bytes, length: int) -> bytes:
    """What `packed` took in.

    code: its result.
    length: number of bytes that come out; nothing beyond it is decompressed.

    >>> unpacked(packed(b"ab" * 100), 200) == b"ab" * 100
    True
    """
    if code[:1] == STORED and len(code) - 1 == length:
        return code[1:]
    if code[:1] != XZ:
        raise DamagedArchive("a side group cannot be read; the archive is damaged, fetch it again")
    reader = lzma.LZMADecompressor(format=lzma.FORMAT_RAW, filters=FILTERS)
    try:
        plain = reader.decompress(code[1:], max_length=length + 1)
    except (lzma.LZMAError, EOFError) as error:
        raise DamagedArchive(f"a side group cannot be read ({error}); the archive is damaged") from None
    if len(plain) != length or not reader.eof:
        raise DamagedArchive("a side group has another length than it says; the archive is damaged, fetch it again")
    return plain


def side_group(plain: bytes) -> Group:
    """Bytes that no model codes, as a group."""
    return Group.of(SIDE, plain, packed(plain))


def side_plain(group: Group) -> bytes:
    """The bytes of a `side_group`, or of a model."""
    if group.plain_length > LARGEST:
        raise DamagedArchive("a side group stands in another place; the archive is damaged, fetch it again")
    return group.check(unpacked(group.code, group.plain_length))
