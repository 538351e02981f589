"""Compiled steps on disk, so that the second command starts at once.

They lie in a folder of the user's alone (mode 0700) under CHAINRULE_CACHE, each under the hash of what it was made
from, beside the hash of its own bytes. A program is executed code: what another user owns or may write, what is
damaged, and what stands in a run is not loaded.
"""

from __future__ import annotations

import os
import stat
import sys
import tempfile
from collections.abc import Callable
from contextlib import suppress
from hashlib import sha256
from pathlib import Path

import torch
from torch import Tensor

from chainrule.atomic_files import new_directory, remove_directory
from chainrule.data.examples.stored import cache_directory

__all__ = ["Program", "is_at_hand", "program"]

Program = Callable[[list[Tensor]], list[Tensor]]

FOLDER, PACKAGE, HASH = "programs", "step.pt2", "sha256"
MOST_BYTES = 1 << 30  # of all programs together, beyond which those that were not used for longest go


def program(key: str | None, build: Callable[[Path], None]) -> Program:
    """The compiled step of a key: from the cache, or built and kept there.

    key: hash of all that it is made from, see `program_key`; None for one that is not kept.
    build: writes the package of the step to a path.
    """
    home = None if key is None else _home()
    if home is None or key is None:
        with tempfile.TemporaryDirectory() as folder:
            build(Path(folder) / PACKAGE)
            return _loaded(Path(folder) / PACKAGE)
    place = home / key
    if not _is_whole(place):
        with tempfile.TemporaryDirectory() as folder:
            build(Path(folder) / PACKAGE)
            with suppress(OSError):  # a full disk keeps nothing, and takes nothing away
                _keep(place, (Path(folder) / PACKAGE).read_bytes())
            return _loaded(Path(folder) / PACKAGE)
    with suppress(OSError):
        os.utime(place)
    return _loaded(place / PACKAGE)


def is_at_hand(key: str | None) -> bool:
    """Whether the step of a key is in the cache."""
    home = None if key is None else _home()
    return home is not None and key is not None and _is_whole(home / key)


def _loaded(package: Path) -> Program:
    """The entry of a package, without the tree of arguments around it, and without importing the compiler."""
    loader = torch._C._aoti.AOTIModelPackageLoader(str(package), "model", False, 1, -1)
    found: Program = loader.boxed_run
    return found


def _home() -> Path | None:
    """The folder of programs; None where it cannot be the user's alone."""
    home = cache_directory() / FOLDER
    if sys.platform == "win32":
        return None  # no owners and modes to rely on
    try:
        home.parent.mkdir(parents=True, exist_ok=True)
        with suppress(FileExistsError):
            home.mkdir(mode=0o700)
        return home if _is_own(home) else None
    except OSError:
        return None


def _is_own(place: Path) -> bool:
    """Whether a folder, or a file, and no link, belongs to this user, and no other may write it."""
    found = os.lstat(place)
    others = stat.S_IRWXG | stat.S_IRWXO if stat.S_ISDIR(found.st_mode) else stat.S_IWGRP | stat.S_IWOTH
    return not stat.S_ISLNK(found.st_mode) and found.st_uid == os.getuid() and not found.st_mode & others


def _is_whole(place: Path) -> bool:
    """Whether a program is there, is the user's, and is as it was written."""
    try:
        if not all(_is_own(path) for path in (place, place / PACKAGE, place / HASH)):
            return False
        return sha256((place / PACKAGE).read_bytes()).hexdigest() == (place / HASH).read_text()
    except (OSError, ValueError):
        return False


def _keep(place: Path, content: bytes) -> None:
    """Write a program into the cache, and remove others where they are too many."""
    with new_directory(place) as beside:
        beside.chmod(0o700)
        (beside / PACKAGE).write_bytes(content)
        (beside / HASH).write_text(sha256(content).hexdigest())
    total = 0
    for old in sorted((path for path in place.parent.iterdir() if path.is_dir()), key=_last_use, reverse=True):
        total += sum(file.stat().st_size for file in old.iterdir())
        if total > MOST_BYTES and old != place:
            remove_directory(old)


def _last_use(place: Path) -> float:
    return place.stat().st_mtime
