"""How much memory there is. What would take more is refused by what its header promises, before it is allocated."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from chainrule.errors import InputError

__all__ = ["ENOUGH", "available_bytes", "refuse_above_memory", "watched_memory"]

ENOUGH = 1 << 26  # bytes that are always given
LOOK = 1 << 22  # bytes of a source after which memory is looked at again
RESERVE = 0.4  # of the memory that must be left for what is made of the values

VARIABLE = "CHAINRULE_MAX_MEMORY"  # gigabytes of 10^9 bytes that reading may take; `--max-memory` sets it


def allowed_bytes() -> float | None:
    """What the user allows; None where nothing is said."""
    said = os.environ.get(VARIABLE, "")
    try:
        gigabytes = float(said) if said else None
    except ValueError:
        gigabytes = 0.0
    if gigabytes is not None and not 0 < gigabytes < float("inf"):
        raise InputError(f"--max-memory is a number of gigabytes above 0, such as 8; got {said!r}")
    return None if gigabytes is None else gigabytes * 1e9


def available_bytes(root: Path = Path("/")) -> float:
    """The memory that may be used, in bytes: what the user allows, else what is free.

    That is what is free on the machine, what its control group leaves, and what the limit of the process (`ulimit -v`)
    leaves, whichever is least; half of all memory where none is known.

    root: where the file systems /proc and /sys are.
    """
    if (allowed := allowed_bytes()) is not None:
        return allowed
    try:
        lines = dict(line.split(":") for line in (root / "proc" / "meminfo").read_text().splitlines())
        free = int(lines["MemAvailable"].split()[0]) * 1024.0
    except (OSError, KeyError, ValueError):
        free = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2
    try:
        limit, used = (
            (root / "sys" / "fs" / "cgroup" / f"memory.{name}").read_text().strip() for name in ("max", "current")
        )
        free = free if limit == "max" else min(free, float(limit) - float(used))
    except (OSError, ValueError):
        pass
    return min(free, _left_of_limit(root))


def refuse_above_memory(
    needed: float, what: str, holds: str, advice: str = "give a part of it", free: float | None = None
) -> None:
    """Refuse what would take more memory than there is.

    needed: bytes that it would take.
    what: the file, for the message.
    holds: what it holds that takes so much.
    advice: what can be done instead.
    free: bytes that there are; None for those of this moment.

    >>> refuse_above_memory(1e15, "x.npz", "holds an array of 125000000000000 float64")
    Traceback (most recent call last):
    chainrule.errors.InputError: x.npz: holds an array of 125000000000000 float64, which would take 1,000,000.0 GB of
    memory, and ... GB are free; give a part of it, or allow more with --max-memory GB
    """
    there_are = available_bytes() if free is None else free
    if needed <= max(ENOUGH, there_are):
        return
    said = f"{there_are / 1e9:,.1f} GB are {'free' if allowed_bytes() is None else 'allowed'}"
    raise InputError(
        f"{what}: {holds}, which would take {needed / 1e9:,.1f} GB of memory, and {said}; {advice}, or allow more with "
        "--max-memory GB"
    )


@contextmanager
def watched_memory(what: str) -> Iterator[Callable[[int], None]]:
    """A function to call with the size of each piece that is read, which refuses to go on once memory is almost full.

    what: the file, for the message.

    >>> with watched_memory("x.jsonl") as watch:
    ...     watch(100)
    """
    begun, since = available_bytes(), 0

    def watch(size: int) -> None:
        nonlocal since
        since += size
        if since < LOOK:
            return
        since = 0
        allowed = allowed_bytes()
        left = available_bytes() if allowed is None else allowed - _resident()
        if left < begun * RESERVE:
            raise InputError(
                f"{what}: what it holds fills the memory, {max(left, 0) / 1e9:,.1f} GB are left of {begun / 1e9:,.1f} "
                "GB; give a part of it, or allow more with --max-memory GB"
            )

    yield watch


def _resident(root: Path = Path("/")) -> float:
    """The memory of this process in bytes; 0 where that is not known."""
    try:
        return float((root / "proc" / "self" / "statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError, IndexError):
        return 0.0


def _left_of_limit(root: Path) -> float:
    """What the limit of this process on its addresses leaves; infinite without one."""
    try:
        import resource

        limit = resource.getrlimit(resource.RLIMIT_AS)[0]
        if limit == resource.RLIM_INFINITY:
            return float("inf")
        pages = int((root / "proc" / "self" / "statm").read_text().split()[0])
    except (ImportError, OSError, ValueError):
        return float("inf")
    return max(0.0, float(limit - pages * resource.getpagesize()))
