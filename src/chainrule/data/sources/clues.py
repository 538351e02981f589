"""What a source looks like: its name, the first bytes of a file, the form of an object."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

from chainrule.data.sources.array_files import array_parts, is_array_file
from chainrule.data.sources.line_lists import is_one_per_line
from chainrule.data.sources.objects import ObjectSource
from chainrule.data.sources.plain_files import data_ending, unpacked
from chainrule.data.sources.real_arrays import are_reals
from chainrule.data.sources.sequence_files import read_sequences
from chainrule.data.sources.text_files import read_json_lines
from chainrule.errors import InputError

__all__ = ["Clues"]

HEAD = 1 << 16  # bytes


class Clues:
    """What tells one kind of data from another; content is read at most once.

    source: a path as text, or an object.
    options: the options of `load`, which may decide between kinds.
    """

    def __init__(self, source: str | ObjectSource, options: Mapping[str, Any]) -> None:
        self.source, self.options = source, options

    @property
    def path(self) -> Path | None:
        """The path; None for an object."""
        return Path(self.source) if isinstance(self.source, str) else None

    @property
    def ending(self) -> str:
        """The ending of the file's name in lower case, without that of a compression; "" for an object."""
        return "" if self.path is None else data_ending(self.path.name)

    @property
    def holds_arrays(self) -> bool:
        """Whether it is an array, or a file of arrays."""
        return self.source.form == "arrays" if not isinstance(self.source, str) else is_array_file(Path(self.source))

    @cached_property
    def form(self) -> str | None:
        """The form of an object, of arrays or of JSON: "arrays", "table", "texts", "sequences" or "sets"; or None."""
        if self.holds_arrays:
            return "table" if are_reals(x for x, _ in array_parts(self.source).values()) else "arrays"
        if not isinstance(self.source, str):
            form = self.source.form
            return _steps(next(iter(self.source.parts.values()))) if form == "sequences" else form
        path = Path(self.source)
        if self.ending in (".jsonl", ".ndjson") and path.is_file():
            return _json_lines(path, self.options.get("field"))
        if self.ending == ".json" and path.is_file():
            return _steps(next(iter(read_sequences(self.source).values())))
        return None

    @cached_property
    def head(self) -> bytes:
        """The first bytes of a file, unpacked if compressed; empty where it cannot be read."""
        if self.path is None or not self.path.is_file():
            return b""
        try:
            with unpacked(self.path, any_format=True) as file:
                return file.read(HEAD)
        except InputError:
            return b""

    @property
    def is_one_per_line(self) -> bool:
        """Whether the first lines are words without spaces, see `line_lists`."""
        return is_one_per_line(self.head, len(self.head) < HEAD)


def _json_lines(path: Path, field: str | None) -> str:
    """Records with a text are texts, flat ones a table; lists, or records with a list, are sequences or sets."""
    rows = read_json_lines(path)
    first: Any = rows[0]
    if isinstance(first, dict) and field is None and "text" not in first and not any(map(_is_nested, first.values())):
        return "table"
    if isinstance(first, dict) and not isinstance(first.get(field or "text"), list):
        return "texts"
    return _steps(rows if field is None else [row.get(field) if isinstance(row, dict) else None for row in rows])


def _is_nested(value: Any) -> bool:
    return isinstance(value, list | dict)


def _steps(sequences: list[Any]) -> str:
    """Steps that are lists of different lengths are "sets"; lists of one length are the voices of a step.

    >>> _steps([[[1, 2], [3]]]), _steps([[[1, 2], [3, 4]]]), _steps([[1, 2, 3]])
    ('sets', 'sequences', 'sequences')
    """
    sizes = {
        len(step) if isinstance(step, list) else -1
        for sequence in sequences
        if isinstance(sequence, list)
        for step in sequence
    }
    return "sets" if -1 not in sizes and (len(sizes) > 1 or sizes == {0}) else "sequences"
