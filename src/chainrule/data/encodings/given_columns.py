"""Columns of a table as conditions: p(the others | these)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from chainrule.batch import Array
from chainrule.data.encodings.conditions import Conditions
from chainrule.data.tables.column_names import assignments
from chainrule.data.tables.columns import Numbers, Symbols, column_from_json, is_gone, spelled
from chainrule.errors import InputError

__all__ = ["GivenColumns"]


@dataclass(frozen=True)
class GivenColumns(Conditions):
    """Contexts (N, C): one indicator for each symbol, one standardised number and one for missing for each number.

    columns: the encodings of the columns.
    centre, spread: mean and standard deviation of each column in the training rows; 0 and 1 for symbols.
    """

    columns: tuple[Symbols | Numbers, ...]
    centre: tuple[float, ...]
    spread: tuple[float, ...]

    @classmethod
    def of(cls, columns: Sequence[Symbols | Numbers], train: Array) -> GivenColumns:
        """Standardised by the training rows, shape (N, G)."""
        numbers = [
            x[~np.isnan(x)] if isinstance(column, Numbers) else np.array([0.0])
            for column, x in zip(columns, train.T, strict=True)
        ]
        centre = tuple(float(x.mean()) if len(x) else 0.0 for x in numbers)
        return cls(tuple(columns), centre, tuple(float(x.std()) or 1.0 if len(x) else 1.0 for x in numbers))

    @property
    def description(self) -> str:
        return f"columns {', '.join(column.name for column in self.columns)}"

    @property
    def network_options(self) -> dict[str, int]:
        return {"context_size": sum(c.outcomes if isinstance(c, Symbols) else 2 for c in self.columns)}

    def context(self, codes: Array) -> Array:
        """Contexts from the numbers that stand for the values, shape (N, G)."""
        parts = []
        for column, x, centre, spread in zip(self.columns, codes.T, self.centre, self.spread, strict=True):
            if isinstance(column, Symbols):
                parts.append(x[:, None] == np.arange(column.outcomes))
            else:
                gone = np.isnan(x)
                parts.append(np.stack([np.where(gone, 0.0, (x - centre) / spread), gone], 1))
        return np.concatenate(parts, 1).astype(np.float32)

    def values(self, text: str) -> dict[str, str]:
        """The values by column from "age=39,sex=F"; every column once."""
        known = [column.name for column in self.columns]
        found = assignments(text, known)
        if found is None or sorted(name for name, _ in found) != sorted(known):
            raise InputError(
                f"--given {text}: expected a value for each of the columns {', '.join(known)}: name=value,..."
            )
        return dict(found)

    def parse(self, text: str) -> Array:
        """The context of one example from "age=39,sex=F"; every column once."""
        import pyarrow as pa

        values = self.values(text)
        codes = []
        for column in self.columns:
            texts = spelled(column, pa.array([values[column.name]]))
            gone = is_gone(column, texts).to_numpy(zero_copy_only=False)
            code, outside = column.encode(texts, gone, lambda _: f"--given {text}")
            if outside.any():
                raise InputError(f"--given {text}: the column {column.name!r} has no such value; give one that it has")
            codes.append(code)
        return self.context(np.stack(codes, 1))

    def to_json(self) -> dict[str, Any]:
        """The conditions as JSON."""
        columns = [column.to_json() for column in self.columns]
        return {"columns": columns, "centre": list(self.centre), "spread": list(self.spread)}

    @classmethod
    def from_json(cls, fields: dict[str, Any]) -> GivenColumns:
        """The conditions that `to_json` wrote."""
        columns = tuple(column_from_json(column) for column in fields["columns"])
        centre, spread = tuple(fields["centre"]), tuple(fields["spread"])
        if not len(columns) == len(centre) == len(spread):
            raise ValueError(f"{len(columns)} columns, {len(centre)} means and {len(spread)} deviations")
        return cls(columns, centre, spread)
