"""Places of files that a command writes, refused before anything is computed."""

from __future__ import annotations

from os.path import realpath
from pathlib import Path

from chainrule.atomic_files import write_file
from chainrule.errors import InputError

__all__ = ["place_of_file", "write_at"]


def place_of_file(place: Path, source: Path | str | None) -> Path:
    """The place itself, where a file can be written; raises InputError for any other.

    A file is renamed into its place, so that in /dev it would take the place of the device.

    place: where the file is to be.
    source: what it is made from, which must not be lost; None where that is no file.
    """
    if "\0" in str(place):
        raise InputError(f"{str(place)!r}: no file can have this name; name another file with --out")
    try:
        if not place.parent.is_dir():
            raise InputError(f"{place.parent}: there is no such directory; make it, or name another place with --out")
        target = Path(realpath(place.parent)) / place.name
        is_other = target.is_relative_to("/dev") and not target.is_relative_to("/dev/shm")
        is_other = is_other or target.is_relative_to("/proc") or (place.exists() and not place.is_file())
        is_source = source is not None and place.exists() and Path(source).exists() and place.samefile(source)
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else error
        raise InputError(f"{place}: no file can have this name ({why}); name another file with --out") from None
    if is_other:
        raise InputError(f"{place}: is a folder, a pipe or a device, not a file; name another file with --out")
    if is_source:
        raise InputError(f"{place}: is what is read, and would be lost; name another file with --out")
    return place


def write_at(place: Path, content: bytes) -> None:
    """Write a file, whole or not at all; raises InputError where that is not possible."""
    try:
        write_file(place, content)
    except OSError as error:
        raise InputError(f"{place}: cannot be written ({error.strerror}); name another place with --out") from None
