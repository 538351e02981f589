"""Rows of a table as arrays of elements, block by block."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from chainrule.batch import Array
from chainrule.data.sources.first_reader import read_blocks, table_names
from chainrule.data.sources.objects import Source
from chainrule.data.tables.columns import Numbers, Symbols, is_gone
from chainrule.errors import InputError

__all__ = ["MOST_SYMBOLS", "Columns", "Table", "encode_column", "encode_rows", "first_table", "refused"]

MOST_SYMBOLS = 256  # rows of at most so many symbols per column are integers, which a network reads through a table
MOST_NAMES = 30  # columns that an error lists

Rows = tuple[Array, Array, Array]  # elements, numbers of the given columns, which rows are outside the domain
Where = Callable[[int], str]


@dataclass(frozen=True)
class Columns:
    """The columns of a table by their use.

    modelled: the columns that become elements.
    given: the columns that are conditioned on.
    dropped: the names of the columns that are left out.
    """

    modelled: Sequence[Symbols | Numbers]
    given: Sequence[Symbols | Numbers]
    dropped: Sequence[str]

    @property
    def are_symbols(self) -> bool:
        """Whether all modelled columns have few symbols, so that elements fit into a byte."""
        return all(isinstance(c, Symbols) and c.outcomes <= MOST_SYMBOLS for c in self.modelled)

    def check(self, names: Sequence[str], what: str) -> None:
        """Raise InputError unless a table has these columns and no others."""
        wanted, there = [column.name for column in (*self.modelled, *self.given)], set(names)
        for name in wanted:
            if name not in there:
                raise InputError(f"{what}: has no column {name!r} (it has {_shown(names)}); add it")
        known = {*self.dropped, *wanted}
        surplus = next((name for name in names if name not in known), None)
        if surplus is not None:
            raise InputError(f"{what}: has a column {surplus!r} that the model does not know; remove it")


def _shown(names: Sequence[str]) -> str:
    return ", ".join(names[:MOST_NAMES]) + (f", ... ({len(names)} columns)" if len(names) > MOST_NAMES else "")


@dataclass(frozen=True)
class Table:
    """A table that is ready to be encoded.

    what: how messages call it.
    names: of all its columns.
    blocks: starts a pass over Arrow tables of texts; canonical, where the spelling of the columns is known.
    where: names the place of a row, counted from 0.
    """

    what: str
    names: Sequence[str]
    blocks: Callable[[], Iterator[Any]]
    where: Where


def first_table(source: Source) -> Table:
    """A table as runs of the first versions read it."""
    what = source if isinstance(source, str) else "the frame"
    return Table(what, table_names(source), lambda: read_blocks(source), lambda row: f"{what} row {row + 1}")


def encode_rows(table: Table, columns: Columns, fitting: bool = False) -> Rows:
    """Elements (N, D), the numbers of the given columns (N, G), and which rows are outside the domain (N,).

    table: a table.
    columns: the columns by their use.
    fitting: whether every value has to be inside the domain.

    Raises InputError for columns that are missing or unknown, for given values that the column never had, and, in
    fitting, for values that are not a multiple of a declared resolution.
    """
    columns.check(table.names, table.what)
    pieces: list[Rows] = []
    start = 0
    for block in table.blocks():
        pieces.append(_encode_block(block, columns, fitting, lambda row, start=start: table.where(start + row)))  # type: ignore[misc]
        start += len(block)
    if not start:
        raise InputError(f"{table.what}: the table has no rows; give it examples")
    x, codes, impossible = (np.concatenate(part) for part in zip(*pieces, strict=True))
    return x, codes, impossible


def _encode_block(block: Any, columns: Columns, fitting: bool, where: Where) -> Rows:
    """The same of one block; `where` names a row of it."""
    x = np.empty((len(block), len(columns.modelled)), dtype=np.uint8 if columns.are_symbols else np.float64)
    codes = np.empty((len(block), len(columns.given)))
    impossible = np.zeros(len(block), dtype=bool)
    for d, column in enumerate(columns.modelled):
        texts, x[:, d], outside = encode_column(block, column, where)
        impossible |= outside
        if fitting and outside.any():
            row = int(np.flatnonzero(outside)[0])
            raise refused(column, where(row), texts[row].as_py())
    for g, column in enumerate(columns.given):
        texts, codes[:, g], outside = encode_column(block, column, where)
        if outside.any():
            row = int(np.flatnonzero(outside)[0])
            raise refused(column, where(row), texts[row].as_py(), is_given=True)
    return x, codes, impossible


def refused(column: Symbols | Numbers, where: str, text: str | None, is_given: bool = False) -> InputError:
    """The error for a value that a column cannot hold.

    column: the column.
    where: file and row.
    text: the value.
    is_given: whether the column is conditioned on.
    """
    if is_given:
        return InputError(
            f"{where}: the given column {column.name!r} has {text!r}, which it never had in training; there is no "
            "p(x | c) for it"
        )
    return InputError(
        f"{where}: {text!r} in the column {column.name!r} is not a {column.describe()}; declare the step in which it "
        "was recorded, or a density"
    )


def encode_column(block: Any, column: Symbols | Numbers, where: Where) -> tuple[Any, Array, Array]:
    """The texts of a column, their numbers, and which of them the column cannot hold.

    block: an Arrow table of texts; canonical, where the spelling of the column is known.
    column: the column.
    where: names the place of a row of the block.
    """
    texts = block.column(column.name).combine_chunks()
    missing = is_gone(column, texts).to_numpy(zero_copy_only=False)
    code, outside = column.encode(texts, missing, where)
    return texts, code, outside
