"""Devices that are no files: those that never end, and disks, are refused by their type and not by reading them."""

from __future__ import annotations

import os
import stat
from contextlib import suppress
from typing import IO

from chainrule.errors import InputError

__all__ = ["refuse_device", "refuse_device_behind"]


def refuse_device(found: os.stat_result, what: str) -> None:
    """Refuse what is neither a file nor a pipe; /dev/null is an empty file.

    found: what the system says of it.
    what: how it is called in the message.

    >>> refuse_device(os.stat("/dev/zero"), "/dev/zero")
    Traceback (most recent call last):
    chainrule.errors.InputError: /dev/zero: is a device, which may never end; expected a file, a folder or a pipe
    """
    kinds = {stat.S_ISCHR: "a device, which may never end", stat.S_ISBLK: "a disk", stat.S_ISSOCK: "a socket"}
    kind = next((name for test, name in kinds.items() if test(found.st_mode)), None)
    if kind is not None and not _is_null(found):
        raise InputError(f"{what}: is {kind}; expected a file, a folder or a pipe")


def refuse_device_behind(stream: IO[bytes], what: str) -> None:
    """The same for what is open already, such as standard input; a terminal is a person, who ends."""
    try:
        number = stream.fileno()
    except (OSError, ValueError):
        return  # a stream in memory
    if not os.isatty(number):
        refuse_device(os.fstat(number), what)


def _is_null(found: os.stat_result) -> bool:
    with suppress(OSError):
        null = os.stat(os.devnull)
        return stat.S_ISCHR(found.st_mode) and found.st_rdev == null.st_rdev
    return False
