"""The canonical text of cells that have a type already: of Parquet and Arrow files, frames and arrays.

The same value has the same text as in a delimited file (`cells.canonical`): booleans `true`, whole floats `1`,
midnight `2024-02-29`, times in UTC, decimals without zeros that mean nothing, durations in seconds.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from chainrule.data.tables.date_cells import date_texts
from chainrule.data.tables.number_cells import canonical_numbers, float_texts
from chainrule.errors import InputError

__all__ = ["typed_texts"]

DECIMALS = {"s": 0, "ms": 3, "us": 6, "ns": 9}  # of a second, by unit


def typed_texts(cells: Any, name: str) -> Any:
    """The canonical texts of an Arrow array, null where a value is null or NaN; texts stand as they are.

    cells: Arrow array of any flat type.
    name: of the column, for the error.

    Raises InputError for nested and binary columns and for infinite numbers, with what to do.

    >>> typed_texts(pa.array([True, None]), "x").to_pylist(), typed_texts(pa.array([1.0, 2.5]), "x").to_pylist()
    (['true', None], ['1', '2.5'])
    """
    cells = cells.combine_chunks() if isinstance(cells, pa.ChunkedArray) else cells
    kind = cells.type
    if pa.types.is_dictionary(kind):
        return pc.take(typed_texts(cells.dictionary, name), cells.indices)
    if pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind):
        return cells.cast(pa.string())
    if pa.types.is_null(kind):
        return pa.nulls(len(cells), pa.string())
    if pa.types.is_boolean(kind) or pa.types.is_integer(kind):
        return cells.cast(pa.string())
    if pa.types.is_floating(kind):
        return _floats(cells, name)
    if pa.types.is_decimal(kind):
        return _present(cells.cast(pa.string()), canonical_numbers)
    if pa.types.is_timestamp(kind) or pa.types.is_date(kind):
        return _dates(cells)
    if pa.types.is_time(kind):
        return _times(cells)
    if pa.types.is_duration(kind):
        return _durations(cells)
    raise InputError(
        f"the column {name!r} holds {kind}, expected one number, text, date or truth value per row; leave it out "
        f"with --drop {name}"
    )


def _dates(cells: Any) -> Any:
    """Microseconds as canonical text; where there are finer ones, all digits, as a file has them."""
    kind = cells.type
    if pa.types.is_timestamp(kind) and kind.unit == "ns":
        x = cells.cast(pa.int64())
        if pc.any(pc.not_equal(pc.multiply(pc.divide(x, 1000), 1000), x)).as_py():
            return _present(x, lambda there: pa.array(np.datetime_as_string(there.to_numpy().astype("datetime64[ns]"))))
    naive = cells.cast(pa.timestamp("us", kind.tz if pa.types.is_timestamp(kind) else None), safe=False)
    return _present(naive.cast(pa.int64()), lambda x: date_texts(x.to_numpy(zero_copy_only=False)))


def _times(cells: Any) -> Any:
    """Times of the day, without zeros of a fraction that mean nothing."""
    texts = cells.cast(pa.string())
    if cells.type.unit == "s":
        return texts
    return pc.replace_substring_regex(texts, r"\.?0*$", "")


def _durations(cells: Any) -> Any:
    """Durations in seconds, whatever their unit."""
    unit = Decimal(1).scaleb(-DECIMALS[cells.type.unit])
    seconds = pc.multiply(cells.cast(pa.int64()).cast(pa.decimal128(19)), pa.scalar(unit))
    return _present(seconds.cast(pa.string()), canonical_numbers)


def _floats(cells: Any, name: str) -> Any:
    short = pa.types.is_float32(cells.type) or pa.types.is_float16(cells.type)
    present = cells.filter(pc.is_valid(cells))
    value = present.to_numpy(zero_copy_only=False)
    if np.isinf(value).any():
        row = int(np.flatnonzero(np.isinf(cells.cast(pa.float64()).to_numpy(zero_copy_only=False)))[0])
        raise InputError(
            f"the column {name!r} holds an infinite number in row {row + 1}; replace it, or leave the column out with "
            f"--drop {name}"
        )
    number = ~np.isnan(value)
    texts = canonical_numbers(pa.array(value[number]).cast(pa.string())) if short else float_texts(value[number])
    mask = np.zeros(len(cells), bool)
    mask[np.flatnonzero(pc.is_valid(cells).to_numpy(zero_copy_only=False))[number]] = True
    return pc.replace_with_mask(pa.nulls(len(cells), pa.string()), pa.array(mask), texts)


def _present(cells: Any, made: Any) -> Any:
    """The texts of what is not null."""
    there = pc.is_valid(cells)
    return pc.replace_with_mask(pa.nulls(len(cells), pa.string()), there, made(cells.filter(there)))
