"""The switch between the readers of tables: that of today, and the first one for the runs that it made.

A column whose spelling is recorded is read by it; a run of the first versions has recorded none.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from chainrule.data.encodings.cells import Spelling
from chainrule.data.encodings.column_kinds import Profile, profiles
from chainrule.data.encodings.column_names import assignments, listed
from chainrule.data.encodings.columns import KINDS, Numbers, Symbols
from chainrule.data.encodings.table_rows import Table, first_table
from chainrule.data.encodings.text_tables import Reading, TextTable, canonical_blocks, surveyed, text_table
from chainrule.data.sources.objects import Source
from chainrule.data.sources.plain_files import as_file
from chainrule.data.sources.rows import lines_and_rows
from chainrule.errors import InputError, unknown_name

__all__ = ["READER", "Asked", "ReadTables", "known_table", "opened"]

READER = 2  # of today
SHOWN = 12  # columns whose first value a note shows
LONGEST = 40  # characters of a value in a note

Parts = Mapping[str, Source]


@dataclass(frozen=True)
class Asked:
    """What the user says about the columns.

    kinds: of columns, by name.
    dropped: the names of those to leave out.
    given: the names of those to condition on.
    """

    kinds: dict[str, str]
    dropped: dict[str, None]
    given: list[str]

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

    @property
    def options(self) -> dict[str, Any]:
        """The options of `load` that say the same."""
        return {"columns": self.kinds or None, "drop": list(self.dropped) or None, "given": self.given or None}


@dataclass(frozen=True)
class ReadTables:
    """Tables whose columns are known.

    profiles: what the wanted columns hold, over all parts.
    parts: the tables by split, ready to be encoded.
    texts: the same as they were read; none by the first reader.
    notes: what is to be said.
    """

    profiles: list[Profile]
    parts: dict[str, Table]
    texts: dict[str, TextTable] = field(default_factory=dict)
    notes: Sequence[str] = ()

    def said(self, rows: Mapping[str, int]) -> list[str]:
        """How the tables were understood: the first row as read, the lines, and what could be read otherwise.

        rows: how many there are, by split.
        """
        said: list[str] = []
        for name, table in self.texts.items():
            if not said:
                said.append(self._first_row(table))
            if table.dialect is not None:
                said.append(f"{f'{name}: ' if name else ''}{lines_and_rows(table.dialect, rows[name])}")
                said += [note for note in table.dialect.notes if note not in said]
        return [*said, *self.notes]

    def _first_row(self, table: TextTable) -> str:
        wanted = [profile.name for profile in self.profiles][:SHOWN]
        block = next(iter(table.read(wanted)))
        spelled = (profile.spelling or Spelling() for profile in self.profiles)
        cells = ", ".join(
            f"{name}={_short(block.column(name)[0].as_py())} ({spelling.kind})"
            for name, spelling in zip(wanted, spelled, strict=False)
        )
        return f"first row as read: {cells}{', ...' if len(self.profiles) > SHOWN else ''}"


def _short(text: str | None) -> str:
    shown = "" if text is None else repr(text)[1:-1]
    return shown if len(shown) <= LONGEST else f"{shown[: LONGEST - 3]}..."


class Opened(ABC):
    """The parts of a table, of which only the names are known yet."""

    @property
    @abstractmethod
    def names(self) -> Sequence[str]:
        """Of the columns of the first part."""

    @abstractmethod
    def read(self, wanted: Sequence[str], kinds: Mapping[str, str]) -> ReadTables:
        """What the wanted columns hold. kinds: those that are declared, by name."""


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

    def read(self, wanted: Sequence[str], kinds: Mapping[str, str]) -> ReadTables:
        def blocks() -> Iterator[Any]:
            for table in self.parts.values():
                yield from table.blocks()

        found = profiles(blocks, {name: kinds.get(name) for name in wanted})
        _refuse_empty(found, next(iter(self.parts.values())).what)
        return ReadTables(found, self.parts)


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

    def read(self, wanted: Sequence[str], kinds: Mapping[str, str]) -> ReadTables:
        for table in self.texts.values():
            _check(table, wanted)
        as_text = {name for name, kind in kinds.items() if kind in ("categorical", "identifier", "constant")}
        spellings, notes = surveyed(list(self.texts.values()), wanted, as_text, self.reading)
        parts = {name: _canonical(table, spellings) for name, table in self.texts.items()}

        def blocks() -> Iterator[Any]:
            for table in parts.values():
                yield from table.blocks()

        found = profiles(blocks, {name: kinds.get(name) for name in wanted}, spellings)
        _refuse_empty(found, next(iter(self.texts.values())).what)
        return ReadTables(found, parts, self.texts, notes)


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
def known_table(source: Source, columns: Sequence[Symbols | Numbers]) -> Iterator[Table]:
    """Another table with known columns, read as their recorded spelling says; by the first reader where there is none.

    source: a path as text, or a frame.
    columns: the columns that it should have.
    """
    spellings = {column.name: column.spelling for column in columns if column.spelling is not None}
    if not spellings:
        yield first_table(source)
        return
    if not isinstance(source, str):
        table = text_table(source, Reading(), spellings)
        _check(table, list(spellings))
        yield _canonical(table, spellings)
        return
    with as_file(source) as path:
        table = text_table(str(path), Reading(), spellings)
        _check(table, list(spellings))
        yield _canonical(table, spellings)
