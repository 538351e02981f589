"""Binary tables: text of 0 and 1 with commas and no header, in three files (Lowd & Davis 2010, the "twenty data sets").

`<name>.train.data`, `<name>.valid.data` and `<name>.test.data`, also gzipped, are the splits as given.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from chainrule.batch import Array
from chainrule.data.examples.division import Part, check_same_shape
from chainrule.data.examples.splits import SPLITS
from chainrule.data.sources.plain_files import unpacked
from chainrule.data.sources.text_files import read_file
from chainrule.errors import InputError

__all__ = ["binary_parts", "is_binary_table", "read_binary"]

ENDINGS = (".data", ".data.gz")
HEAD = 1 << 16  # bytes


def is_binary_table(path: Path) -> bool:
    """Whether a file is named like one of these tables and begins with 0, 1 and commas only, or a folder holds one."""
    files = path.iterdir() if path.is_dir() else [path]
    return any(file.name.lower().endswith(ENDINGS) and _is_binary(file) for file in files if file.is_file())


def _is_binary(file: Path) -> bool:
    try:
        with unpacked(file, any_format=True) as opened:
            return not opened.read(HEAD).translate(None, b"01,\r\n")
    except InputError:
        return True  # damaged: reading it says how


def read_binary(path: Path) -> Array:
    """The rows of one file, shape (N, D).

    Every symbol is one character and so is every separator: the symbols are every other character of a line.
    """
    content = read_file(path).replace(b"\r", b"").rstrip(b"\n") + b"\n"
    width = content.index(b"\n") + 1
    lines = content.split(b"\n")[:-1]
    ragged = next((n for n, line in enumerate(lines, start=1) if len(line) + 1 != width), None)
    if ragged is not None:
        length = (len(lines[ragged - 1]) + 1) // 2
        raise InputError(f"{path} row {ragged}: has {length} values, the first row {width // 2}; correct the row")
    text = np.frombuffer(content, np.uint8).reshape(len(lines), width)
    bad = (text[:, ::2] != ord("0")) & (text[:, ::2] != ord("1"))
    bad[:, :-1] |= text[:, 1:-1:2] != ord(",")
    if bad.any():
        row, column = (int(i) for i in np.argwhere(bad)[0])
        raise InputError(f"{path} row {row + 1}: value {column + 1} is not a 0 or 1 before a comma; correct the row")
    return text[:, ::2] - ord("0")


def binary_parts(source: str) -> dict[str, Part]:
    """The rows by split: of a folder, of a file and those beside it, or "" for a file that stands alone."""
    path = Path(source)
    folder = path if path.is_dir() else path.parent
    stem = None if path.is_dir() else path.name.split(".")[0]
    parts: dict[str, Part] = {}
    for file in sorted(folder.iterdir()):
        words = file.name.split(".")
        if file.name.lower().endswith(ENDINGS) and len(words) > 2 and words[1] in SPLITS and stem in (None, words[0]):
            if words[1] in parts:
                raise InputError(f"{source}: holds several tables; name one of their files")
            parts[words[1]] = (read_binary(file), None)
    if set(parts) != set(SPLITS):
        if path.is_dir():
            raise InputError(f"{source}: holds no <name>.train.data, .valid.data and .test.data; add what is missing")
        parts = {"": (read_binary(path), None)}
    check_same_shape(parts, source)
    return parts
