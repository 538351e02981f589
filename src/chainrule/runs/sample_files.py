"""Samples in files, one function per kind of file: a folder of pictures, a grid of pictures, or what the data is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from chainrule.atomic_files import write_directory, write_file
from chainrule.data.encodings.base import Encoding
from chainrule.errors import InputError

__all__ = ["check_place", "write_samples_to"]


def check_place(encoding: Encoding, out: Path) -> None:
    """Refuse a place before anything is drawn: another kind of file, a folder that exists, a parent that does not."""
    endings = encoding.file_endings
    if out.suffix not in endings:
        known = " or ".join(sorted(ending for ending in endings if ending))
        raise InputError(f"{out}: these samples are written as {known}; change the ending")
    if not out.suffix and out.exists():
        raise InputError(f"{out}: exists already; name another folder with --out")
    if not out.parent.is_dir():
        raise InputError(f"{out.parent}: there is no such directory; make it, or name another place with --out")


def write_samples_to(out: Path, encoding: Encoding, raw: Any, *, given: str | None, title: str) -> None:
    """Write samples as the kind of file that the ending says.

    out: the file; without an ending, a new folder with a file per example.
    raw: what the encoding decoded.
    given: the condition of all of them, as on the command line.
    title: what stands above a grid of pictures.
    """
    try:
        if not out.suffix:
            write_directory(out, encoding.write_folder(raw))
        elif out.suffix == ".png":
            write_file(out, _picture_grid(encoding, raw, title))
        else:
            write_file(out, encoding.write_as(out.suffix, raw, given))
    except OSError as error:
        raise InputError(f"{out}: cannot be written ({error.strerror}); name another place with --out") from None


def _picture_grid(encoding: Encoding, raw: Any, title: str) -> bytes:
    from chainrule.reporting.pictures import image_grid

    return image_grid(np.asarray(raw), encoding.picture_levels, title)
