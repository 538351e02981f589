"""What scikit-learn hands over as a table of ours, and rows of ours as what was handed over.

array (n, D) or frame  ->  Arrow table  ->  fit, score
rows of texts  ->  array (n, D) or frame of the same types
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from chainrule.batch import Array
from chainrule.data.sources.record_tables import column_of
from chainrule.errors import InputError

__all__ = ["Shape", "arrow_table", "frame_kind", "new_name", "with_column"]

PLAIN = (str, bytes, int, float, bool, np.generic, type(None))


def frame_kind(X: Any) -> str | None:
    """The library of a frame, None for anything else; a frame with two columns of one name is refused.

    >>> frame_kind(np.zeros((2, 3)))
    """
    for kind in ("pandas", "polars"):
        library = sys.modules.get(kind)
        if library is not None and isinstance(X, library.DataFrame):
            names = [str(name) for name in X.columns]
            twice = next((name for name, times in Counter(names).items() if times > 1), None)
            if twice is not None:
                raise InputError(f"the frame: the column {twice!r} occurs twice; rename one")
            return kind
    return None


@dataclass(frozen=True)
class Shape:
    """The form in which rows were handed over, so that samples can be handed back in it.

    names: names of the columns as text.
    kind: "array", "pandas" or "polars".
    types: type of each column; of an array, the type of all its cells.

    >>> Shape.of(np.zeros((2, 3)))
    Shape(names=('x0', 'x1', 'x2'), kind='array', types=(dtype('float64'),))
    """

    names: tuple[str, ...]
    kind: str
    types: tuple[Any, ...]

    @classmethod
    def of(cls, X: Any) -> Shape:
        """The form of an array (n, D), or of a pandas or polars frame."""
        kind = frame_kind(X)
        if kind is not None:
            return cls(tuple(map(str, X.columns)), kind, tuple(X.dtypes))
        X = np.asarray(X)
        return cls(tuple(f"x{k}" for k in range(X.shape[1])), "array", (X.dtype,))

    def back(self, rows: Sequence[Sequence[str]]) -> Any:
        """Rows of texts in this form; an empty text is missing, NaN in an array of numbers.

        >>> Shape(("x0", "x1"), "array", (np.dtype(float),)).back([["1.5", ""]])
        array([[1.5, nan]])
        """
        columns = [list(column) for column in zip(*rows, strict=True)]
        if self.kind == "pandas":
            return self._pandas(columns)
        if self.kind == "polars":
            return self._polars(columns)
        kind = self.types[0]
        if kind.kind in "biuf":
            cells = np.array([[float(text) if text else np.nan for text in column] for column in columns]).T
            return cells if np.isnan(cells).any() else cells.astype(kind)
        return np.array([[_value(text) for text in column] for column in columns], dtype=object).T

    def _pandas(self, columns: Sequence[list[str]]) -> Any:
        import pandas as pd

        made = {}
        for name, kind, texts in zip(self.names, self.types, columns, strict=True):
            series = pd.Series([text or None for text in texts], dtype=object)
            if pd.api.types.is_bool_dtype(kind):
                series = series.map({"true": True, "false": False})
            elif pd.api.types.is_datetime64_any_dtype(kind):
                series = pd.to_datetime(series)
            elif pd.api.types.is_numeric_dtype(kind):
                series = pd.to_numeric(series)
            made[name] = series if series.isna().any() and pd.api.types.is_integer_dtype(kind) else series.astype(kind)
        return pd.DataFrame(made)

    def _polars(self, columns: Sequence[list[str]]) -> Any:
        import polars as pl

        made = []
        for name, kind, texts in zip(self.names, self.types, columns, strict=True):
            series = pl.Series(name, [text or None for text in texts], dtype=pl.String)
            if kind == pl.Boolean:
                series = (series == "true").alias(name)
            elif kind.is_temporal():
                series = series.str.to_datetime().cast(kind)
            made.append(series.cast(kind))
        return pl.DataFrame(made)


def _value(text: str) -> Any:
    """A number where the text is one, None where it is empty."""
    try:
        return float(text) if text else None
    except ValueError:
        return text


def arrow_table(X: Any, shape: Shape) -> Any:
    """The Arrow table of rows.

    X: array (n, D), or a frame with these columns.
    shape: its names and types.

    >>> arrow_table(np.array([[1.0, np.nan]]), Shape.of(np.zeros((1, 2)))).to_pylist()
    [{'x0': 1.0, 'x1': None}]
    """
    import pyarrow as pa

    if shape.kind == "array":
        X = np.asarray(X)
        cells = [X[:, k] for k in range(X.shape[1])]
    else:
        cells = [X[name] for name in X.columns]
    return pa.table({name: _column(column, name) for name, column in zip(shape.names, cells, strict=True)})


def _column(cells: Any, name: str) -> Any:
    """One column; cells of types that no file has are taken by their text."""
    if str(cells.dtype) == "object":
        cells = [cell if isinstance(cell, PLAIN) else str(cell) for cell in cells]
    elif isinstance(cells, np.ndarray):
        cells = cells.astype(cells.dtype.newbyteorder("="), copy=False)
    return column_of(cells, name)


def with_column(table: Any, name: str, texts: Array) -> Any:
    """The table with one more column in front, of texts (n,)."""
    import pyarrow as pa

    return table.add_column(0, name, pa.array(texts.tolist(), pa.string()))


def new_name(name: str, taken: Sequence[str]) -> str:
    """The name, with an underscore behind it for as long as a column is called so.

    >>> new_name("class", ["class", "class_"])
    'class__'
    """
    while name in taken:
        name += "_"
    return name
