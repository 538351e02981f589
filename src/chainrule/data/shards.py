"""Texts larger than memory: symbols in one file that is mapped, not read; prepared once, whole or not at all."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np

from chainrule.data.alphabet import Alphabet, Bytes
from chainrule.data.base import Array
from chainrule.data.raw import text_files
from chainrule.errors import InputError

__all__ = ["LARGE", "cache_directory", "prepare", "size_of", "stored_stream"]

LARGE = 64 << 20  # bytes of text above which nothing is read whole
CHUNK = 1 << 18


def size_of(source: str) -> int:
    """The bytes of the source's files; 0 where there are none."""
    path = Path(source)
    return sum(file.stat().st_size for file in (text_files(source) if path.is_dir() else [path]) if file.is_file())


def cache_directory() -> Path:
    """Where prepared texts are kept: CHAINRULE_CACHE, else the user's cache."""
    return Path(os.environ.get("CHAINRULE_CACHE") or Path.home() / ".cache" / "chainrule")


def stored_stream(source: str, alphabet: Alphabet, progress: Callable[[int], Any] | None = None) -> Array:
    """The symbols of a source as an array on disk: one plain file of bytes is that already, others are prepared once.

    progress: called with the number of bytes done; by default a bar is shown.
    """
    files = text_files(source)
    if isinstance(alphabet, Bytes) and len(files) == 1 and files[0].suffix != ".gz":
        return np.memmap(files[0], dtype=np.uint8, mode="r")
    key = sha256(json.dumps(alphabet.to_json()).encode())
    for file in files:
        stat = file.stat()
        key.update(f"{file.resolve()}\0{stat.st_size}\0{stat.st_mtime_ns}\0".encode())
    place = cache_directory() / key.hexdigest()[:24]
    if not (place / "symbols.json").exists():
        if progress is not None:
            prepare(files, alphabet, place, progress)
        else:
            with _bar(f"preparing {source}", size_of(source)) as advance:
                prepare(files, alphabet, place, advance)
    recorded = json.loads((place / "symbols.json").read_text())
    return np.memmap(place / "symbols.bin", dtype=np.dtype(recorded["dtype"]), mode="r", shape=(recorded["symbols"],))


def prepare(files: list[Path], alphabet: Alphabet, place: Path, progress: Callable[[int], Any]) -> None:
    """Write the symbols of the files into a directory, a chunk of lines at a time.

    The directory appears by a rename once all is written and synced: an interrupted preparation leaves nothing that
    could be taken for a whole one, and the next one starts anew.
    """
    dtype = np.min_scalar_type(len(alphabet.byte_lengths) - 1)
    beside = place.with_name(f".{place.name}.{os.getpid()}")
    total = 0
    try:
        beside.mkdir(parents=True, exist_ok=True)
        with open(beside / "symbols.bin", "wb") as out:
            for file in files:
                for raw in _chunks(file):
                    symbols = alphabet.encode(raw, str(file))
                    out.write(symbols.astype(dtype).tobytes())
                    total += len(symbols)
                    progress(len(raw))
            out.flush()
            os.fsync(out.fileno())
        (beside / "symbols.json").write_text(json.dumps({"dtype": dtype.str, "symbols": total}))
        os.replace(beside, place)
    except OSError as error:
        raise InputError(
            f"{place}: the prepared text cannot be written ({error.strerror}); "
            "free some space, or set CHAINRULE_CACHE to another place"
        ) from None
    finally:
        for left in (beside / "symbols.bin", beside / "symbols.json"):
            left.unlink(missing_ok=True)
        if beside.exists():
            beside.rmdir()


def _chunks(file: Path) -> Iterator[bytes]:
    """A file in pieces of whole lines of about CHUNK bytes, unpacked if gzipped."""
    import gzip
    import zlib

    opened: Any = gzip.open(file, "rb") if file.suffix == ".gz" else open(file, "rb")  # noqa: SIM115
    with opened:
        while True:
            try:
                raw = opened.read(CHUNK) + opened.readline()
            except (EOFError, zlib.error, gzip.BadGzipFile) as error:
                raise InputError(f"{file}: the gzip file is damaged or cut off ({error}); fetch it again") from None
            if not raw:
                return
            yield raw


def _bar(what: str, total: int) -> Any:
    """A progress bar in bytes on standard error, as a context that gives `advance`."""
    from contextlib import contextmanager

    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

    @contextmanager
    def shown() -> Iterator[Callable[[int], None]]:
        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            DownloadColumn(),
            TransferSpeedColumn(),
            TimeRemainingColumn(),
        )
        with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
            task = bar.add_task(what, total=total)
            yield lambda done: bar.advance(task, done)

    return shown()
