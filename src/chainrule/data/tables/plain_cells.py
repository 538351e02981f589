"""Cells that are plain numbers, as doubles: the quick way, which most columns of most tables take.

A plain number has a decimal point and nothing around it, and is finite: `12`, `-0.5`, `1e3`; not `007`, ` 1` or `5 %`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from chainrule.data.examples.base import Array
from chainrule.data.tables.cells import is_missing

__all__ = ["doubles", "doubles_of_block"]

WIDE = 32  # columns from which they are joined
CELLS = 1 << 22  # that are joined at once
LOOKED_AT = 8  # cells of a column that decide whether it is tried
ZERO, NINE, PLUS, MINUS = (ord(sign) for sign in "09+-")


def doubles(cells: Any, missing: tuple[str, ...]) -> Array | None:
    """The values of plain numbers, float64, NaN where one is missing; None where any cell is something else.

    cells: Arrow texts, perhaps null.
    missing: texts that stand for a missing value, spaces around them apart.

    >>> doubles(pa.array(["1", None, "NA", "2.5"]), ("", "NA"))
    array([1. , nan, nan, 2.5])
    >>> doubles(pa.array(["1", "007"]), ("",)) is None
    True
    """
    if any(map(_is_number, missing)):  # such as -999
        cells = pc.if_else(is_missing(cells, missing), None, cells)
    value = _cast(cells)
    if value is None:
        gone = is_missing(cells, missing)
        if pc.sum(gone).as_py() in (cells.null_count, None):
            return None
        cells = pc.if_else(gone, None, cells)
        value = _cast(cells)
    return None if value is None or _any_padded(cells) else value


def doubles_of_block(
    block: pa.Table, columns: Sequence[int], missing: tuple[str, ...]
) -> Iterator[tuple[list[int], Array]]:
    """The columns of a block that hold plain numbers, and their values, (columns, rows), some columns at a time.

    block: columns of texts.
    columns: those that are looked at.
    missing: texts that stand for a missing value.
    """
    size = max(1, CELLS // max(1, block.num_rows)) if len(columns) >= WIDE else 1
    likely = list(columns) if size == 1 else [k for k in columns if _begins_plainly(block.column(k), missing)]
    for start in range(0, len(likely), size):
        yield from _halved(block, likely[start : start + size], missing)


def _halved(block: pa.Table, columns: list[int], missing: tuple[str, ...]) -> Iterator[tuple[list[int], Array]]:
    """The same; where one of the columns is not plain, each half of them is looked at alone."""
    cells = pa.concat_arrays([chunk for k in columns for chunk in block.column(k).chunks])
    value = doubles(cells, missing)
    if value is not None:
        yield columns, value.reshape(len(columns), -1)
    elif len(columns) > 1:
        middle = len(columns) // 2
        yield from _halved(block, columns[:middle], missing)
        yield from _halved(block, columns[middle:], missing)


def _begins_plainly(column: Any, missing: tuple[str, ...]) -> bool:
    """Whether the first cell that is not missing may be a plain number."""
    for cell in column.slice(0, LOOKED_AT).to_pylist():
        if cell is not None and cell.strip() not in missing:
            return _is_number(cell)
    return True


def _is_number(text: str) -> bool:
    try:
        return bool(np.isfinite(float(text)))
    except ValueError:
        return False


def _cast(cells: Any) -> Array | None:
    """Finite values, NaN where a cell is null; None where any other is none."""
    try:
        cells.slice(0, 8).cast(pa.float64())  # a cast that fails late is slow
        value = cells.cast(pa.float64())
    except pa.ArrowInvalid:
        return None
    x = np.asarray(value.to_numpy(zero_copy_only=False))
    return x if int(np.isfinite(x).sum()) == len(cells) - cells.null_count else None


def _any_padded(cells: Any) -> bool:
    """Whether any number has zeros that mean something, as 007 and -05 do. cells: numbers or null."""
    _, offsets, data = cells.buffers()
    if data is None or not len(cells):
        return False
    edges = np.frombuffer(offsets, np.int32, len(cells) + 1, cells.offset * 4)
    letters = np.frombuffer(data, np.uint8)
    at, length = edges[:-1], np.diff(edges)
    at, length = at[length > 1], length[length > 1]
    first = letters[at]
    signed = (first == PLUS) | (first == MINUS)
    at, length = at[signed | (first == ZERO)], (length - signed)[signed | (first == ZERO)]
    at = (at + signed[signed | (first == ZERO)])[length > 1]
    second = letters[at + 1]
    return bool(((letters[at] == ZERO) & (second >= ZERO) & (second <= NINE)).any())
