"""Tables that one pass has read: what their columns are, and the rows that they become.

    blocks of texts --cache_block--> cached columns --decide--> spellings --> profiles --rows--> elements

Only columns that a pass cannot keep (`cached_columns`) are read again.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

import pyarrow as pa

from chainrule.data.examples.base import Array
from chainrule.data.examples.stored import Advance
from chainrule.data.tables.cached_columns import CachedColumn, cache_block
from chainrule.data.tables.cached_profiles import canonical_texts, name_profile, number_profiles
from chainrule.data.tables.cached_rows import Kept, kept_blocks
from chainrule.data.tables.cells import Spelling, missing_from_option
from chainrule.data.tables.column_kinds import Profile, profiles
from chainrule.data.tables.decimal_marks import refuse_other_mark
from chainrule.data.tables.rows import Columns, refused
from chainrule.data.tables.survey import Survey
from chainrule.data.tables.survey_names import survey_names
from chainrule.data.tables.text_tables import Reading, TextTable, canonical_blocks
from chainrule.errors import InputError

__all__ = ["CachedTables", "cache_tables"]

FIRST = 100  # rows that are kept as they were read
EXACT = 2.0**53  # whole numbers below are exact as doubles


@dataclass
class CachedTables:
    """The columns of tables.

    tables: the parts by split.
    columns: by name, over all parts.
    blocks: of each part, the numbers and the rows of its blocks.
    first: the first rows as read.
    spellings: of each column.
    notes: what is to be said of the columns.
    """

    tables: Mapping[str, TextTable]
    columns: dict[str, CachedColumn]
    blocks: dict[str, list[tuple[int, int]]]
    first: pa.Table
    spellings: dict[str, Spelling]
    notes: list[str]
    texts: dict[str, Any]

    def rows(self, part: str) -> int:
        """The number of rows of a part."""
        return sum(rows for _, rows in self.blocks[part])

    def profiles(self, kinds: Mapping[str, str]) -> list[Profile]:
        """What each column holds, in the order of the columns. kinds: those that are declared, by name."""
        by_state: dict[str, list[str]] = {"open": [], "numbers": [], "names": [], "lost": []}
        for name, column in self.columns.items():
            by_state[column.state].append(name)
        total = sum(self.rows(part) for part in self.tables)
        found = {
            name: Profile(name, total, "", number=False, date=False, spelling=self.spellings[name])
            for name in by_state["open"]
        }
        numbers = by_state["numbers"]
        plain = number_profiles([self.columns[n] for n in numbers], [self.spellings[n] for n in numbers])
        for name, profile in zip(numbers, plain, strict=True):
            if profile.whole and max(-profile.low, profile.high) >= EXACT:
                self.columns[name].lose()  # its digits count
                by_state["lost"].append(name)
            else:
                found[name] = profile
        for name in by_state["names"]:
            as_names = kinds.get(name) in ("categorical", "identifier", "constant")
            found[name] = name_profile(self.columns[name], self.spellings[name], self.texts[name], as_names)
        if by_state["lost"]:
            spellings = {name: self.spellings[name] for name in by_state["lost"]}

            def blocks() -> Iterator[Any]:
                for table in self.tables.values():
                    yield from canonical_blocks(table, spellings)

            wanted = {name: kinds.get(name) for name in spellings}
            found |= {profile.name: profile for profile in profiles(blocks, wanted, spellings)}
        for name in (name for name in self.columns if found[name].number and not found[name].whole):
            found[name].padded = self._is_padded(name)
        return [found[name] for name in self.columns]

    def _is_padded(self, name: str) -> bool:
        """Whether the first numbers have equally many decimals; those of a source with types have no text."""
        marks = {"" if table.dialect is None else table.decimal for table in self.tables.values()}
        cells = self.first.column(name).to_pylist() if "" not in marks else []
        decimals = (cell.partition(mark)[2] for mark in marks for cell in cells if cell and cell[-1].isdigit())
        return len(set(map(len, decimals))) <= 1

    def elements(self, part: str, chosen: Columns) -> Iterator[Array]:
        """The elements of the rows of a part, of the modelled columns and then of the given ones, block by block.

        Each can be had once. chosen: the columns by their use.
        """
        table, columns = self.tables[part], [*chosen.modelled, *chosen.given]
        chosen.check(table.names, table.what)
        kept = [Kept(c, self.columns[c.name], self.texts.get(c.name)) for c in columns]
        lost = {k.column.name: self.spellings[k.column.name] for k in kept if k.cached.state == "lost"}

        def refuse(k: int, row: int, text: str | None) -> InputError:
            return refused(columns[k], table.where(row), text, is_given=k >= len(chosen.modelled))

        return kept_blocks(kept, self.blocks[part], _next_rows(table, lost), refuse)


def cache_tables(
    tables: Mapping[str, TextTable], names: Sequence[str], as_text: Collection[str], reading: Reading, advance: Advance
) -> CachedTables:
    """Read tables once.

    tables: the parts by split; a column is spelled alike in all of them, but for the notation of numbers.
    names: the columns.
    as_text: those that were declared to hold names.
    reading: what the user says.
    advance: is called with the number of rows that were read.

    Raises InputError for a column of numbers or dates in which some cells are neither.
    """
    missing = missing_from_option(reading.missing)
    columns = [CachedColumn(Survey(name, missing, as_text=name in as_text)) for name in names]
    blocks: dict[str, list[tuple[int, int]]] = {}
    first = pa.table({name: pa.nulls(0, pa.string()) for name in names})
    number, notation = 0, None
    for part, table in tables.items():
        for column in columns:
            if notation not in (None, (table.decimal, table.thousands)) and column.state == "names":
                column.lose()
            column.survey.decimal, column.survey.thousands = table.decimal, table.thousands
        notation, blocks[part] = (table.decimal, table.thousands), []
        for block in table.joined(names):
            if not block.num_rows:
                continue
            first = first if first.num_rows else block.slice(0, FIRST)
            cache_block(columns, block)
            blocks[part].append((number, block.num_rows))
            number += 1
            advance(block.num_rows)
    pa.default_memory_pool().release_unused()
    spellings, notes = _decided(tables, columns, [sum(rows for _, rows in found) for found in blocks.values()], reading)
    named = [column for column in columns if column.state == "names"]
    texts = canonical_texts(named, [spellings[column.survey.name] for column in named])
    by_name = {column.survey.name: text for column, text in zip(named, texts, strict=True)}
    return CachedTables(tables, dict(zip(names, columns, strict=True)), blocks, first, spellings, notes, by_name)


def _decided(
    tables: Mapping[str, TextTable], columns: Sequence[CachedColumn], rows: Sequence[int], reading: Reading
) -> tuple[dict[str, Spelling], list[str]]:
    """The spelling of each column, and what is to be said about it."""
    begins, parts = [0, *accumulate(rows)], list(tables.values())

    def where(row: int) -> str:
        part = min(bisect_right(begins, row), len(parts)) - 1
        return parts[part].where(row - begins[part])

    named = [column for column in columns if column.state == "names"]
    for column in named:
        column.join()
    survey_names(named)
    found = {column.survey.name: column.survey.decide(where, reading.day_first) for column in columns}
    if reading.decimal is None and all(table.dialect is not None for table in parts):
        refuse_other_mark([c for c in named if found[c.survey.name][0].kind == "text"], where)
    for column in columns:
        column.survey.later = {}
    return {name: spelling for name, (spelling, _) in found.items()}, [n for _, notes in found.values() for n in notes]


def _next_rows(table: TextTable, spellings: Mapping[str, Spelling]) -> Callable[[int], Any]:
    """Gives the next rows of some columns, canonical texts, as many as are asked for."""
    blocks = canonical_blocks(table, spellings) if spellings else iter(())
    waiting: list[pa.Table] = []

    def rows(wanted: int) -> Any:
        while sum(block.num_rows for block in waiting) < wanted:
            waiting.append(next(blocks))
        joined = pa.concat_tables(waiting)
        waiting[:] = [joined.slice(wanted)]
        return joined.slice(0, wanted)

    return rows
