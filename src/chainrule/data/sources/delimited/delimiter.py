"""Which character stands between the values of a line, and whether spaces follow it, found on a sample of lines."""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Sequence
from itertools import islice
from typing import NamedTuple

from chainrule.data.sources.delimited.numerals import is_typed

__all__ = ["ONE_COLUMN", "SPACE", "Row", "columns_of", "find_delimiter", "repaired", "split_rows", "words"]

ONE_COLUMN = "\x1f"  # a unit separator stands in no table of one column
SPACE = " "  # one or more spaces and tabs
CANDIDATES = (",", ";", "\t", "|", SPACE)
LOOKED_AT = 200  # rows
CELLS = 20_000  # cells whose type is looked at
WORD = re.compile(r'"[^"]*"|\S+')
QUOTED = re.compile(r'^"(?:[^"]|"")*"$')
csv.field_size_limit(1 << 30)


class Row(NamedTuple):
    """A row of a sample: the number of its first line, counted from 1, and its values."""

    line: int
    cells: list[str]


def words(line: str) -> list[str]:
    r"""The values of a line that is delimited by runs of spaces and tabs; quoted ones may hold spaces.

    >>> words('18.0   8\t"buick skylark"')
    ['18.0', '8', 'buick skylark']
    """
    return [word[1:-1] if word[0] == word[-1] == '"' and len(word) > 1 else word for word in WORD.findall(line)]


def split_rows(
    lines: Sequence[str], delimiter: str, quote: str, skipped: int = 0, most: int | None = None
) -> list[Row]:
    """The rows of the lines, without blank ones (which a table of one column keeps).

    lines: with their line ends.
    delimiter: one character; `SPACE` for runs of spaces and tabs, `ONE_COLUMN` for none.
    quote: one character, "" for none.
    skipped: number of lines before them.
    most: rows that are wanted; None for all.
    """
    if delimiter == SPACE:
        filled = ((k, line) for k, line in enumerate(lines, start=1) if line.strip())
        return [Row(skipped + k, words(line)) for k, line in islice(filled, most)]
    reader = csv.reader(
        lines,
        delimiter=delimiter,
        quotechar=quote or None,
        quoting=csv.QUOTE_MINIMAL if quote else csv.QUOTE_NONE,
        skipinitialspace=bool(quote) and delimiter != "\t",
    )
    rows, line = [], 1
    try:
        for cells in reader:
            if cells or delimiter == ONE_COLUMN:
                rows.append(Row(skipped + line, cells or [""]))
                if len(rows) == most:
                    break
            line = reader.line_num + 1
    except csv.Error:  # not a table under this reading
        return rows
    return rows


def repaired(line: str, delimiter: str) -> str:
    """The line with its stray quotes written as quotes within a value.

    >>> print(repaired('1,5" pipe,"fine"', ","))
    1,"5"" pipe","fine"
    """
    if line.count('"') % 2 == 0:
        return line
    body = line.rstrip("\r\n")
    cells = body.split(delimiter)
    mended = (cell if '"' not in cell or QUOTED.match(cell) else '"' + cell.replace('"', '""') + '"' for cell in cells)
    return delimiter.join(mended) + line[len(body) :]


def columns_of(rows: Sequence[Row]) -> tuple[int, float]:
    """The number of values that most rows have, and the share of such rows."""
    counts = Counter(len(row.cells) for row in rows)
    if not counts:
        return 0, 0.0
    most, n = counts.most_common(1)[0]
    return most, n / counts.total()


def find_delimiter(lines: Sequence[str], quote: str, suggestion: str = "") -> str:
    """The delimiter under which the rows have the same number of values and these values are numbers, dates or names.

    lines: the first lines of the file, with their line ends.
    quote: one character, "" for none.
    suggestion: what DuckDB found, which decides between readings that are otherwise as good.
    """
    best, highest = ONE_COLUMN, 1.0
    alone = _typed(split_rows(lines, ONE_COLUMN, quote), 1)
    for rank, delimiter in enumerate(CANDIDATES):
        rows = split_rows(lines, delimiter, quote, most=LOOKED_AT)
        number, share = columns_of(rows)
        ragged = share <= 0.5 and (delimiter == SPACE or len(rows[0].cells) != number)
        if number < 2 or ragged:
            continue
        typed = _typed(rows, number)
        if delimiter == SPACE and typed < 0.5:
            continue  # names of several words
        if alone == 1.0 and number == 2 and (delimiter == SPACE or (len(rows[0].cells) == 1 and delimiter == ",")):
            continue  # one column of times or of decimal commas
        score = share + typed + (0.1 if delimiter == suggestion else 0.0) - 0.01 * rank
        if best == ONE_COLUMN or score > highest:
            best, highest = delimiter, score
    return best


def _typed(rows: Sequence[Row], number: int) -> float:
    """The share of numbers, dates and truth values among the values below the first row."""
    body = [row.cells for row in rows[1:] if len(row.cells) == number][: max(3, CELLS // number)]
    cells = [cell for row in body for cell in row if cell.strip()]
    return sum(map(is_typed, cells)) / len(cells) if cells else 0.0
