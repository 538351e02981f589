"""Tables in the form that samples are written in: they are known by their first line, and nothing is guessed."""

from __future__ import annotations

import csv
import re
from collections.abc import Collection, Iterator
from itertools import islice
from pathlib import Path

from chainrule.data.sources.delimited.dialect import Dialect
from chainrule.data.sources.delimited.lines import scan
from chainrule.data.sources.plain_files import unpacked

__all__ = ["own_dialect"]

HEAD = 1 << 16  # bytes
DECIMAL_COMMA = re.compile(r"^\s*[+-]?\d[\d.]*,\d+\s*$")


def own_dialect(path: Path, names: Collection[str]) -> Dialect | None:
    """How a file is written that has commas, double quotes and a header of these names; None for any other file.

    path: a file that can be read many times.
    names: those that the header holds, in any order.
    """
    found = scan(path)
    if found.encoding != "utf-8" or found.line_end != "\n":
        return None
    with unpacked(path) as file:
        head = file.read(HEAD)
    try:
        rows = list(_whole_rows(head.decode("utf-8", "ignore"), len(head) < HEAD))
    except csv.Error:
        return None
    if not rows or set(rows[0]) != set(names) or len(rows[0]) != len(names):
        return None
    body = [row for row in rows[1:] if row]
    cells = [cell for row in body for cell in row[1:]]
    if any(len(row) != len(names) for row in body) or (cells and all(cell.startswith(" ") for cell in cells)):
        return None
    if not body or any(DECIMAL_COMMA.match(cell) for row in body for cell in row):
        return None
    above = sum(cell.count("\n") for cell in rows[0]) + 1
    return Dialect(",", '"', tuple(rows[0]), skipped=above, lines=found.lines, first=tuple(body[0]))


def _whole_rows(text: str, is_all: bool) -> Iterator[list[str]]:
    """The rows of the head of a file, without the last where it is cut off."""
    count = len(text) if is_all else text.count("\n")
    lines = islice((line + "\n" for line in text.split("\n")), count)
    reader = csv.reader(lines, strict=is_all)
    held: list[str] | None = None
    for row in reader:
        if held is not None:
            yield held
        held = row
    if held is not None and is_all:
        yield held
