"""The files of a folder at any depth, linked folders included, the order in which people count them, and splits."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

from chainrule.errors import InputError

__all__ = ["files_below", "natural_key", "split_of"]

LEFT_BEHIND = {"Thumbs.db", "desktop.ini", "__MACOSX"}  # by systems, never by people
SPLITS = {
    **dict.fromkeys(("train", "training"), "train"),
    **dict.fromkeys(("valid", "val", "validation", "dev"), "valid"),
    **dict.fromkeys(("test", "testing"), "test"),
}
SUFFIX = re.compile(r"(?:[ _.-]*(?:images?|imgs?|pictures|photos|set|data|split|[0-9]+))*")  # train_images, val2017


def files_below(folder: Path) -> list[Path]:
    """The files of a folder at any depth, sorted by path; hidden ones and what systems leave behind are left out.

    Links to folders are followed, except those to a folder that they lie in, which would never end.

    Raises InputError, naming the link, for one to a file that is not there.
    """
    return sorted(_walk(folder, ()))


def _walk(folder: Path, above: tuple[tuple[int, int], ...]) -> Iterator[Path]:
    try:
        here = os.stat(folder)
        names = sorted(os.listdir(folder))
    except OSError as error:
        raise InputError(f"{folder}: the folder cannot be read ({error.strerror}); check its permissions") from None
    mark = (here.st_dev, here.st_ino)
    if mark in above:
        return
    for name in names:
        path = folder / name
        if name.startswith(".") or name in LEFT_BEHIND:
            continue
        if path.is_dir():
            yield from _walk(path, (*above, mark))
        elif path.is_file():
            yield path
        elif path.is_symlink():
            raise InputError(f"{path}: is a link to a file that is not there; restore the file, or remove the link")


def natural_key(path: Path) -> tuple[list[tuple[int, str]], ...]:
    """A key by which paths are sorted as people count: `image2` before `image10`.

    >>> [path.name for path in sorted(map(Path, ["b10", "b9", "a"]), key=natural_key)]
    ['a', 'b9', 'b10']
    """
    return (*([_piece(piece) for piece in re.split("([0-9]+)", part)] for part in path.parts),)


def _piece(text: str) -> tuple[int, str]:
    """A stretch of digits by its number, then by its zeros; any other stretch as it is."""
    return (int(text), text) if text.isascii() and text.isdigit() else (-1, text)


def split_of(name: str) -> str | None:
    """The split that a folder or a file without its ending is named for, None for any other.

    >>> [split_of(name) for name in ("Train", "val2017", "test_images", "testimony")]
    ['train', 'valid', 'test', None]
    """
    name = name.lower()
    found = [word for word in SPLITS if name.startswith(word) and SUFFIX.fullmatch(name[len(word) :])]
    return SPLITS[found[0]] if found else None
