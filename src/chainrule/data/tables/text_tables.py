"""Any table as columns of text under their names, and how its cells are spelled: the one way that tables are read.

    file or frame --TextTable--> texts --surveyed--> spelling of each column --canonical_blocks--> canonical texts

Canonical text is what all sources have in common: the same table is the same elements, whichever file it came in.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import pyarrow as pa

from chainrule.data.sources.delimited.dialect import Dialect, sniff
from chainrule.data.sources.delimited.own_table import own_dialect
from chainrule.data.sources.delimited.rows import line_of
from chainrule.data.sources.delimited.text_columns import read_delimited
from chainrule.data.sources.objects import Source
from chainrule.data.sources.table_files import is_columnar
from chainrule.data.sources.typed_tables import is_records, typed_blocks, typed_names, typed_rows
from chainrule.data.tables.cell_blocks import canonical_block
from chainrule.data.tables.cells import Spelling
from chainrule.data.tables.typed_cells import typed_texts
from chainrule.errors import InputError

__all__ = ["Reading", "TextTable", "canonical_blocks", "text_table"]

DATES = {"day-first": True, "month-first": False}
WIDE = 32  # columns from which small blocks are joined
JOINED = 1 << 23  # cells of small blocks that are joined to one


@dataclass(frozen=True)
class Reading:
    """What the user says about how a table is written; None where it is to be found.

    header: "yes", "no", or the line of the names counted from 1.
    delimiter: one character or its name (tab, space).
    decimal: "." or ",".
    missing: texts that stand for a missing value, "-,n/a".
    dates: "day-first" or "month-first", for dates such as 1/2/2024.
    """

    header: str | int | None = None
    delimiter: str | None = None
    decimal: str | None = None
    missing: str | None = None
    dates: str | None = None

    def __post_init__(self) -> None:
        if self.dates is not None and self.dates not in DATES:
            raise InputError(f"--dates is {' or '.join(DATES)}, got {self.dates!r}")

    @property
    def day_first(self) -> bool | None:
        """Whether 1/2/2024 is the first of February; None to find it."""
        return None if self.dates is None else DATES[self.dates]

    @property
    def options(self) -> dict[str, Any]:
        """The options of `load` that say the same."""
        return asdict(self)


@dataclass(frozen=True)
class TextTable:
    """A table that can be read many times.

    what: how messages call it.
    names: of the columns.
    read: the rows in blocks, Arrow tables of the named columns as text.
    where: names the place of a row, counted from 0.
    dialect: how a delimited file is written; None where columns have types.
    rows: how many there are, as far as that is known before they are read.
    """

    what: str
    names: tuple[str, ...]
    read: Callable[[Sequence[str]], Iterator[pa.Table]]
    where: Callable[[int], str]
    dialect: Dialect | None = None
    rows: int = 0

    @property
    def decimal(self) -> str:
        """The decimal mark of its numbers."""
        return "." if self.dialect is None else self.dialect.decimal

    @property
    def thousands(self) -> str:
        """The mark between groups of three digits, "" for none."""
        return "" if self.dialect is None else self.dialect.thousands

    def joined(self, wanted: Sequence[str]) -> Iterator[pa.Table]:
        """The blocks of these columns, small ones of a wide table joined, since each column of a block costs time."""
        if len(wanted) < WIDE:
            yield from self.read(wanted)
            return
        waiting: list[pa.Table] = []
        for block in self.read(wanted):
            waiting.append(block)
            if sum(b.num_rows for b in waiting) * len(wanted) >= JOINED:
                yield pa.concat_tables(waiting)
                waiting = []
        if waiting:
            yield pa.concat_tables(waiting)


def text_table(source: Source, reading: Reading, known: Collection[str] = ()) -> TextTable:
    """A table from a delimited file, a Parquet or Arrow file or a frame.

    source: a path as text, or a frame.
    reading: what the user says about it.
    known: the names of columns that it should have, where these are known: a header is told from data by them.
    """
    if isinstance(source, str) and not (is_columnar(source) or is_records(source)):
        path = Path(source)
        dialect = _dialect(path, reading, known)

        def read(wanted: Sequence[str]) -> Iterator[pa.Table]:
            places = _places(dialect.names, wanted)
            return (block.select(places) for block in read_delimited(path, dialect))

        rows = max(0, dialect.lines - dialect.skipped)
        return TextTable(
            source, dialect.names, read, lambda row: f"{path} line {line_of(path, dialect, row)}", dialect, rows
        )
    names = typed_names(source)
    what = source if isinstance(source, str) else "the frame"

    def texts(wanted: Sequence[str]) -> Iterator[pa.Table]:
        places = _places(names, wanted)
        for block in typed_blocks(source, places):
            made = [typed_texts(column, name) for column, name in zip(block.columns, wanted, strict=True)]
            yield pa.table(made, names=list(wanted))

    return TextTable(what, tuple(names), texts, lambda row: f"{what} row {row + 1}", rows=typed_rows(source))


def _places(names: Sequence[str], wanted: Sequence[str]) -> list[int]:
    place = {name: k for k, name in enumerate(names)}
    return [place[name] for name in wanted]


def _dialect(path: Path, reading: Reading, known: Collection[str]) -> Dialect:
    """As it is found; where known names are not found so, as they are."""
    asked: dict[str, Any] = {"delimiter": reading.delimiter, "decimal": reading.decimal, "header": reading.header}
    if not known:
        return sniff(path, **asked)
    own = own_dialect(path, known) if reading == Reading() else None
    if own is not None:
        return own
    others: tuple[dict[str, Any], ...] = ({}, {"header": "yes"}, {"header": "yes", "delimiter": ","}, {"header": "no"})
    for other in others:
        try:
            dialect = sniff(path, **asked | other)
        except InputError:
            continue
        if set(known) <= set(dialect.names):
            return dialect
    return sniff(path, **asked)


def canonical_blocks(table: TextTable, spellings: Mapping[str, Spelling]) -> Iterator[pa.Table]:
    """The rows of a table in blocks of canonical texts, null where a value is missing.

    table: the table, whose numbers are read in its own notation.
    spellings: of the wanted columns, in the order in which they come out.
    """
    own = [replace(s, decimal=table.decimal, thousands=table.thousands) for s in spellings.values()]
    for block in table.joined(list(spellings)):
        yield canonical_block(block, own)
