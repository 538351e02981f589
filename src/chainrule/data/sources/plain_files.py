"""From what a person names to a plain file: pipes are read once, compressed files are unpacked, formats are told apart.

A file is known by its first bytes, never by its ending alone.
"""

from __future__ import annotations

import bz2
import contextlib
import gzip
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

from chainrule.data.sources.known_binaries import refuse_known_binary
from chainrule.errors import InputError

__all__ = ["as_file", "chunks", "data_ending", "is_compressed", "unpacked"]

CHUNK = 1 << 20  # bytes
RESERVE = 1 << 28  # bytes of a disk that are left free
PACKED = {b"\x1f\x8b": "gzip", b"BZh": "bzip2", b"\xfd7zXZ\x00": "xz", b"\x28\xb5\x2f\xfd": "zstandard"}
PACKED_ENDINGS = (".gz", ".gzip", ".bz2", ".xz", ".zst", ".zstd")
STANDARD_INPUT = "-"


def data_ending(name: str | Path) -> str:
    """The ending that says what a file holds, in lower case, without that of a compression.

    >>> data_ending("Sales.CSV.GZ"), data_ending("wine.data"), data_ending("README")
    ('.csv', '.data', '')
    """
    path = Path(str(name).lower())
    return (path.with_suffix("") if path.suffix in PACKED_ENDINGS else path).suffix


def is_compressed(path: Path) -> bool:
    """Whether the first bytes are those of gzip, bzip2, xz or zstandard."""
    return _packing(path) is not None


@contextlib.contextmanager
def as_file(source: str | Path) -> Iterator[Path]:
    """The path of a file that can be read many times; what cannot (a pipe, a FIFO, `-`) is copied before it is read.

    source: a path, or `-` for standard input. The copy is private, keeps the name, and goes when the context ends.

    Raises InputError where there is no such file, where it is a folder, and where a copy would fill the disk.
    """
    if str(source) == STANDARD_INPUT:
        with private_folder() as folder:
            yield written(folder / "standard input", chunks(sys.stdin.buffer), "standard input")
        return
    path = Path(source)
    try:
        mode = path.stat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        raise InputError(f"{path}: there is no such file; check the path") from None
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: cannot be opened ({error}); check the path") from None
    if stat.S_ISDIR(mode):
        raise InputError(f"{path}: is a folder, expected a file; name a file in it")
    if stat.S_ISREG(mode):
        yield path
        return
    with private_folder() as folder, opened(path) as file:
        yield written(folder / (path.name or "pipe"), chunks(file), str(path))


@contextlib.contextmanager
def unpacked(path: Path) -> Iterator[BinaryIO]:
    """The content of a file as a stream of bytes, unpacked where its first bytes are those of a compression.

    path: a file that can be read many times.

    Raises InputError for a format that is known and not read (`refuse_known_binary`), and for a file that is cut off
    or damaged, when the stream comes to that place.
    """
    refuse_known_binary(path)
    packing = _packing(path)
    with contextlib.ExitStack() as stack:
        try:
            yield stack.enter_context(_stream(path, packing))
        except (EOFError, zlib.error, lzma.LZMAError, gzip.BadGzipFile) as error:
            raise InputError(f"{path}: the {packing} file is cut off or damaged ({error}); fetch it again") from None
        except OSError as error:
            raise InputError(f"{path}: cannot be read ({error}); fetch it again") from None


def _stream(path: Path, packing: str | None) -> BinaryIO:
    if packing == "gzip":
        return cast(BinaryIO, gzip.open(path, "rb"))
    if packing == "bzip2":
        return cast(BinaryIO, bz2.open(path, "rb"))
    if packing == "xz":
        return cast(BinaryIO, lzma.open(path, "rb"))
    if packing == "zstandard":
        import pyarrow as pa

        return cast(BinaryIO, pa.input_stream(str(path.absolute()), compression="zstd"))
    return path.open("rb")


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

    path: the file. pieces: its content. source: what is copied, for the error.
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


def _packing(path: Path) -> str | None:
    try:
        with path.open("rb") as file:
            first = file.read(8)
    except FileNotFoundError:
        raise InputError(f"{path}: there is no such file; check the path") from None
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error}); check the path") from None
    return next((name for magic, name in PACKED.items() if first.startswith(magic)), None)
