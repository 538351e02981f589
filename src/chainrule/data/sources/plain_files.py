"""From what a person names to a plain file: pipes are read once, compressed files are unpacked, formats are told apart.

A file is known by its first bytes, never by its ending alone.
"""

from __future__ import annotations

import bz2
import contextlib
import gzip
import io
import lzma
import os
import shutil
import stat
import sys
import tempfile
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO, cast

from chainrule.data.sources.devices import refuse_device, refuse_device_behind
from chainrule.data.sources.known_binaries import HEAD, MARKS, known_ending, known_head, refuse_known_binary
from chainrule.errors import InputError

__all__ = [
    "PACKED_ENDINGS",
    "TEXT_ENDINGS",
    "as_file",
    "chunks",
    "data_ending",
    "is_compressed",
    "packing_of",
    "refuse_false_ending",
    "refuse_no_text",
    "refuse_stream",
    "stream_name",
    "unpacked",
    "unpacking",
]

CHUNK = 1 << 20  # bytes
RESERVE = 1 << 28  # bytes of a disk that are left free
PACKED = {b"\x1f\x8b": "gzip", b"BZh": "bzip2", b"\xfd7zXZ\x00": "xz", b"\x28\xb5\x2f\xfd": "zstandard"}
TEXT_ENDINGS = (
    *(".txt", ".md", ".rst", ".tex", ".html", ".css", ".xml", ".toml", ".yaml", ".yml", ".sh", ".r", ".jl"),
    *(".py", ".c", ".h", ".cc", ".cpp", ".hpp", ".rs", ".go", ".java", ".js", ".ts"),
)
PACKED_ENDINGS = (".gz", ".gzip", ".bz2", ".xz", ".zst", ".zstd")
STANDARD_INPUT = ("-", "/dev/stdin")
STREAM = "standard-input"  # the name of data that came from there
PIPE = "pipe-"  # and before the name of a pipe


def data_ending(name: str | Path) -> str:
    """The ending that says what a file holds, in lower case, without that of a compression.

    >>> data_ending("Sales.CSV.GZ"), data_ending("wine.data"), data_ending("README")
    ('.csv', '.data', '')
    """
    path = Path(str(name).lower())
    return (path.with_suffix("") if path.suffix in PACKED_ENDINGS else path).suffix


def is_compressed(path: Path) -> bool:
    """Whether the first bytes are those of gzip, bzip2, xz or zstandard."""
    return packing_of(path) is not None


@contextlib.contextmanager
def as_file(source: str | Path) -> Iterator[Path]:
    """The path of a file that can be read many times; what cannot (a pipe, a FIFO, `-`) is copied before it is read.

    source: a path, or `-` for standard input. The copy is private, keeps the name, and goes when the context ends.

    Raises InputError where there is no such file, where it is a folder, and where a copy would fill the disk.
    """
    if str(source) in STANDARD_INPUT:
        refuse_device_behind(sys.stdin.buffer, "standard input")
        with private_folder() as folder:
            yield written(folder / "standard input", chunks(sys.stdin.buffer), "standard input")
        return
    path = Path(source)
    try:
        found = path.stat()
    except (FileNotFoundError, NotADirectoryError):
        raise InputError(f"{path}: there is no such file; check the path") from None
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: cannot be opened ({error}); check the path") from None
    if stat.S_ISDIR(found.st_mode):
        raise InputError(f"{path}: is a folder, expected a file; name a file in it")
    refuse_device(found, str(path))
    if stat.S_ISREG(found.st_mode):
        yield path
        return
    with private_folder() as folder, opened(path) as file:
        yield written(folder / (path.name or "pipe"), chunks(file), str(path))


def stream_name(source: str | Path) -> str | None:
    """What data from a pipe or from standard input are called; None for a file, a folder, and what there is not.

    >>> stream_name("-"), stream_name("/no/such/file")
    ('standard-input', None)
    """
    path = Path(source)
    if str(source) in STANDARD_INPUT:
        return STREAM
    try:
        mode = path.stat().st_mode
    except (OSError, ValueError):
        return None
    once = not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)) or path.is_relative_to("/dev/fd")
    return f"{PIPE}{path.name}" if once else None


def refuse_stream(source: str) -> None:
    """Refuse the name of data that came through a pipe and are gone.

    source: a name as `stream_name` gives it, or any other, with which nothing is wrong.
    """
    if (source == STREAM or source.startswith(PIPE)) and not Path(source).exists():
        raise InputError(
            f"{source}: the data came through a pipe, which cannot be opened again; keep them in a file, and name it"
        )


def refuse_false_ending(path: Path) -> None:
    """Refuse a file that is named like a compressed one and is none. path: a file that can be read many times."""
    if path.suffix.lower() in PACKED_ENDINGS and packing_of(path) is None:
        raise InputError(f"{path}: the {path.suffix} file is damaged or not compressed; fetch it again, or rename it")


