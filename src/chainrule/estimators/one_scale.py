"""Tables whose columns are all on one scale of levels, such as the pixels of an image or answers from 1 to 5."""

from __future__ import annotations

from typing import Any

import numpy as np

from chainrule.data.tables.levels import FEW

__all__ = ["scale_of"]

MOST = 0.5  # share of the columns that have the lowest level, and of those that have the highest


def scale_of(table: Any) -> dict[str, str]:
    """The levels "ordinal:LOWEST..HIGHEST" for each column of a table that is on one scale; none where it is not.

    All are whole numbers, at most 32 levels from the lowest to the highest number of the table, and half of the columns
    have the lowest, half the highest: a level that one of them never had is then as possible as in the others.

    table: Arrow table.

    >>> import pyarrow as pa
    >>> scale_of(pa.table({"a": [0, 1, 2, 3] * 4, "b": [3, 0, 0, 0] * 4, "c": [0, 0, 0, 0] * 4}))
    {'a': 'ordinal:0..3', 'b': 'ordinal:0..3', 'c': 'ordinal:0..3'}
    >>> scale_of(pa.table({"age": [20, 31, 25] * 6, "children": [0, 1, 2] * 6}))
    {}
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    kinds = [column.type for column in table.columns]
    if len(kinds) < 2 or not len(table) or not all(pa.types.is_integer(t) or pa.types.is_floating(t) for t in kinds):
        return {}
    bounds = [pc.min_max(column).as_py() for column in table.columns]
    if any(bound["min"] is None or not np.isfinite([*bound.values()]).all() for bound in bounds):
        return {}
    lows, highs = np.array([[bound["min"], bound["max"]] for bound in bounds], dtype=np.float64).T
    low, high = lows.min(), highs.max()
    if not 2 <= high - low < min(FEW, len(table) / 4):
        return {}
    if min((lows == low).mean(), (highs == high).mean()) < MOST:
        return {}
    for column in table.columns:
        x = column.drop_null().to_numpy().astype(np.float64)
        if (x != np.rint(x)).any():
            return {}
    return dict.fromkeys(table.column_names, f"ordinal:{int(low)}..{int(high)}")
