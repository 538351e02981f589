"""The columns of a table: text <-> the number that stands for it in a row."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from decimal import Decimal
from typing import Any

import numpy as np

from chainrule.batch import Array
from chainrule.data.tables.cells import MISSING, Spelling, canonical
from chainrule.data.tables.date_cells import date_texts
from chainrule.domain import Column
from chainrule.errors import InputError

__all__ = [
    "KINDS",
    "Numbers",
    "Symbols",
    "column_from_json",
    "is_date",
    "is_gone",
    "is_missing",
    "is_number",
    "number_elements",
    "spelled",
]

KINDS = ("categorical", "ordinal", "constant", "identifier", "count", "real", "density", "date")
NUMBER = r"^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$"
PADDED = r"^[+-]?0\d"
DATE = r"^\d{4}-\d\d-\d\d([T ]\d\d:\d\d:\d\d(\.0+)?)?$"
EXACT_DATE = r"^\d{4}-\d\d-\d\d(T\d\d:\d\d:\d\d(\.\d+)?)?$"
DAY = 86400.0
MICROSECONDS = 1e6
UNITS = {DAY: "days", 1.0: "seconds", 1e-3: "milliseconds", 1e-6: "microseconds"}

Where = Callable[[int], str]  # names the file and the row of the block, for errors


def is_missing(texts: Any) -> Any:
    """Where a value is missing: null, or one of the words for it; an Arrow array of booleans."""
    import pyarrow as pa
    import pyarrow.compute as pc

    return pc.or_(pc.is_null(texts), pc.fill_null(pc.is_in(texts, pa.array(MISSING)), False))


def is_number(texts: Any) -> Any:
    """Where a text is a number; codes such as 007, whose zeros mean something, are not numbers."""
    import pyarrow.compute as pc

    return pc.and_(pc.match_substring_regex(texts, NUMBER), pc.invert(pc.match_substring_regex(texts, PADDED)))


def is_date(texts: Any, is_canonical: bool = False) -> Any:
    """Where a text is a date, 2024-02-29, or a date and a time: to the second, or canonical and of any fraction."""
    import pyarrow.compute as pc

    return pc.match_substring_regex(texts, EXACT_DATE if is_canonical else DATE)


@dataclass(frozen=True)
class Symbols:
    """A column of names: its values are the symbols 0, ..., V-1, and a missing one is V.

    name: the name of the column.
    kind: "categorical", "ordinal", "constant" or "identifier".
    values: the text of each symbol, the most frequent first; in order where the kind is ordinal.
    missing: how a missing value is written; None where a value may not be missing.
    spelling: how the cells are written; None in runs of the first reader.
    """

    name: str
    kind: str
    values: tuple[str, ...]
    missing: str | None
    spelling: Spelling | None = None

    @property
    def cell(self) -> Column:
        """What the column may hold."""
        return Column(len(self.values), ordinal=self.kind == "ordinal", missing=self.missing is not None)

    @property
    def outcomes(self) -> int:
        """V, and one more where a value may be missing."""
        return len(self.values) + (self.missing is not None)

    def encode(self, texts: Any, gone: Array, where: Where) -> tuple[Array, Array]:
        """Symbols of an Arrow array of texts, float64 (N,), and where the column cannot hold a value."""
        import pyarrow as pa
        import pyarrow.compute as pc

        code = pc.fill_null(pc.index_in(texts, pa.array(self.values)), -1).to_numpy(zero_copy_only=False)
        code = np.where(gone, len(self.values), code).astype(np.float64)
        outside = (code < 0) | (gone & (self.missing is None))
        return np.where(outside, 0.0, code), outside

    def decode(self, x: Array) -> list[str]:
        """The texts of symbols, shape (n,)."""
        texts = [*self.values, self.missing or ""]
        return [texts[int(k)] for k in x]

    def describe(self) -> str:
        """One phrase for the note."""
        return f"{self.kind} of {len(self.values)}"

    def to_json(self) -> dict[str, Any]:
        return _with_spelling(asdict(self) | {"values": list(self.values)}, self.spelling)


@dataclass(frozen=True)
class Numbers:
    """A column of numbers recorded at a resolution r, encoded as whole multiples of it; NaN is missing.

    Without a resolution they stand as they are, and their part of the likelihood is a density. Dates are numbers of
    days or seconds since 1970.

    name: the name of the column.
    kind: "count", "real", "density" or "date".
    resolution: r, for dates in seconds; None for a density.
    missing: how a missing value is written; None where a value may not be missing.
    between: the character between date and time; "" for dates without a time.
    spelling: how the cells are written; None in runs of the first reader.
    padded: whether samples have all decimals of the resolution, 99.0 beside 99.5; else 99, as the data are written.
    """

    name: str
    kind: str
    resolution: float | None
    missing: str | None
    between: str = ""
    spelling: Spelling | None = None
    padded: bool = field(default=True, compare=False)

    @property
    def cell(self) -> Column:
        """What the column may hold, in units of its resolution."""
        step = None if self.resolution is None else 1.0
        return Column(None, resolution=step, count=self.kind == "count", missing=self.missing is not None)

    def encode(self, texts: Any, gone: Array, where: Where) -> tuple[Array, Array]:
        """Numbers of an Arrow array of texts, float64 (N,), and where the column cannot hold a value."""
        import pyarrow as pa
        import pyarrow.compute as pc

        present = pc.fill_null(texts, "")
        fits = is_date(present, self.spelling is not None) if self.kind == "date" else is_number(present)
        bad = ~(fits.to_numpy(zero_copy_only=False) | gone)
        if bad.any():
            row = int(np.flatnonzero(bad)[0])
            value = texts[row].as_py()
            raise InputError(
                f"{where(row)}: {value!r} in the column {self.name!r} is not a {self._one}; correct the row"
            )
        texts = pc.if_else(pa.array(gone), None, texts)
        try:
            if self.kind == "date":
                whole = pc.replace_substring_regex(texts, r"\.0+$", "")
                time = pc.fill_null(whole.cast(pa.timestamp("us")).cast(pa.int64()), 0)
                x = time.to_numpy(zero_copy_only=False) / MICROSECONDS
            else:
                x = pc.fill_null(texts.cast(pa.float64()), 0.0).to_numpy(zero_copy_only=False)
        except pa.ArrowInvalid as error:
            raise InputError(
                f"{where(0)}: the column {self.name!r} holds something that is not a {self._one} ({error})"
            ) from None
        found, outside = number_elements([self], np.where(gone, np.nan, x)[None])
        return found[0], outside[0]

    @property
    def _one(self) -> str:
        return "date such as 2024-02-29" if self.kind == "date" else "number"

    def decode(self, x: Array) -> list[str]:
        """The texts of numbers, shape (n,), with as many decimals as the resolution has, or as they need."""
        return [(self.missing or "") if np.isnan(value) else self._text(float(value)) for value in x]

    def _text(self, value: float) -> str:
        if self.resolution is None:
            return repr(value)
        if self.kind == "date" and self.resolution < 1:
            return str(date_texts(np.array([round(value * self.resolution * MICROSECONDS)]))[0].as_py())
        if self.kind == "date":
            time = np.datetime64(0, "s") + np.timedelta64(round(value * self.resolution), "s")
            return str(time).replace("T", self.between) if self.between else str(time)[:10]
        number = Decimal(round(value)) * Decimal(repr(self.resolution)).normalize()
        return format(number if self.padded else _without_zeros(number), "f")

    def describe(self) -> str:
        """One phrase for the note."""
        if self.kind == "date":
            return f"date in {UNITS.get(self.resolution or 0.0)}"
        return self.kind if self.kind != "real" else f"real, resolution {self.resolution:g}"

    def to_json(self) -> dict[str, Any]:
        fields = {name: value for name, value in asdict(self).items() if name != "padded" or not value}
        return _with_spelling(fields, self.spelling)


def _without_zeros(number: Decimal) -> Decimal:
    return number.quantize(Decimal(1)) if number == number.to_integral_value() else number.normalize()


def number_elements(columns: Sequence[Numbers], x: Array) -> tuple[Array, Array]:
    """The elements of values, and where a column cannot hold one, of several columns at once.

    columns: the columns.
    x: values, float64 (columns, N), NaN where one is missing.
    """
    gone = np.isnan(x)
    steps = np.array([[1.0 if c.resolution is None else c.resolution] for c in columns])
    stepped = np.array([[c.resolution is not None] for c in columns])
    outside = gone & np.array([[c.missing is None] for c in columns])
    infinite = np.isinf(x)  # a text such as 1e400
    scaled = np.where(gone | infinite, 0.0, x) / steps
    outside |= infinite
    whole = np.rint(scaled)
    outside |= stepped & (np.abs(scaled - whole) > 1e-6 * np.maximum(1.0, np.abs(whole) * 1e-6))
    found = np.where(stepped, whole, scaled)
    outside |= np.array([[c.kind == "count"] for c in columns]) & (found < 0)
    return np.where(outside, 0.0, np.where(gone, np.nan, found)), outside


def is_gone(column: Symbols | Numbers, texts: Any) -> Any:
    """Where a value of a column is missing, an Arrow array of booleans; canonical texts are null there."""
    import pyarrow.compute as pc

    return is_missing(texts) if column.spelling is None else pc.is_null(texts)


def spelled(column: Symbols | Numbers, texts: Any) -> Any:
    """The texts of a column as `encode` takes them: canonical, if its spelling is known.

    column: the column.
    texts: Arrow texts as a person writes them.
    """
    return texts if column.spelling is None else canonical(texts, column.spelling)


def _with_spelling(fields: dict[str, Any], spelling: Spelling | None) -> dict[str, Any]:
    rest = {name: value for name, value in fields.items() if name != "spelling"}
    return rest if spelling is None else rest | {"spelling": spelling.to_json() | {"missing": list(spelling.missing)}}


def column_from_json(fields: dict[str, Any]) -> Symbols | Numbers:
    """The column that `to_json` wrote."""
    if "spelling" in fields:
        fields = fields | {"spelling": Spelling.from_json(fields["spelling"])}
    if "values" in fields:
        return Symbols(**(fields | {"values": tuple(fields["values"])}))
    return Numbers(**fields)
