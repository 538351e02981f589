"""Arrays of real numbers, whose rows are those of a table: `x0`, `x1`, ... are its columns."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from chainrule.batch import Array
from chainrule.data.sources.memory import refuse_above_memory
from chainrule.errors import InputError

__all__ = ["are_reals", "real_table"]

ROWS = 1 << 16  # that are looked at together


def are_reals(parts: Iterable[Any]) -> bool:
    """Whether arrays hold rows of numbers, or single numbers, some of which are no whole numbers.

    parts: the arrays. Reals that are whole numbers are symbols, and arrays of three and more dimensions are images.

    >>> are_reals([np.array([[1.0, 2.0]])]), are_reals([np.array([[1.5, np.nan]])])
    (False, True)
    """
    arrays = list(parts)
    if not all(isinstance(x, np.ndarray) and x.dtype.kind == "f" and x.ndim in (1, 2) for x in arrays):
        return False
    return any(bool((x[at : at + ROWS] != np.floor(x[at : at + ROWS])).any()) for x in arrays for at in _steps(x))


def _steps(x: Array) -> range:
    return range(0, len(x), ROWS)


def real_table(x: Array, labels: Array | None, what: str) -> Any:
    """The Arrow table of an array (N, D) or (N,): columns `x0`, `x1`, ..., and `label`. NaN is a missing value.

    x: the array, of numbers.
    labels: the labels (N,), or None.
    what: the name of the array, for errors.

    Raises InputError for an array of three and more dimensions.

    >>> real_table(np.array([[1.5, np.nan]]), None, "the array").to_pylist()
    [{'x0': 1.5, 'x1': None}]
    """
    import pyarrow as pa

    if x.ndim > 2:
        raise InputError(f"{what}: has the shape {x.shape}, expected the rows of a table, (N, D); reshape it")
    refuse_above_memory(3.0 * x.size * max(x.itemsize, 4), what, f"holds {x.size:,} numbers of a table")
    columns = x[:, None] if x.ndim == 1 else x
    if x.dtype.kind == "f" and x.itemsize not in (4, 8):  # half and long doubles
        columns = columns.astype(np.float32 if x.itemsize < 4 else np.float64)
    cells = {f"x{k}": pa.array(columns[:, k], from_pandas=True) for k in range(columns.shape[1])}
    return pa.table(cells if labels is None else cells | {"label": pa.array(labels)})
