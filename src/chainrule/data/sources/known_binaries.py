"""Formats that are neither text nor a delimited table, known by their first bytes or their ending, refused by name."""

from __future__ import annotations

from pathlib import Path

from chainrule.data.sources.known_formats import ENDINGS, MAGIC, UNPACK, ZIPPED, Known
from chainrule.errors import InputError

__all__ = ["HEAD", "MARKS", "known_binary", "known_ending", "known_head", "refuse_known_binary"]

HEAD = 4096
MARKS = (b"\xff\xfe", b"\xfe\xff")  # of UTF-16, which tables may be written in
NEVER_PROSE = (b"%PDF-", b"{\\rtf", b"%!PS", b"SIMPLE  =  ", b"<stata_dta>")  # enough by themselves
RARE = bytes({*range(8), *range(14, 26), *range(28, 32)})  # bytes that text files do not have


def known_binary(path: Path) -> Known | None:
    """The name of a format that is neither text nor a delimited table, and what to do; None for anything else.

    Compressed files (gzip, bzip2, xz, zstandard) are not among them: they are unpacked. Text in UTF-16 is none of them.
    """
    try:
        with path.open("rb") as file:
            head = file.read(HEAD)
            size = file.seek(0, 2)
    except FileNotFoundError:
        raise InputError(f"{path}: there is no such file; check the path") from None
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error}); check the path") from None
    if (found := known_head(head)) is not None:
        return found
    if head.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        return _zipped(path, head)
    length = int.from_bytes(head[:8], "little")
    if head[8:10] in (b'{"', b"{}") and 2 <= length <= size - 8:
        return "a safetensors file", "give data, not a model"
    return None


def known_head(head: bytes) -> Known | None:
    """The same by the first bytes alone; words that also begin a text need bytes that no text has.

    head: at least 512 bytes, or all.
    """
    binary = len(head.translate(None, RARE)) < len(head)
    for place, magic, name, remedy in MAGIC:
        if head[place : place + len(magic)] == magic and (binary or magic in NEVER_PROSE or not magic.isascii()):
            return name, remedy
    if head[:2] == b"BM" and head[6:10] == bytes(4):
        return "a BMP picture", "give the folder of pictures"
    return None


def known_ending(path: Path) -> Known | None:
    """The same by the ending of the name, which says nothing of the content."""
    return ENDINGS.get(path.suffix.lower())


def refuse_known_binary(path: Path) -> None:
    """Refuse a file of a format that is known and is neither text nor a delimited table.

    Raises InputError, which names the format and what to do.
    """
    found = known_binary(path)
    if found is not None:
        raise InputError(f"{path}: is {found[0]}, not text or a delimited table; {found[1]}")


def _zipped(path: Path, head: bytes) -> Known:
    """What a zip file is by the names of the files in it."""
    import zipfile

    names: list[str] = []
    try:
        with zipfile.ZipFile(path) as archive:
            names = [name for name in archive.namelist() if not name.endswith("/")]
    except (zipfile.BadZipFile, OSError, NotImplementedError, ValueError):
        pass  # cut off: the first names stand in the head
    listed = "\n".join(names).encode(errors="surrogatepass") or head
    for part, name, remedy in ZIPPED:
        if part in listed:
            return name, remedy
    if len(names) == 1:
        return f"a zip archive of one file, {names[0]}", "unpack it with unzip, and name that file"
    return known_ending(path) or ("a zip archive", UNPACK)
