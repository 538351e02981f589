"""The switch between the readers of tables: that of today, and the first one for the runs that it made.

A column whose spelling is recorded is read by it; a run of the first versions has recorded none.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any

import numpy as np

from chainrule.data.examples.stored import Progress
from chainrule.data.sources.delimited.rows import lines_and_rows
from chainrule.data.sources.memory import refuse_above_memory
from chainrule.data.sources.objects import Source
from chainrule.data.sources.plain_files import as_file
from chainrule.data.tables.cached_tables import CachedTables, cache_tables
from chainrule.data.tables.cells import Spelling
from chainrule.data.tables.column_kinds import Profile, profiles
from chainrule.data.tables.column_names import assignments, listed
from chainrule.data.tables.columns import KINDS, Numbers, Symbols
from chainrule.data.tables.divided_rows import RowBlocks
from chainrule.data.tables.rows import Columns, Table, encode_rows, first_table
from chainrule.data.tables.splits import GroupColumn
from chainrule.data.tables.text_tables import Reading, TextTable, canonical_blocks, text_table
from chainrule.errors import InputError, unknown_name

__all__ = ["Asked", "ReadTables", "known_table", "opened"]

OF_CELL = 2.0  # bytes of memory at least: what one pass keeps of it, and the element
SHOWN = 12  # columns whose first value a note shows
LONGEST = 40  # characters of a value in a note

Parts = Mapping[str, Source]


@dataclass(frozen=True)
class Asked:
    """What the user says about the columns.

    kinds: of columns, by name.
    dropped: the names of those to leave out.
    given: the names of those to condition on.
    split_column: the name of the one that says the split of each row; None where there is none.
    """

    kinds: dict[str, str]
    dropped: dict[str, None]
    given: list[str]
    split_column: str | None = None

    @classmethod
    def of(
        cls,
        what: str,
        names: Sequence[str],
        columns: str | Mapping[str, str] | None,
        drop: str | Sequence[str] | None,
        given: str | Sequence[str] | None,
    ) -> Asked:
        """As the options of `load` say it.

        what: how messages call the table.
        names: of its columns.
        columns, drop, given: the options.

        Raises InputError for a column or a kind that there is not.
        """
        pairs = assignments(columns, names)
        if pairs is None:
            raise InputError(f"--columns {columns}: expected a kind for each column: name=kind,...")
        for name, kind in pairs:
            if kind.partition(":")[0] not in KINDS:
                raise unknown_name(f"kind of the column {name!r}", kind, KINDS)
        asked = cls(dict(pairs), dict.fromkeys(listed(drop, names)), listed(given, names))
        there = set(names)
        for name in (*asked.kinds, *asked.dropped, *asked.given):
            if name not in there:
                raise unknown_name(f"column of {what}", name, names)
        return asked

    def without(self, split_column: str | None) -> Asked:
        """The same, with the column that says the split left out; its values are names, whatever they look like."""
        if split_column is None:
            return self
        if split_column in self.given:
            raise InputError(f"the column {split_column!r} says the split and cannot be given; leave it out of --given")
        return Asked(
            self.kinds | {split_column: "categorical"}, self.dropped | {split_column: None}, self.given, split_column
        )

    @property
    def options(self) -> dict[str, Any]:
        """The options of `load` that say the same."""
        kinds = {name: kind for name, kind in self.kinds.items() if name != self.split_column}
        dropped = [name for name in self.dropped if name != self.split_column]
        return {"columns": kinds or None, "drop": dropped or None, "given": self.given or None}


class ReadTables(ABC):
    """Tables whose columns are known.

    profiles: what the wanted columns hold, over all parts.
    """

    profiles: Sequence[Profile]

    @abstractmethod
    def elements(self, chosen: Columns) -> dict[str, RowBlocks]:
        """The rows of each part, of the modelled columns and then of the given ones. chosen: the columns by their use.

        They can be had once.
        """

    @abstractmethod
    def table(self, part: str, name: str) -> Table:
        """A part as canonical texts of one of its wanted columns, which are read again."""

    def said(self) -> list[str]:
        """How the tables were understood, one phrase each."""
        return []


@dataclass(frozen=True)
class FirstTables(ReadTables):
    """Tables of the first reader.

    parts: the tables by split.
    """

    profiles: Sequence[Profile]
    parts: Mapping[str, Table]

    def elements(self, chosen: Columns) -> dict[str, RowBlocks]:
        found = {}
        for name, table in self.parts.items():
            x, codes, _ = encode_rows(table, chosen, fitting=True)
            whole = np.concatenate([x, codes], 1) if chosen.given else x
            found[name] = RowBlocks(len(x), whole.shape[1], whole.dtype.type, iter([whole]))
        return found

    def table(self, part: str, name: str) -> Table:
        return self.parts[part]


@dataclass(frozen=True)
class TablesOfToday(ReadTables):
    """Tables of the reader of today.

    cached: what was kept of them.
    """

    profiles: Sequence[Profile]
    cached: CachedTables

    def elements(self, chosen: Columns) -> dict[str, RowBlocks]:
        dtype = np.uint8 if chosen.are_symbols and not chosen.given else np.float64
        width = len(chosen.modelled) + len(chosen.given)
        return {
            part: RowBlocks(self.cached.rows(part), width, dtype, self.cached.elements(part, chosen))
            for part in self.cached.tables
        }

    def table(self, part: str, name: str) -> Table:
        return _canonical(self.cached.tables[part], {name: self.cached.spellings[name]})

    def said(self) -> list[str]:
        """The first row as read, the lines, and what could be read otherwise."""
        said = [self._first_row()]
        for name, table in self.cached.tables.items():
            if table.dialect is not None:
                lines = lines_and_rows(table.dialect, self.cached.rows(name))
                said.append(f"{f'{name}: ' if name else ''}{lines}")
                said += [note for note in table.dialect.notes if note not in said]
        return [*said, *self.cached.notes]

    def _first_row(self) -> str:
        wanted = list(self.cached.columns)[:SHOWN]
        cells = (
            f"{name}={_short(self.cached.first.column(name)[0].as_py())} ({self.cached.spellings[name].kind})"
            for name in wanted
        )
        return f"first row as read: {', '.join(cells)}{', ...' if len(self.cached.columns) > SHOWN else ''}"


def _short(text: str | None) -> str:
    shown = "" if text is None else repr(text)[1:-1]
    return shown if len(shown) <= LONGEST else f"{shown[: LONGEST - 3]}..."


class Opened(ABC):
    """The parts of a table, of which only the names are known yet."""

    @property
    @abstractmethod
    def names(self) -> Sequence[str]:
        """The columns of the first part."""

    @abstractmethod
    def read(self, wanted: Sequence[str], kinds: Mapping[str, str], progress: Progress | None = None) -> ReadTables:
        """What the wanted columns hold.

        wanted: their names.
        kinds: those that are declared, by name.
        progress: shows how many rows were read; None shows nothing.
        """


def opened(parts: Parts, reading: Reading | None) -> Opened:
    """The parts of a table. reading: what the user says about it; None for the first reader."""
    return FirstReader(parts) if reading is None else Reader(parts, reading)


class FirstReader(Opened):
    """The reader of the first versions."""

    def __init__(self, parts: Parts) -> None:
        self.parts = {name: first_table(part) for name, part in parts.items()}

    @property
    def names(self) -> Sequence[str]:
        return next(iter(self.parts.values())).names

    def read(self, wanted: Sequence[str], kinds: Mapping[str, str], progress: Progress | None = None) -> ReadTables:
        def blocks() -> Iterator[Any]:
            for table in self.parts.values():
                yield from table.blocks()

        found = profiles(blocks, {name: kinds.get(name) for name in wanted})
        _refuse_empty(found, next(iter(self.parts.values())).what)
        return FirstTables(found, self.parts)


class Reader(Opened):
    """The reader of today."""

    def __init__(self, parts: Parts, reading: Reading) -> None:
        self.reading = reading
        self.texts: dict[str, TextTable] = {}
        for name, part in parts.items():
            self.texts[name] = text_table(part, reading, self.names if self.texts else ())

    @property
    def names(self) -> Sequence[str]:
        return next(iter(self.texts.values())).names

    def read(self, wanted: Sequence[str], kinds: Mapping[str, str], progress: Progress | None = None) -> ReadTables:
        for table in self.texts.values():
            _check(table, wanted)
        as_text = {name for name, kind in kinds.items() if kind in ("categorical", "identifier", "constant")}
        what = next(iter(self.texts.values())).what
        total = sum(table.rows for table in self.texts.values())
        cells = f"holds {total:,} rows of {len(wanted):,} columns"
        refuse_above_memory(
            OF_CELL * total * len(wanted), what, cells, "leave out columns with --drop, or give fewer rows"
        )
        with nullcontext(silent) if progress is None else progress(f"opening {what}", total) as advance:
            cached = cache_tables(self.texts, wanted, as_text, self.reading, advance)
        if wanted and not any(cached.rows(part) for part in cached.tables):
            raise InputError(f"{what}: the table has no rows; give it examples")
        return TablesOfToday(cached.profiles(kinds), cached)


def silent(amount: int) -> None:
    """Shows nothing."""


def _canonical(table: TextTable, spellings: Mapping[str, Spelling]) -> Table:
    return Table(table.what, table.names, lambda: canonical_blocks(table, spellings), table.where)


def _check(table: TextTable, wanted: Sequence[str]) -> None:
    there = set(table.names)
    absent = next((name for name in wanted if name not in there), None)
    if absent is not None:
        raise InputError(f"{table.what}: has no column {absent!r} (it has {', '.join(table.names[:SHOWN])}); add it")


def _refuse_empty(found: Sequence[Profile], what: str) -> None:
    if found and not any(profile.rows for profile in found):
        raise InputError(f"{what}: the table has no rows; give it examples")


@contextmanager
def known_table(
    source: Source, columns: Sequence[Symbols | Numbers], others: Sequence[GroupColumn] = ()
) -> Iterator[Table]:
    """Another table with known columns, read as their recorded spelling says; by the first reader where there is none.

    source: a path as text, or a frame.
    columns: the columns that it should have.
    others: columns that it may have, which are read, too.
    """
    spellings = {column.name: column.spelling for column in columns if column.spelling is not None}
    if not spellings:
        yield first_table(source)
        return
    if not isinstance(source, str):
        yield _known(text_table(source, Reading(), spellings), spellings, others)
        return
    with as_file(source) as path:
        yield _known(text_table(str(path), Reading(), spellings), spellings, others)


def _known(table: TextTable, spellings: dict[str, Spelling], others: Sequence[GroupColumn]) -> Table:
    _check(table, list(spellings))
    there = {other.name: other.spelling for other in others if other.spelling is not None and other.name in table.names}
    return _canonical(table, there | spellings)
