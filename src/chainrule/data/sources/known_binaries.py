"""Formats that are neither text nor a delimited table, known by their first bytes and refused by name."""

from __future__ import annotations

from pathlib import Path

from chainrule.errors import InputError

__all__ = ["HEAD", "known_binary", "known_head", "refuse_known_binary"]

SAVE = "save the sheet as CSV"
UNPACK = "unpack it, and name a file in it"
MAGIC = (  # where it stands, the bytes, the name, what to do
    (0, b"%PDF-", "a PDF document", "extract its text first, for example with pdftotext"),
    (0, b"SQLite format 3\x00", "an SQLite database", "export a table: sqlite3 -header -csv FILE 'select ...' > x.csv"),
    (0, b"\x89HDF\r\n\x1a\n", "an HDF5 file", "write the array as .npy, or the table as Parquet"),
    (0, b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "an old Excel or Office file", SAVE),
    (0, b"7z\xbc\xaf\x27\x1c", "a 7z archive", UNPACK),
    (0, b"Rar!\x1a\x07", "a RAR archive", UNPACK),
    (257, b"ustar", "a tar archive", UNPACK),
    (0, b"\x04\x22\x4d\x18", "an lz4 file", "unpack it with lz4 -d"),
    (0, b"\x1f\x9d", "a file of compress (.Z)", "unpack it with gzip -d"),
    (0, b"PAR1", "a Parquet file", "name it .parquet"),
    (0, b"ARROW1", "an Arrow file", "name it .arrow"),
    (0, b"FEA1", "a Feather file of version 1", "write it again as .parquet"),
    (0, b"\x93NUMPY", "a NumPy array", "name it .npy"),
    (0, b"GGUF", "a GGUF model", "give data, not a model"),
    (0, b"\x80\x02", "a pickle", "write the data as CSV, Parquet or .npy"),
    (0, b"\x80\x03", "a pickle", "write the data as CSV, Parquet or .npy"),
    (0, b"\x80\x04\x95", "a pickle", "write the data as CSV, Parquet or .npy"),
    (0, b"\x80\x05\x95", "a pickle", "write the data as CSV, Parquet or .npy"),
    (0, b"\x89PNG\r\n\x1a\n", "a PNG picture", "give the folder of pictures"),
    (0, b"\xff\xd8\xff", "a JPEG picture", "give the folder of pictures"),
    (0, b"GIF8", "a GIF picture", "give the folder of pictures"),
    (0, b"\x7fELF", "a program", "give data"),
)
ZIPPED = (
    (b"xl/", "an Excel workbook (.xlsx)", SAVE),
    (b"word/", "a Word document", "save it as plain text"),
    (b"ppt/", "a PowerPoint file", "save it as plain text"),
    (b"content.xml", "an OpenDocument file", "save the sheet as CSV, the document as plain text"),
    (b".npy", "a NumPy archive (.npz)", "name it .npz"),
)
HEAD = 4096


def known_binary(path: Path) -> tuple[str, str] | None:
    """The name of a format that is neither text nor a delimited table, and what to do; None for anything else.

    Compressed files (gzip, bzip2, xz, zstandard) are not among them: they are unpacked.
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


def known_head(head: bytes) -> tuple[str, str] | None:
    """The same by the first bytes alone. head: at least 512 bytes, or all."""
    for place, magic, name, remedy in MAGIC:
        if head[place : place + len(magic)] == magic:
            return name, remedy
    return None


def refuse_known_binary(path: Path) -> None:
    """Refuse a file of a format that is known and is neither text nor a delimited table.

    Raises InputError, which names the format and what to do.
    """
    found = known_binary(path)
    if found is not None:
        raise InputError(f"{path}: is {found[0]}, not text or a delimited table; {found[1]}")


def _zipped(path: Path, head: bytes) -> tuple[str, str]:
    import zipfile

    names = head
    try:
        with zipfile.ZipFile(path) as archive:
            names = "\n".join(archive.namelist()).encode()
    except (zipfile.BadZipFile, OSError, NotImplementedError):
        pass  # cut off: the first names stand in the head
    for part, name, remedy in ZIPPED:
        if part in names:
            return name, remedy
    return "a zip archive", UNPACK
