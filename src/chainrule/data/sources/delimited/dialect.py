"""How a delimited file is written: its delimiter, quotes, header, and notation of numbers, found before it is read."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from chainrule.data.sources.delimited.delimiter import (
    ONE_COLUMN,
    SPACE,
    Row,
    columns_of,
    find_delimiter,
    repaired,
    split_rows,
)
from chainrule.data.sources.delimited.duck import suggested_delimiter
from chainrule.data.sources.delimited.header import Header, find_header, is_comment, unique_names
from chainrule.data.sources.delimited.lines import Scan, scan
from chainrule.data.sources.delimited.numerals import Notation, notation
from chainrule.data.sources.delimited.samples import first_lines, later_lines
from chainrule.errors import InputError

__all__ = ["Dialect", "sniff"]

MOST_LINES = 2000  # lines among which the delimiter is looked for
NUMERALS = 60_000  # cells whose notation is looked at
SEPARATOR_LINE = re.compile(r"^\s*sep=(.)\s*$", re.IGNORECASE)
SINGLE = "'"
SINGLY_QUOTED = re.compile(r"(?:^|[,;\t|]) ?'(?:[^']|'')*'(?=$|[,;\t|\r\n])")
DELIMITER_NAMES = {"tab": "\t", "\\t": "\t", "space": SPACE, "comma": ",", "semicolon": ";", "none": ONE_COLUMN}


@dataclass(frozen=True)
class Dialect:
    r"""How a delimited file is written.

    delimiter: one character between values; " " for runs of spaces and tabs, "\x1f" for a file of one column.
    quote: character around values, "" for none.
    names: of the columns; `c0`, `c1`, ... where the file has none.
    has_header: whether the file has names.
    skipped: lines before the first row of data: titles, comments and the header.
    decimal: "." or ",".
    thousands: mark between groups of three digits, "" for none.
    encoding: "utf-8", "utf-8-sig" or "utf-16".
    line_end: "\n", "\r\n", "\r" or "mixed".
    comment: character that begins a line without data, "" for none.
    spaced: whether spaces around a delimiter are no part of the values.
    trailing: whether every row ends with a delimiter that no value follows.
    stray_quotes: whether single quotes stand in values that are not quoted.
    blank_end: blank lines at the end.
    odd_header: whether a line before the data has an odd number of quotes.
    lines: of the whole file.
    first: first row of data, as read.
    notes: what was decided and could be otherwise, one sentence each.
    """

    delimiter: str
    quote: str
    names: tuple[str, ...]
    has_header: bool = True
    skipped: int = 1
    decimal: str = "."
    thousands: str = ""
    encoding: str = "utf-8"
    line_end: str = "\n"
    comment: str = ""
    spaced: bool = False
    trailing: bool = False
    stray_quotes: bool = False
    blank_end: int = 0
    odd_header: bool = False
    lines: int = 0
    first: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def width(self) -> int:
        """The number of values in a line."""
        return len(self.names) + self.trailing


class Asked(NamedTuple):
    """What the user says about a file: as the parameters of `sniff`."""

    delimiter: str | None
    decimal: str | None
    header: str | int | None


class Written(NamedTuple):
    """How values are told apart: see `Dialect`."""

    delimiter: str
    quote: str
    spaced: bool
    stray: bool


def sniff(
    path: Path, *, delimiter: str | None = None, decimal: str | None = None, header: str | int | None = None
) -> Dialect:
    """How a delimited file is written, from its first rows, and from every line for its quotes and line ends.

    path: a file that can be read many times (see `as_file`), perhaps compressed.
    delimiter: one character or its name (tab, space), None to find it.
    decimal: "." or ",", None to find it.
    header: "yes", "no", the line of the names counted from 1, or None to find it.

    Raises InputError for a file without rows, of another format or encoding, for two columns of the same name, and for
    an option that is none of these.
    """
    asked = _checked(delimiter, decimal, header)
    found = scan(path)
    lines, complete = first_lines(path, found)
    separator = SEPARATOR_LINE.match(lines[0]) if lines else None
    before = 1 if separator else 0
    lines = lines[before:]
    if not any(line.strip() for line in lines):
        raise InputError(f"{path}: the table is empty; give it rows")
    quote = '"' if found.quotes else SINGLE if _in_single_quotes(lines) else ""
    content = [line for line in lines if not line.lstrip().startswith("#")] or lines
    chosen = asked.delimiter or (separator.group(1) if separator else "")
    chosen = chosen or find_delimiter(content[:MOST_LINES], quote, suggested_delimiter(content[:MOST_LINES]))
    stray = _are_stray(found, content, chosen)
    rows = split_rows([repaired(line, chosen) for line in lines] if stray else lines, chosen, quote, before)
    rows = rows[:-1] if len(rows) > 2 and not complete else rows
    if chosen == ONE_COLUMN and complete and found.blank_end:
        rows = rows[: -found.blank_end]
    later = [] if complete else split_rows(later_lines(path, found), chosen, quote)
    try:
        return _dialect(found, Written(chosen, quote, _is_spaced(lines, chosen), stray), rows, later, asked)
    except InputError as error:
        raise InputError(f"{path}{'' if str(error).startswith(' line') else ': '}{error}") from None


def _dialect(found: Scan, written: Written, rows: list[Row], later: list[Row], asked: Asked) -> Dialect:
    plain = [row for row in rows if not is_comment(row)] or rows
    number, _ = columns_of(
        sorted(plain[-max(1, len(plain) - 1) :], key=lambda row: len(row.cells) != len(plain[0].cells))
    )
    top = find_header(rows, number, asked.header)
    body = rows[top.first :]
    commented = any(is_comment(row) and len(row.cells) != number for row in body)
    body = [row for row in body if not (commented and is_comment(row))]
    if not body:
        raise InputError("has a header and no rows; give it rows, or say --header no if the line is data")
    same = [row.cells for row in body if len(row.cells) == number]
    names, trailing, renamed = _fitted_names(top, same, number)
    seen = (*same, *(row.cells for row in later if len(row.cells) == number))
    cells = dict.fromkeys(cell for row in seen for cell in row)
    marks = notation(islice(cells, 0, None, 1 + len(cells) // NUMERALS), written.delimiter, asked.decimal)
    return Dialect(
        delimiter=written.delimiter,
        quote=written.quote,
        names=unique_names(names, number - trailing, f" line {rows[top.first - 1].line}"),
        has_header=names is not None,
        skipped=body[0].line - 1,
        decimal=marks.decimal,
        thousands=marks.thousands,
        encoding=found.encoding,
        line_end=found.line_end,
        comment="#" if commented else "",
        spaced=written.spaced,
        trailing=trailing,
        stray_quotes=written.stray,
        blank_end=found.blank_end,
        lines=found.lines,
        odd_header=any(line < body[0].line for line, _ in found.odd),
        first=tuple(cell.strip(" ") if written.spaced else cell for cell in body[0].cells[: number - trailing]),
        notes=tuple(filter(None, (*_notes(rows, top, marks, written.stray), renamed))),
    )


def _fitted_names(top: Header, same: list[list[str]], number: int) -> tuple[list[str] | None, bool, str]:
    """The names as many as the columns, whether the lines end with a delimiter, and what is to be said."""
    names = top.names
    empty = number > 1 and not any(row[-1].strip() for row in same)
    trailing = empty and (names is None or len(names) < number or not names[-1].strip()) and len(same) > 1
    if names is None:
        return None, trailing, ""
    names = [names[0].lstrip("# "), *names[1:]]
    if not any(name.strip() for name in names[number - trailing :]):
        names = names[: number - trailing]
    if len(names) == number - 1 and not trailing:
        return ["row", *names], False, "the header lacks the name of the first column, which is called 'row'"
    if len(names) != number - trailing:
        raise InputError(
            f" line {top.line}: the header has {len(names)} names, but the rows have {number} values; correct it, "
            "or say --header no or --header N for the line of the names"
        )
    return names, trailing, ""


def _notes(rows: list[Row], top: Header, marks: Notation, stray: bool) -> Iterator[str]:
    yield top.note
    above = top.first - (top.names is not None)
    if above:
        yield f"skipped above the table: {'; '.join(repr(', '.join(row.cells)) for row in rows[:above])}"
    if marks.ambiguous:
        other = "," if marks.decimal == "." else "."
        yield (
            f"{marks.ambiguous} is read with the decimal mark {marks.decimal!r}; --decimal {other!r} reads it otherwise"
        )
    if stray:
        yield "single double quotes within values are read as they stand"


def _checked(delimiter: str | None, decimal: str | None, header: str | int | None) -> Asked:
    if decimal not in (None, ".", ","):
        raise InputError(f"--decimal is '.' or ',', got {decimal!r}")
    if isinstance(header, str) and header.isdigit():
        header = int(header)
    if not (header in (None, "yes", "no") or (isinstance(header, int) and header > 0)):
        raise InputError(f"--header is yes, no, or the line of the names counted from 1; got {header!r}")
    if delimiter is not None:
        delimiter = DELIMITER_NAMES.get(delimiter.lower(), delimiter.strip(" ") or delimiter[:1])
        if len(delimiter) != 1 or delimiter in '"\r\n':
            raise InputError(f"--delimiter is one character, or tab, space or none; got {delimiter!r}")
    return Asked(delimiter, decimal, header)


def _is_spaced(lines: Sequence[str], delimiter: str) -> bool:
    if delimiter in (SPACE, ONE_COLUMN, "\t"):
        return False
    text = "".join(lines[:1000])
    return text.count(delimiter + " ") > 0.5 * text.count(delimiter)


def _in_single_quotes(lines: Sequence[str]) -> bool:
    """Whether the values stand in single quotes, as some programs write them."""
    some = lines[:100]
    return sum(len(SINGLY_QUOTED.findall(line)) for line in some) > 0.8 * len(some)


def _are_stray(found: Scan, lines: Sequence[str], delimiter: str) -> bool:
    """Whether every line with an odd number of quotes is a row of its own, so that no quoted value spans lines.

    Values that do span lines leave rows of more values, or more of one length, than lines that are cut apart.
    """
    if not found.odd or delimiter in (SPACE, ONE_COLUMN):
        return False
    number, share = columns_of(split_rows(lines, delimiter, ""))
    quoted, quoted_share = columns_of(split_rows(lines, delimiter, '"'))
    if quoted > number or (quoted == number and quoted_share > share):
        return False
    odd = [line.decode("utf-8", "replace") for _, line in found.odd]
    return number > 1 and all(len(row.cells) == number for row in split_rows(odd, delimiter, ""))