def refuse_no_text(path: Path) -> None:
    """Refuse a file that is known to be no text, also where it is compressed, and one that holds NUL characters.

    path: a file that can be read many times.

    Raises InputError, which names the format and what to do.
    """
    anyway = "fit with --symbols bytes to read bytes all the same"
    refuse_known_binary(path)
    refuse_false_ending(path)
    with unpacked(path) as file:
        head = file.read(HEAD)
    if head.startswith(MARKS):
        raise InputError(
            f"{path}: is not UTF-8 text (byte 0x{head[0]:02x} at 0) but UTF-16; write it as UTF-8: iconv -f UTF-16 -t "
            f"UTF-8 {path.name} > x.txt, or {anyway}"
        )
    if (found := known_head(head)) is not None:
        raise InputError(f"{path}: holds {found[0]}, no plain text; {found[1]}, or {anyway}")
    if b"\0" in head and (known := known_ending(path)) is not None:
        raise InputError(f"{path}: is named like {known[0]} and is no text; {known[1]}, or {anyway}")
    if b"\0" in head and data_ending(path) not in TEXT_ENDINGS:
        raise InputError(f"{path}: holds NUL characters, so it is no text; give a text or a table, or {anyway}")


@contextlib.contextmanager
def unpacked(path: Path, any_format: bool = False) -> Iterator[BinaryIO]:
    """The content of a file as a stream of bytes, unpacked where its first bytes are those of a compression.

    path: a file that can be read many times.
    any_format: whether it may be of a format that is known and not read.

    Raises InputError for a format that is known and not read (`refuse_known_binary`), and for a file that is cut off
    or damaged, when the stream comes to that place.
    """
    if not any_format:
        refuse_known_binary(path)
    packing = packing_of(path)
    with contextlib.ExitStack() as stack:
        try:
            file = stack.enter_context(path.open("rb"))
            yield stack.enter_context(unpacking(file, packing))
        except (EOFError, zlib.error, lzma.LZMAError, gzip.BadGzipFile) as error:
            raise InputError(f"{path}: the {packing} file is cut off or damaged ({error}); fetch it again") from None
        except OSError as error:
            raise InputError(f"{path}: cannot be read ({error}); fetch it again") from None


def unpacking(file: BinaryIO, packing: str | None) -> BinaryIO:
    """A stream of the content of a packed file.

    file: the file, opened.
    packing: "gzip", "bzip2", "xz" or "zstandard"; None where it is not packed.
    """
    if packing == "gzip":
        return cast(BinaryIO, gzip.GzipFile(fileobj=file))
    if packing == "bzip2":
        return cast(BinaryIO, bz2.BZ2File(file))
    if packing == "xz":
        return cast(BinaryIO, lzma.LZMAFile(file))
    if packing == "zstandard":
        import pyarrow as pa

        return cast(BinaryIO, io.BufferedReader(pa.input_stream(file, compression="zstd"), CHUNK))
    return file


def chunks(file: BinaryIO, size: int = CHUNK) -> Iterator[bytes]:
    """The content of a stream in pieces of up to `size` bytes."""
    while piece := file.read(size):
        yield piece


@contextlib.contextmanager
def private_folder() -> Iterator[Path]:
    """A temporary folder that only this user can read, removed at the end."""
    with tempfile.TemporaryDirectory(prefix="chainrule-", ignore_cleanup_errors=True) as folder:
        yield Path(folder)


def written(path: Path, pieces: Iterable[bytes], source: str) -> Path:
    """Write the pieces into a new file, as long as the disk has room; returns the path.

    path: the file.
    pieces: its content.
    source: what is copied, for the error.
    """
    with path.open("xb") as file:
        for number, piece in enumerate(pieces):
            if number % 64 == 0 and shutil.disk_usage(path.parent).free < RESERVE + 64 * len(piece):
                raise InputError(
                    f"{source}: a temporary copy needs more room than is free in {tempfile.gettempdir()}; "
                    "free some, or set TMPDIR to a larger disk"
                )
            file.write(piece)
    return path


@contextlib.contextmanager
def opened(path: Path) -> Iterator[BinaryIO]:
    """A pipe or a device, opened for one reading."""
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except OSError as error:
        raise InputError(f"{path}: cannot be opened ({error}); check the path") from None
    with open(descriptor, "rb") as file:
        yield file


def packing_of(path: Path) -> str | None:
    """The compression of a file by its first bytes: "gzip", "bzip2", "xz" or "zstandard"; None for none."""
    try:
        with path.open("rb") as file:
            first = file.read(8)
    except FileNotFoundError:
        raise InputError(f"{path}: there is no such file; check the path") from None
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error}); check the path") from None
    return next((name for magic, name in PACKED.items() if first.startswith(magic)), None)
