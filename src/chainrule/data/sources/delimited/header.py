"""Which line holds the names of the columns, and which stand above it: titles, comments, `sep=`."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

from chainrule.data.sources.delimited.delimiter import Row
from chainrule.data.sources.delimited.numerals import is_typed
from chainrule.errors import InputError

__all__ = ["Header", "find_header", "is_comment", "unique_names"]

LOOKED_AT = 500  # rows
CELLS = 50_000  # cells of the sample that are looked at
TITLES = 20  # lines above the header
MISSING = frozenset({"", "?", "NA", "N/A", "NaN", "nan", "NULL", "null", "None", "-"})
TYPED = 0.9  # share of numbers that makes a column one of numbers


class Header(NamedTuple):
    """The first rows of a table.

    names: the cells of the header, None where there is none.
    first: index of the first row of data among the rows.
    line: number of the line of the names, 0 where there are none.
    note: what is to be said about the decision, "" for nothing.
    """

    names: list[str] | None
    first: int
    line: int = 0
    note: str = ""


def is_comment(row: Row) -> bool:
    """Whether the row begins as a comment does."""
    return row.cells[0].lstrip().startswith("#")


def find_header(rows: Sequence[Row], number: int, asked: str | int | None) -> Header:
    """Where the names stand.

    rows: of a sample.
    number: of values that most rows have.
    asked: "yes", "no", the line of the names counted from 1, or None to decide from the values.

    Raises InputError where the line that was asked for has other than `number` values.
    """
    if isinstance(asked, int):
        return _at_line(rows, number, asked)
    start = _titles(rows, number)
    if asked == "no":
        return Header(None, start)
    if asked == "yes":
        return Header(rows[start].cells, start + 1, rows[start].line)
    first, body = rows[start].cells, _body(rows[start + 1 :], number)
    if not body:
        return Header(None, start) if any(map(is_typed, first)) else Header(first, start + 1, rows[start].line)
    if _has_row_numbers(first, body):
        said = "taken for names, as only its first cell is empty, above numbers of rows"
        return Header(first, start + 1, rows[start].line, _said(rows[start], said, "no"))
    below, typed = _evidence(first, body)
    if below or typed:
        years = typed and _is_scale(first, body)
        named = bool(years) or below >= typed
        if named and typed:
            return Header(first, start + 1, rows[start].line, _said(rows[start], "numbers taken for names", "no"))
        if not named and _is_scale(first, body, strict=False):
            return Header(None, start, 0, _said(rows[start], "taken for data", "yes"))
        return Header(first, start + 1, rows[start].line) if named else Header(None, start)
    if _occurs_below(first, body):
        return Header(None, start, 0, _said(rows[start], "taken for data, as its values occur again below", "yes"))
    return Header(first, start + 1, rows[start].line)


def unique_names(names: Sequence[str] | None, number: int, where: str) -> tuple[str, ...]:
    """The names of the columns, `c0`, `c1`, ... where there are none.

    names: the cells of the header, None where there is none.
    number: of columns.
    where: file and line, for the error.

    Raises InputError where two columns have the same name.
    """
    found = [" ".join(name.split()) for name in names] if names is not None else [""] * number
    found = [name or f"c{k}" for k, name in enumerate(found)]
    seen: dict[str, int] = {}
    for k, name in enumerate(found):
        if name in seen:
            raise InputError(
                f"{where}: the columns {seen[name] + 1} and {k + 1} have the same name {name!r}; rename one, or say "
                "--header no if the line is data"
            )
        seen[name] = k
    return tuple(found)


def _at_line(rows: Sequence[Row], number: int, line: int) -> Header:
    for k, row in enumerate(rows):
        if row.line == line:
            if len(row.cells) != number:
                raise InputError(f"line {line} has {len(row.cells)} names, but the rows have {number} values")
            return Header(row.cells, k + 1, line)
    raise InputError(f"--header {line}: no row starts in line {line}; name a line of the first {rows[-1].line}")


def _titles(rows: Sequence[Row], number: int) -> int:
    """How many rows stand above the header: comments, and titles, which have fewer values than the rows."""
    start = 0
    for k, row in enumerate(rows[: min(TITLES, len(rows) - 1)]):
        filled = sum(bool(cell.strip()) for cell in row.cells)
        comment = is_comment(row) and (len(row.cells) != number or is_comment(rows[k + 1]))
        follows = _is_named(rows[k + 1].cells) and len(rows[k + 1].cells) == number
        title = number > 1 and (
            (len(row.cells) < number and (filled <= number / 2 or follows))
            or (filled <= 1 and len(row.cells) == number > 2 and follows and not any(map(is_typed, row.cells)))
        )
        if not (comment or title):
            break
        start = k + 1
    return start


def _is_named(cells: Sequence[str]) -> bool:
    return all(cell.strip() and not is_typed(cell) for cell in cells)


def _body(rows: Sequence[Row], number: int) -> list[list[str]]:
    return [row.cells for row in rows[:LOOKED_AT] if len(row.cells) == number][: max(3, CELLS // number)]


def _has_row_numbers(first: Sequence[str], body: Sequence[Sequence[str]]) -> bool:
    """Whether the first column is that of row numbers which pandas writes: no name above different whole numbers."""
    below = [row[0].strip() for row in body]
    return (
        not first[0].strip()
        and all(cell.strip() for cell in first[1:])
        and any(map(is_typed, first[1:]))
        and len(set(below)) == len(below) > 2
        and all(cell.isdigit() for cell in below)
    )


def _evidence(first: Sequence[str], body: Sequence[Sequence[str]]) -> tuple[int, int]:
    """In how many columns of numbers the first row has a text, and in how many a number."""
    texts = numbers = 0
    for k, cell in enumerate(first[: len(body[0])]):
        present = [row[k] for row in body if row[k].strip() not in MISSING]
        if not present or sum(map(is_typed, present)) < TYPED * len(present):
            continue
        numbers += is_typed(cell)
        texts += not is_typed(cell) and cell.strip() not in MISSING
    return texts, numbers


def _is_scale(first: Sequence[str], body: Sequence[Sequence[str]], strict: bool = True) -> bool:
    """Whether the numbers of the first row go up in equal steps, as years or column numbers do, and those below do not.

    strict: at least three, or two years. Not strict: whether a person could take them for a scale.
    """
    whole = [k for k, cell in enumerate(first) if re.fullmatch(r"\d{1,4}", cell.strip())]
    typed = [k for k, cell in enumerate(first) if is_typed(cell)]
    if whole != typed or len(whole) < 2:
        return False
    years = all(1500 <= int(first[k]) <= 2200 for k in whole)
    if strict and (len(whole) < 3 and not years):
        return False

    def rises(row: Sequence[str]) -> bool:
        try:
            x = [int(row[k]) for k in whole]
        except ValueError:
            return False
        steps = {b - a for a, b in pairwise(x)}
        return len(steps) == 1 and steps.pop() > 0

    def is_year(row: Sequence[str]) -> bool:
        return all(re.fullmatch(r"\d{4}", row[k].strip()) and 1500 <= int(row[k]) <= 2200 for k in whole)

    if not rises(first):
        return False
    return not any(map(is_year if years else rises, body[:20]))


def _occurs_below(first: Sequence[str], body: Sequence[Sequence[str]]) -> bool:
    """Whether the values of the first row occur again, in at least half of the columns."""
    filled = [k for k, cell in enumerate(first[: len(body[0])]) if cell.strip()]
    return 2 * sum(any(row[k] == first[k] for row in body) for k in filled) >= max(1, len(filled))


def _said(row: Row, what: str, other: str) -> str:
    shown = ", ".join(row.cells[:6]) + (", ..." if len(row.cells) > 6 else "")
    return f"line {row.line} ({shown}): {what}; --header {other} reads it the other way"
