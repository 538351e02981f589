"""Rows of which some values are none that the columns can have, as the nearest rows that can be."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from chainrule.batch import Array
from chainrule.data.tables.cells import Spelling, values
from chainrule.data.tables.columns import Numbers, Symbols, is_gone, number_elements
from chainrule.data.tables.rows import Columns, Table, refused

__all__ = ["NearestRows", "nearest_rows"]

LARGEST = 1e100  # whose squares and number of steps a float64 holds; what is larger is as infinite


@dataclass(frozen=True)
class NearestRows:
    """The nearest possible rows, and where they differ from what came.

    x: elements, shape (N, D).
    codes: numbers of the given columns, shape (N, G).
    between: numbers between two multiples of the step, which became the nearest multiple, shape (N, D).
    outside: other values that the column cannot have, such as a name that was never there or a text among numbers.
    """

    x: Array
    codes: Array
    between: Array
    outside: Array


def nearest_rows(table: Table, columns: Columns, usual: Array) -> NearestRows:
    """The rows of a table, whatever stands in the modelled columns.

    A number becomes the nearest one that the column can have, an ordinal level the nearest level; anything else what is
    usual in the column.

    table: a table.
    columns: the columns by their use.
    usual: an element of each modelled column, shape (D,).

    Raises InputError for columns that are missing or unknown, and for given values that the column never had.
    """
    columns.check(table.names, table.what)
    pieces, start = [], 0
    for block in table.blocks():
        found = [_nearest(block, column, usual[d]) for d, column in enumerate(columns.modelled)]
        parts = [np.stack(part, 1) for part in zip(*found, strict=True)]
        pieces.append([*parts, _codes(block, columns, table, start)])
        start += len(block)
    width = len(columns.modelled)
    if not pieces:
        return NearestRows(np.zeros((0, width)), np.zeros((0, 0)), *np.zeros((2, 0, width), dtype=bool))
    x, between, outside, codes = (np.concatenate(part) for part in zip(*pieces, strict=True))
    return NearestRows(x, codes, between, outside)


def _codes(block: Any, columns: Columns, table: Table, start: int) -> Array:
    """The numbers of the given columns of a block that begins at a row."""
    codes = np.empty((len(block), len(columns.given)))
    for g, column in enumerate(columns.given):
        texts = block.column(column.name).combine_chunks()
        gone = is_gone(column, texts).to_numpy(zero_copy_only=False)
        codes[:, g], outside = column.encode(texts, gone, lambda row: table.where(start + row))
        if outside.any():
            row = int(np.flatnonzero(outside)[0])
            raise refused(column, table.where(start + row), texts[row].as_py(), is_given=True)
    return codes


def _nearest(block: Any, column: Symbols | Numbers, usual: float) -> tuple[Array, Array, Array]:
    """Elements of a column, which of them lay between two steps, and which are of other values."""
    texts = block.column(column.name).combine_chunks()
    gone = is_gone(column, texts).to_numpy(zero_copy_only=False)
    return _symbols(column, texts, gone, usual) if isinstance(column, Symbols) else _numbers(column, texts, gone, usual)


def _symbols(column: Symbols, texts: Any, gone: Array, usual: float) -> tuple[Array, Array, Array]:
    x, outside = column.encode(texts, gone, str)
    x = np.where(outside, usual, x)
    if outside.any() and column.kind == "ordinal":
        value, levels = _values(texts), _values(column.values)
        near = outside & np.isfinite(value)
        x[near] = np.abs(value[near, None] - levels).argmin(1) if np.isfinite(levels).all() else usual
    return x, np.zeros(len(x), dtype=bool), outside


def _numbers(column: Numbers, texts: Any, gone: Array, usual: float) -> tuple[Array, Array, Array]:
    value = np.where(gone, np.nan, _values(texts, "date" if column.kind == "date" else "number"))
    value = np.where(np.abs(value) > LARGEST, np.copysign(np.inf, value), value)
    (x,), (outside,) = number_elements([column], value[None])
    nearest = np.rint(value / (column.resolution or 1.0))
    below = (nearest < 0) & (column.kind == "count")
    between = outside & np.isfinite(value) & ~below
    other = (outside & ~between) | (np.isnan(value) & ~gone)
    return np.where(between, nearest, np.where(below, 0.0, np.where(other, usual, x))), between, other


def _values(texts: Any, kind: str = "number") -> Array:
    """The values of canonical texts, NaN where they are none."""
    import pyarrow as pa

    return values(pa.array(texts, pa.string()) if isinstance(texts, tuple) else texts, Spelling(kind))
