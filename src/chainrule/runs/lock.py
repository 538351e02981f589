"""One writer per run directory: an advisory lock that ends with its process, however that ends.

    RUN/.lock       locked while a process writes the run; holds the name of the machine and the number of the process

Readers never wait for it: they look at what the file says. A file that a killed process left behind locks nothing.
"""

from __future__ import annotations

import errno
import json
import os
import platform
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

from chainrule.errors import RunError

__all__ = ["LOCK", "holds_something", "only_writer", "writer_of"]

LOCK = ".lock"
WITHOUT_LOCKS = (errno.ENOSYS, errno.ENOLCK, errno.ENOTSUP, errno.EOPNOTSUPP)  # of a file system that has none


@contextmanager
def only_writer(path: Path | None, say: Callable[[str], Any] = lambda text: None) -> Iterator[None]:
    """Inside, no other process writes the run at a path; its directory is made, and removed again if it stays empty.

    path: the run directory; None for a run in memory, where there is nothing to lock.
    say: called with a message where the file system has no locks.

    Raises RunError where another process writes there, which is named. Of the processes of one job only the first
    writes, so the others lock nothing.
    """
    if path is None or int(os.environ.get("RANK", "0")) > 0 or (path.exists() and not path.is_dir()):
        yield
        return
    with ExitStack() as undo:
        try:
            for folder in _missing(path):
                folder.mkdir(exist_ok=True)
                undo.callback(_remove_if_empty, folder)
        except OSError as error:
            raise RunError(f"{path}: cannot be written ({error.strerror}); name another place with --out") from None
        with _locked(path, say):
            yield


def writer_of(path: Path, *, but_this: bool = False) -> str | None:
    """The process that writes a run, in words; None where there is none.

    path: the run directory.
    but_this: whether this process itself does not count.

    A process of another machine cannot be asked, and is taken to go on.
    """
    try:
        said = json.loads((path / LOCK).read_bytes())
        host, process = str(said["host"]), int(said["process"])
    except (OSError, ValueError, LookupError, TypeError, RecursionError):
        return None
    if host == platform.node() and (not _is_running(process) or (but_this and process == os.getpid())):
        return None
    return f"process {process} on {host}"


def holds_something(path: Path) -> bool:
    """Whether there is anything in a directory but the lock."""
    return any(entry.name != LOCK for entry in path.iterdir())


@contextmanager
def _locked(path: Path, say: Callable[[str], Any]) -> Iterator[None]:
    """Hold the lock of a directory that is there."""
    from filelock import FileLock, Timeout

    place = path / LOCK
    lock = FileLock(place, fallback_to_soft=False)
    try:
        lock.acquire(blocking=False)
    except Timeout:
        who = writer_of(path) or "another process"
        raise RunError(
            f"{path}: is being written by {who}; wait until that has ended, or name another place with --out"
        ) from None
    except (OSError, NotImplementedError) as error:
        if isinstance(error, OSError) and error.errno not in WITHOUT_LOCKS:
            raise RunError(f"{path}: cannot be written ({error.strerror}); name another place with --out") from None
        say(f"{path}: this file system has no locks; let no second process write this run")
        yield
        return
    try:
        with suppress(OSError):  # a full disk: the lock holds all the same
            place.write_text(json.dumps({"host": platform.node(), "process": os.getpid()}) + "\n")
        yield
    finally:
        with suppress(OSError):  # while it is held: whoever waits for this very file sees that it is gone
            place.unlink()
        lock.release()


def _missing(path: Path) -> list[Path]:
    """The folders that must be made for a path, the outer ones first."""
    return [folder for folder in reversed((path, *path.parents)) if not folder.exists()]


def _remove_if_empty(folder: Path) -> None:
    with suppress(OSError):  # there is something in it
        folder.rmdir()


def _is_running(process: int) -> bool:
    """Whether there is a process of this number on this machine."""
    if os.name == "nt":
        return True  # there, a signal of 0 would end it
    try:
        os.kill(process, 0)
    except (ProcessLookupError, OverflowError, ValueError):
        return False
    except OSError:
        return True  # of another user
    return process > 0
