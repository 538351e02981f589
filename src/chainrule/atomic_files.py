"""Files that are there whole or not at all, whatever happens while they are written.

A file or directory is made beside its place, under a name that begins with a dot, synced and renamed, and the directory
that holds it is synced, too: after a crash of the process or of the machine there stands the old content or the new,
never a part of it. What a crash left beside its place is swept away by the next who writes there.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path

__all__ = ["remove_directory", "sweep", "write_directory", "write_file"]

BESIDE = re.compile(r"\..+\.\d+\.(new|old)")


def write_file(path: Path, content: bytes) -> None:
    """Write a file, in place of the one before."""
    beside = _beside(path, "new")
    try:
        _write(beside, content)
        os.replace(beside, path)
    finally:
        if os.path.lexists(beside):
            os.unlink(beside)
    _sync(path.parent)


def write_directory(path: Path, files: Mapping[str, bytes]) -> None:
    """Write a directory of files, in place of the one before."""
    beside = _beside(path, "new")
    try:
        os.mkdir(beside)
        for name, content in files.items():
            _write(beside / name, content)
        _sync(beside)
        if path.exists():
            remove_directory(path)
        os.rename(beside, path)
    except OSError:
        _empty(beside)
        raise
    _sync(path.parent)


def remove_directory(path: Path) -> None:
    """Remove a directory of files: it loses its name first, so that no half of it is ever found under it."""
    beside = _beside(path, "old")
    os.rename(path, beside)
    _sync(path.parent)
    _empty(beside)


def sweep(directory: Path) -> None:
    """Remove what an earlier process left beside its place; only one process may write in a directory."""
    for path in directory.iterdir() if directory.is_dir() else ():
        if BESIDE.fullmatch(path.name):
            if path.is_dir():
                _empty(path)
            else:
                os.unlink(path)


def _beside(path: Path, what: str) -> Path:
    return path.with_name(f".{path.name}.{os.getpid()}.{what}")


def _write(path: Path, content: bytes) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o666)
    try:
        rest = memoryview(content)
        while rest:
            rest = rest[os.write(descriptor, rest) :]
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _sync(directory: Path) -> None:
    """Make the names in a directory durable."""
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _empty(directory: Path) -> None:
    """Remove a directory of files under a name that nobody reads; what resists is left for the next sweep."""
    try:
        for path in directory.iterdir():
            os.unlink(path)
        os.rmdir(directory)
    except OSError:
        pass
