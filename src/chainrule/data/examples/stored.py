"""Arrays on disk: mapped, not read; written once, piece by piece, whole or not at all."""

from __future__ import annotations

import json
import mmap
import os
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from errno import ENOSPC
from hashlib import sha256
from math import prod
from pathlib import Path
from shutil import disk_usage
from typing import Any

import numpy as np

from chainrule.atomic_files import new_directory
from chainrule.batch import Array, Rows
from chainrule.errors import InputError

__all__ = ["LARGE", "Progress", "Selected", "cache_directory", "is_stored", "let_go", "stored", "take", "write_stored"]

LARGE = 64 << 20  # bytes of a source above which nothing is read whole
ROOM = 1 << 28  # bytes of a disk that are left free
OFTEN = 64  # pieces after which that is looked at
CONTENT, HEADER = "content.bin", "content.json"

Pieces = Iterable[tuple[Array, int]]  # the next rows, and how much of the source they stand for
Advance = Callable[[int], Any]  # called with the amount that was done since the last call
Progress = Callable[[str, int], AbstractContextManager[Advance]]  # from what is done and how much of it there is


def cache_directory() -> Path:
    """Where prepared arrays are kept: CHAINRULE_CACHE, else the user's cache."""
    return Path(os.environ.get("CHAINRULE_CACHE") or Path.home() / ".cache" / "chainrule")


def stored(key: str, pieces: Callable[[], Pieces], what: str, total: int, progress: Progress | None = None) -> Array:
    """The pieces one after the other as one array that is mapped from the cache, where they are written on first use.

    key: what the content is a function of.
    pieces: starts reading the source; called only where the cache has no such array.
    what: the source, for messages.
    total: how much of the source there is, in the unit of the pieces.
    progress: shows how much is done; None shows nothing.
    """
    place = cache_directory() / sha256(key.encode()).hexdigest()[:24]
    if not (place / HEADER).exists():
        with nullcontext(_silent) if progress is None else progress(f"preparing {what}", total) as advance:
            write_stored(place, pieces(), advance)
    header = json.loads((place / HEADER).read_text())
    dtype, shape = np.dtype(header["dtype"]), tuple(header["shape"])
    if not prod(shape) or (place / CONTENT).stat().st_size != dtype.itemsize * prod(shape):
        raise InputError(f"{place}: what was prepared of {what} is empty or damaged; remove that directory")
    return np.memmap(place / CONTENT, dtype=dtype, mode="r", shape=shape)


def _silent(amount: int) -> None:
    """Shows nothing."""


def write_stored(place: Path, pieces: Pieces, advance: Advance) -> None:
    """Write an array into a directory, one piece at a time.

    An interrupted preparation leaves nothing that could be taken for a whole one, and the next one starts anew. Where
    another process was quicker, its array stays.
    """
    rows, header = 0, {"dtype": "|u1", "shape": [0]}
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        with new_directory(place, replace=False) as beside:
            with open(beside / CONTENT, "wb") as out:
                for number, (piece, done) in enumerate(pieces):
                    if number % OFTEN == 0 and disk_usage(beside).free < ROOM:
                        raise OSError(ENOSPC, f"less than {ROOM >> 20} MiB would be left")
                    out.write(np.ascontiguousarray(piece).tobytes())
                    rows += len(piece)
                    header = {"dtype": piece.dtype.str, "shape": [rows, *piece.shape[1:]]}
                    advance(done)
            (beside / HEADER).write_text(json.dumps(header))
    except OSError as error:
        raise InputError(
            f"{place}: what is prepared cannot be written ({error.strerror}); "
            "free some space, or set CHAINRULE_CACHE to another place"
        ) from None


@dataclass(frozen=True)
class Selected:
    """Some rows of a stored array, read when they are asked for.

    >>> Selected(np.arange(10) ** 2, np.array([1, 3, 5]))[np.array([2, 0])].tolist()
    [25, 1]
    """

    array: Array
    rows: Rows

    @property
    def dtype(self) -> Any:
        """The type of the elements."""
        return self.array.dtype

    @property
    def shape(self) -> tuple[int, ...]:
        """That of an array of these rows."""
        return (len(self.rows), *self.array.shape[1:])

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, rows: Rows | slice | int) -> Array:
        return self.array[self.rows[rows]]


def is_stored(x: Array | Selected) -> bool:
    """Whether an array stays on disk."""
    return isinstance(x, Selected | np.memmap)


def let_go(x: Array | Selected) -> None:
    """Let the system have the memory of what was read of a mapped array; it is read again when it is needed."""
    array = x.array if isinstance(x, Selected) else x
    if isinstance(array, np.memmap) and "MADV_DONTNEED" in vars(mmap):
        mapped: Any = array._mmap  # type: ignore[attr-defined]
        if mapped is not None:
            mapped.madvise(mmap.MADV_DONTNEED)


def take(x: Array, rows: Rows) -> Any:
    """These rows: of an array in memory a copy, of a stored one none of them yet."""
    return Selected(x, rows) if is_stored(x) else x[rows]
