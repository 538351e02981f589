"""Tables from Python values: records, frames with columns of mixed types, masked and structured arrays."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, time
from decimal import Decimal
from typing import Any

import numpy as np

from chainrule.errors import InputError

__all__ = ["column_of", "masked_table", "records_table"]

WHOLE = 1e15  # floats below are written without a point where they are whole


def records_table(records: Sequence[Any], what: str = "the list") -> Any:
    """An Arrow table of records; a name that some of them lack is missing there.

    records: mappings from column to value.
    what: how messages call them.

    >>> records_table([{"a": 1}, {"a": 2, "b": "x"}]).to_pylist()
    [{'a': 1, 'b': None}, {'a': 2, 'b': 'x'}]
    """
    import pyarrow as pa

    odd = next((k for k, record in enumerate(records) if not isinstance(record, Mapping)), None)
    if odd is not None:
        raise InputError(f"{what}: item {odd + 1} is {records[odd]!s:.60}, expected a record as the first item is")
    names = dict.fromkeys(name for record in records for name in record)
    columns = [column_of([record.get(name) for record in records], str(name)) for name in names]
    return pa.table(columns, names=[str(name) for name in names])


def masked_table(x: Any) -> Any:
    """An Arrow table of an array whose masked cells are missing, or whose columns have names.

    x: masked array (N,) or (N, D), of columns c0, c1, ...; or a structured array (N,).

    >>> masked_table(np.ma.array([[1, 2], [3, 4]], mask=[[0, 1], [0, 0]])).to_pylist()
    [{'c0': 1, 'c1': None}, {'c0': 3, 'c1': 4}]
    """
    import pyarrow as pa

    if x.ndim > 2 or (x.dtype.names and x.ndim > 1):
        raise InputError(f"the array has masked cells and the shape {x.shape}, expected (rows, columns); fill them in")
    if x.dtype.names:
        return pa.table({name: _unmasked(x[name]) for name in x.dtype.names})
    columns = x[:, None] if x.ndim == 1 else x
    return pa.table({f"c{k}": _unmasked(columns[:, k]) for k in range(columns.shape[1])})


def _unmasked(x: Any) -> Any:
    import pyarrow as pa

    mask, values = np.ma.getmaskarray(x), np.ma.getdata(x)
    values = values.astype(values.dtype.newbyteorder("="))
    return column_of(values.tolist(), "of the array") if values.dtype == object else pa.array(values, mask=mask)


def column_of(values: Any, name: str) -> Any:
    """An Arrow array of a column: of its type where it has one; where types are mixed, of texts.

    values: list, array or Series; None and NaN are missing.
    name: of the column, for the error.

    >>> column_of([1, "x", 2.0, None], "a").to_pylist()
    ['1', 'x', '2', None]
    """
    import pyarrow as pa

    try:
        found = pa.array(values, from_pandas=True)
    except (pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowNotImplementedError, OverflowError):
        return pa.array([_text(value, name) for value in values], pa.string())
    if isinstance(found.type, pa.BaseExtensionType):  # periods and intervals of pandas
        return pa.array([None if value != value else str(value) for value in values], pa.string())
    return found


def _text(value: Any, name: str) -> str | None:
    """A value as a delimited file would have it."""
    if isinstance(value, np.generic):
        value = value.item()
    if value is None or value != value:  # NaN, NaT
        return None
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() and abs(value) < WHOLE else repr(value)
    if isinstance(value, date | time):
        return value.isoformat()
    if isinstance(value, str | int | Decimal):
        return str(value)
    raise InputError(
        f"the column {name!r} holds {value!s:.60} of type {type(value).__name__}, expected numbers, texts, dates or "
        f"truth values; leave it out with --drop {name}"
    )
