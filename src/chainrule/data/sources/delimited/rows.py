"""Which line of a delimited file a row stands in, found by walking over the file when somebody asks."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path

from chainrule.data.sources.delimited.delimiter import SPACE
from chainrule.data.sources.delimited.dialect import Dialect
from chainrule.data.sources.delimited.rewritten import UNIT, plain_lines
from chainrule.errors import InputError

__all__ = ["first_ragged", "line_of", "lines_and_rows"]


def line_of(path: Path, dialect: Dialect, row: int) -> int:
    """The number, from 1, of the line in which a row begins; the file is read up to there.

    path: the file.
    dialect: as `sniff` finds it.
    row: number of the row of data, from 0.
    """
    line = dialect.skipped
    for number, (line, _) in enumerate(_walk(path, dialect)):
        if number == row:
            return line
    return line


def first_ragged(path: Path, dialect: Dialect) -> tuple[int, int, str] | None:
    """The first row that has more or fewer values than the others: its line, its values, and how it begins.

    path: the file.
    dialect: as `sniff` finds it. None where there is none.
    """
    for line, cells in _walk(path, dialect, strict=True):
        if len(cells) != dialect.width:
            return line, len(cells), max(cells, key=len) if cells else ""
    return None


def lines_and_rows(dialect: Dialect, rows: int) -> str:
    """The lines of the file against its rows, in words, for the note.

    >>> lines_and_rows(Dialect(",", "", ("a", "b"), lines=11), 10)
    '11 lines: 1 above the data, 10 rows'
    >>> lines_and_rows(Dialect(",", "", ("a", "b"), lines=14, blank_end=1), 10)
    '14 lines: 1 above the data, 10 rows, 3 blank or within quoted values'
    """
    parts = [f"{dialect.skipped} above the data"] if dialect.skipped else []
    parts.append(f"{rows} rows")
    if other := dialect.lines - dialect.skipped - rows:
        parts.append(f"{other} blank{', comments' if dialect.comment else ''} or within quoted values")
    return f"{dialect.lines} lines: {', '.join(parts)}"


def _walk(path: Path, dialect: Dialect, strict: bool = False) -> Iterator[tuple[int, list[str]]]:
    """Each row with its first line."""
    quote = "" if dialect.delimiter == SPACE else dialect.quote
    lines = _text_lines(path, dialect)
    for _ in range(dialect.skipped):
        next(lines, None)
    reader = csv.reader(
        lines,
        delimiter=UNIT if dialect.delimiter == SPACE else dialect.delimiter,
        quotechar=quote or None,
        quoting=csv.QUOTE_MINIMAL if quote else csv.QUOTE_NONE,
        skipinitialspace=dialect.spaced,
        strict=strict,
    )
    line = dialect.skipped + 1
    try:
        for cells in reader:
            if cells or dialect.width == 1:
                yield line, cells or [""]
            line = dialect.skipped + reader.line_num + 1
    except csv.Error as error:
        raise InputError(
            f"{path} line {line}: a quote is not closed, or a quoted value goes on after it ({error}); double "
            "the quotes within values, or correct the line"
        ) from None


def _text_lines(path: Path, dialect: Dialect) -> Iterator[str]:
    for piece in plain_lines(path, dialect):
        lines = piece.decode().split("\n")
        yield from (line + "\n" for line in lines[:-1])
        if lines[-1]:
            yield lines[-1]
