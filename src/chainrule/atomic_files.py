"""Files that are there whole or not at all, whatever happens while they are written.

A file or directory is written beside its place, under a name that begins with a dot, synced and renamed, and the parent
directory is synced, too: after a crash of the process or of the machine the old content or the new is there, never a
part of it. What a crash left behind is removed by the next process that writes there (`sweep`).

Numbers that JSON does not have are written by one rule: NaN (undefined) is null, infinity is the text "inf" or "-inf".
"""

from __future__ import annotations

import json
import os
import re
import stat
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from errno import EINVAL, EPERM
from math import isfinite, isnan, nan
from pathlib import Path
from typing import Any

__all__ = [
    "is_among_devices",
    "json_bytes",
    "json_value",
    "new_directory",
    "number_from_json",
    "read_inside",
    "remove_directory",
    "remove_unfinished",
    "sweep",
    "write_directory",
    "write_file",
    "write_json",
]

BESIDE = re.compile(r"\..+\.\d+\.(new|old)")


def write_file(path: Path, content: bytes) -> None:
    """Write a file, in place of the one before; OSError in /dev and /proc, where it would replace a device."""
    if is_among_devices(path):
        raise OSError(EINVAL, "it is a device, not a place for a file", str(path))
    beside = _beside(path, "new")
    try:
        _write(beside, content)
        _sync(beside)
        os.replace(beside, path)
    finally:
        if os.path.lexists(beside):
            os.unlink(beside)
    _sync(path.parent)


def is_among_devices(path: Path) -> bool:
    """Whether a name is one of the system's own, as those of devices and of open files are.

    >>> is_among_devices(Path("/dev/stdout")), is_among_devices(Path("archive.cr"))
    (True, False)
    """
    place = Path(os.path.realpath(path.parent))
    return any(place.is_relative_to(top) for top in ("/dev", "/proc")) and not place.is_relative_to("/dev/shm")


def read_inside(directory: Path, name: str) -> bytes:
    """The content of a file of a directory; OSError for what is no file (a pipe would never end) or lies elsewhere.

    directory: where the file is.
    name: its name in it; a link in it may not lead out of it.
    """
    path = directory / name
    mode = os.stat(path).st_mode
    if not stat.S_ISREG(mode):
        kind = "a folder" if stat.S_ISDIR(mode) else "a pipe or a device"
        raise OSError(EINVAL, f"it is {kind}, expected a file", str(path))
    if not Path(os.path.realpath(path)).is_relative_to(os.path.realpath(directory)):
        raise OSError(EPERM, "it is a link that leads out of its directory", str(path))
    return path.read_bytes()


def write_json(path: Path, value: Any) -> None:
    """Write a value as a JSON file, in place of the one before."""
    write_file(path, json_bytes(value))


def write_directory(path: Path, files: Mapping[str, bytes]) -> None:
    """Write a directory of files, in place of the one before."""
    with new_directory(path) as beside:
        for name, content in files.items():
            _write(beside / name, content)


@contextmanager
def new_directory(path: Path, *, replace: bool = True) -> Iterator[Path]:
    """A directory to write files into, which takes its place at `path` when the block ends without an error.

    replace: whether it takes the place of a directory that is there; if not, that one stays and the new one is dropped.
    """
    beside = _beside(path, "new")
    try:
        os.mkdir(beside)
        yield beside
        for file in beside.iterdir():
            _sync(file)
        _sync(beside)
        if replace and path.exists():
            remove_directory(path)
        if not path.exists():
            os.rename(beside, path)
            _sync(path.parent)
    finally:
        if beside.exists():
            _empty(beside)


def remove_directory(path: Path) -> None:
    """Remove a directory of files: it loses its name first, so that a part of it is never found under that name."""
    beside = _beside(path, "old")
    os.rename(path, beside)
    _sync(path.parent)
    _empty(beside)


def sweep(directory: Path) -> None:
    """Remove what an earlier process left unfinished; only one process may write in a directory."""
    for path in directory.iterdir() if directory.is_dir() else ():
        if BESIDE.fullmatch(path.name):
            if path.is_dir():
                _empty(path)
            else:
                os.unlink(path)


def remove_unfinished(path: Path) -> None:
    """Remove what processes that are no more left of writing this file; what cannot be removed stays."""
    try:
        for other in path.parent.iterdir():
            if (found := BESIDE.fullmatch(other.name)) is None or other.is_dir():
                continue
            pid = int(other.name.rsplit(".", 2)[1])
            if found[1] == "new" and other.name == _beside(path, "new", pid).name and not _is_running(pid):
                other.unlink()
    except OSError:
        pass


def json_bytes(value: Any, indent: int | None = 2) -> bytes:
    r"""The content of a JSON file, with its last end of line.

    >>> json_bytes({"nats": float("nan"), "worst": float("inf")}, indent=None)
    b'{"nats": null, "worst": "inf"}\n'
    """
    return (json.dumps(json_value(value), indent=indent, allow_nan=False) + "\n").encode()


def json_value(value: Any) -> Any:
    """A number, or everything in a dictionary, list or array, as JSON has it: NaN is None, infinity is a text.

    >>> import numpy as np
    >>> json_value([1.5, float("nan"), -float("inf")]), json_value(np.array([[1, 2]]))
    ([1.5, None, '-inf'], [[1, 2]])
    """
    numpy = sys.modules.get("numpy")  # where nobody has imported it, nothing is an array
    if numpy is not None and isinstance(value, numpy.ndarray | numpy.generic):
        value = value.tolist()
    if isinstance(value, float):
        return value if isfinite(value) else None if isnan(value) else str(value)
    if isinstance(value, Mapping):
        return {key: json_value(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [json_value(entry) for entry in value]
    return value


def number_from_json(value: float | str | None) -> float:
    """The number that `json_value` wrote.

    >>> number_from_json("-inf"), number_from_json(None), number_from_json(2)
    (-inf, nan, 2)
    """
    return nan if value is None else float(value) if isinstance(value, str) else value


def _is_running(pid: int) -> bool:
    """Whether a process of this machine has a number."""
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except OSError:  # it is somebody else's
        return True
    return True


def _beside(path: Path, what: str, pid: int | None = None) -> Path:
    """The name of a file or directory until it is whole ("new") or removed ("old"), by the process that writes it."""
    short = os.fsdecode(os.fsencode(path.name)[:200])  # a name of up to 255 bytes has no room for more
    return path.with_name(f".{short}.{os.getpid() if pid is None else pid}.{what}")


def _write(path: Path, content: bytes) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o666)
    try:
        rest = memoryview(content)
        while rest:
            rest = rest[os.write(descriptor, rest) :]
    finally:
        os.close(descriptor)


def _sync(path: Path) -> None:
    """Make the content of a file, or the names in a directory, durable."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _empty(directory: Path) -> None:
    """Remove a directory of files under a name that nobody reads; what cannot be removed waits for the next sweep."""
    try:
        for path in directory.iterdir():
            os.unlink(path)
        os.rmdir(directory)
    except OSError:
        pass
