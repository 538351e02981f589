"""Places of files that a command writes, refused before anything is computed."""

from __future__ import annotations

from pathlib import Path

from chainrule.atomic_files import is_among_devices, remove_unfinished, write_file
from chainrule.errors import InputError

__all__ = ["place_of_file", "write_at"]


def place_of_file(place: Path, source: Path | str | None, *, force: bool) -> Path:
    """The place itself, where a file can be written; raises InputError for any other.

    place: where the file is to be.
    source: what it is made from, which must not be lost; None where that is no file.
    force: whether a file that exists there may be replaced.
    """
    if "\0" in str(place):
        raise InputError(f"{str(place)!r}: no file can have this name; name another file with --out")
    try:
        if not place.parent.is_dir():
            raise InputError(f"{place.parent}: there is no such directory; make it, or name another place with --out")
        is_other = is_among_devices(place) or (place.exists() and not place.is_file())
        is_source = source is not None and place.exists() and Path(source).exists() and place.samefile(source)
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else error
        raise InputError(f"{place}: no file can have this name ({why}); name another file with --out") from None
    if is_other:
        raise InputError(f"{place}: is a folder, a pipe or a device, not a file; name another file with --out")
    if is_source:
        raise InputError(f"{place}: is what is read, and would be lost; name another file with --out")
    if place.exists() and not force:
        raise InputError(f"{place}: exists already; replace it with --force, or name another file with --out")
    return place


def write_at(place: Path, content: bytes) -> None:
    """Write a file, whole or not at all; raises InputError where that is not possible."""
    remove_unfinished(place)
    try:
        write_file(place, content)
    except OSError as error:
        raise InputError(f"{place}: cannot be written ({error.strerror}); name another place with --out") from None
