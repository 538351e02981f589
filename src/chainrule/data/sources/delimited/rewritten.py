"""A delimited file as a plain one: unpacked, in UTF-8, with one kind of line end, and line by line the same.

What a reader of CSV does not take is written again: runs of spaces between values, comments among the rows, stray
quotes. Each line stays where it was, so that an error can name it.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path

from chainrule.data.sources.delimited.delimiter import SPACE, repaired, words
from chainrule.data.sources.delimited.dialect import Dialect
from chainrule.data.sources.delimited.lines import as_utf8, whole_lines
from chainrule.data.sources.plain_files import chunks, is_compressed, private_folder, unpacked, written

__all__ = ["UNIT", "plain", "plain_lines"]

UNIT = "\x1f"  # stands between values where the file has runs of spaces


@contextlib.contextmanager
def plain(path: Path, dialect: Dialect) -> Iterator[tuple[Path, int, str]]:
    """A file that DuckDB and Arrow read: its path, the lines to skip, the delimiter; the file itself where it is one.

    path: a file that can be read many times.
    dialect: as `sniff` finds it.
    """
    rewritten = (
        dialect.encoding == "utf-16"
        or dialect.line_end in ("\r", "mixed")
        or dialect.delimiter == SPACE
        or dialect.comment
        or dialect.stray_quotes
        or dialect.odd_header
        or is_compressed(path)
    )
    if not rewritten:
        yield path, dialect.skipped, dialect.delimiter
        return
    delimiter = UNIT if dialect.delimiter == SPACE else dialect.delimiter
    with private_folder() as folder:
        pieces = _without_first(plain_lines(path, dialect), dialect.skipped)
        yield written(folder / "plain", pieces, str(path)), 0, delimiter


def plain_lines(path: Path, dialect: Dialect) -> Iterator[bytes]:
    """The file in pieces of whole lines, each line where it was: UTF-8, line feeds, one delimiter, no comments."""
    change = _changes(dialect)
    with unpacked(path) as file:
        for piece in whole_lines(as_utf8(path, chunks(file), dialect.encoding)):
            if dialect.line_end in ("\r", "mixed"):
                piece = piece.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
            if change is not None:
                piece = "\n".join(map(change, piece.decode().split("\n"))).encode()
            yield piece


def _changes(dialect: Dialect) -> Callable[[str], str] | None:
    """What is done to each line, None for nothing."""
    delimiter, comment, stray = dialect.delimiter, dialect.comment, dialect.stray_quotes
    if not (delimiter == SPACE or comment or stray):
        return None

    def change(line: str) -> str:
        if comment and line.lstrip().startswith(comment):
            return ""
        if delimiter == SPACE:
            return UNIT.join(words(line))
        return repaired(line, delimiter) if stray else line

    return change


def _without_first(pieces: Iterator[bytes], lines: int) -> Iterator[bytes]:
    for piece in pieces:
        while lines and piece:
            _, _, piece = piece.partition(b"\n")
            lines -= 1
        if piece:
            yield piece
