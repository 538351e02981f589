"""The cells of a block, all columns, as canonical texts; tens of thousands of columns at once.

Arrow takes some microseconds for each call, so that the columns of a wide block are joined to one long array, looked at
together, and only those that are not plain numbers one by one.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from chainrule.data.examples.base import Array
from chainrule.data.sources.delimited.numerals import NUMBER
from chainrule.data.tables.cells import Spelling, canonical, is_missing
from chainrule.data.tables.number_cells import CANONICAL, PADDED, SHORT, canonical_numbers

__all__ = ["canonical_block"]

WIDE = 32  # columns from which they are joined
CELLS = 1 << 22  # that are joined at once


def canonical_block(block: pa.Table, spellings: Sequence[Spelling]) -> pa.Table:
    """The canonical texts of a block, `canonical` of every column.

    block: columns of texts.
    spellings: one of each column.
    """
    made: list[Any] = [None] * len(spellings)
    for group in _groups([s.missing for s in spellings], [s.is_plain for s in spellings], block):
        cells = _joined(block, group)
        gone = is_missing(cells, spellings[group[0]].missing)
        cells, others = _canonical(pc.if_else(gone, None, cells))
        left = {int(k) for k in np.unique(others // block.num_rows)}
        for k in set(range(len(group))) - left:
            made[group[k]] = cells.slice(k * block.num_rows, block.num_rows)
    for k, spelling in enumerate(spellings):
        if made[k] is None:
            made[k] = canonical(block.column(k), spelling)
    return pa.table(made, names=block.column_names)


def _groups(missing: Sequence[tuple[str, ...]], able: Sequence[bool], block: pa.Table) -> list[list[int]]:
    """Columns that are looked at together; none where there are few, or few rows' worth would be gained."""
    columns = [k for k, fits in enumerate(able) if fits and missing[k] == missing[0]]
    if len(columns) < WIDE or not block.num_rows:
        return []
    size = max(1, CELLS // block.num_rows)
    return [columns[start : start + size] for start in range(0, len(columns), size)]


def _joined(block: pa.Table, columns: Sequence[int]) -> Any:
    return pa.concat_arrays([chunk for k in columns for chunk in block.column(k).chunks])


def _canonical(cells: Any) -> tuple[Any, Array]:
    """The canonical texts of plain finite numbers, and the places of what is neither that nor null."""
    short = pc.and_(pc.less_equal(pc.binary_length(cells), SHORT), pc.match_substring_regex(cells, CANONICAL))
    rest = pc.invert(pc.fill_null(short, True))
    long = cells.filter(rest)
    number = ~np.isnan(_plain(long, pc.is_null(long), 1)[0])
    made = canonical_numbers(pc.if_else(pa.array(number), long, "0"))
    places = np.flatnonzero(rest.to_numpy(zero_copy_only=False))[~number]
    return pc.replace_with_mask(cells, rest, made), places


def _plain(cells: Any, gone: Any, columns: int) -> Array:
    """The values of plain finite numbers, NaN for anything else, (columns, rows)."""
    number = pc.and_(pc.match_substring_regex(cells, NUMBER), pc.invert(pc.match_substring_regex(cells, PADDED)))
    number = pc.and_(pc.fill_null(number, False), pc.invert(gone))
    value = pc.if_else(number, cells, None).cast(pa.float64()).to_numpy(zero_copy_only=False)
    return np.where(np.isfinite(value), value, np.nan).reshape(columns, -1)
