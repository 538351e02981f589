"""One value, one text: how the cells of a column are spelled, and their canonical text and value.

    spelling.kind   canonical text        value
    number          1.5                   1.5 (of `1,50`, `1.5 %`, `$1.50`, `+1.5e0`)
    boolean         true                  1.0 (of `True`, `TRUE`, and `1` among them)
    date            2024-02-29T12:30:00   seconds since 1970 in UTC
    text            as it stands          NaN

A missing cell is null. A cell that is not of the kind keeps its text, and its value is NaN.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from chainrule.data.examples.base import Array
from chainrule.data.tables.date_cells import date_texts, read_dates
from chainrule.data.tables.number_cells import canonical_numbers, plain_values, read_numbers

__all__ = ["MISSING", "Spelling", "canonical", "is_missing", "missing_from_option", "values"]

MISSING = ("", "?", "NA", "N/A", "<NA>", "NaN", "nan", "NULL", "null", "None")
MICROSECONDS = 1e6


@dataclass(frozen=True)
class Spelling:
    """How the cells of a column are written.

    kind: "number", "boolean", "date" or "text".
    missing: texts that stand for a missing value, spaces around them apart.
    decimal: "." or ",".
    thousands: mark between groups of three digits, "" for none.
    unit: "%" or a currency that stands at every number, "" for none.
    day_first: whether 1/2/2024 is the first of February.
    """

    kind: str = "text"
    missing: tuple[str, ...] = MISSING
    decimal: str = "."
    thousands: str = ""
    unit: str = ""
    day_first: bool = True

    @property
    def is_plain(self) -> bool:
        """Whether the cells are numbers with a decimal point and nothing else."""
        return self.kind == "number" and self.decimal == "." and not self.thousands and not self.unit

    def to_json(self) -> dict[str, Any]:
        """The fields, for a file."""
        return asdict(self)

    @classmethod
    def from_json(cls, fields: dict[str, Any]) -> Spelling:
        """The spelling that `to_json` wrote."""
        return cls(**(fields | {"missing": tuple(fields["missing"])}))


def missing_from_option(option: str | None) -> tuple[str, ...]:
    """The texts that stand for a missing value: those of `--missing`, and the empty one; the usual ones without it.

    >>> missing_from_option("-,n/a")
    ('', '-', 'n/a')
    """
    if option is None:
        return MISSING
    return tuple(dict.fromkeys(("", *(word.strip() for word in option.split(",")))))


def is_missing(texts: Any, missing: tuple[str, ...]) -> Any:
    """Where a value is missing: null, or one of the texts for it; an Arrow array of booleans.

    texts: Arrow texts.
    missing: texts that stand for a missing value, spaces around them apart.
    """
    words = pa.array(missing, pa.string())
    spaced = pc.any(pc.match_substring(texts, " ")).as_py()
    texts = pc.utf8_trim_whitespace(texts) if spaced else texts
    return pc.or_(pc.is_null(texts), pc.is_in(texts, words))


def canonical(texts: Any, spelling: Spelling) -> Any:
    """The canonical texts of cells, null where a value is missing.

    texts: Arrow texts, perhaps null.
    spelling: of the column.

    >>> canonical(pa.array(["1.234,50", " 7", "?"]), Spelling("number", decimal=",", thousands=".")).to_pylist()
    ['1234.5', '7', None]
    """
    texts = _flat(texts)
    texts = pc.if_else(is_missing(texts, spelling.missing), None, texts)
    if spelling.kind == "text" or texts.null_count == len(texts):
        return texts
    present = texts.filter(pc.is_valid(texts))
    if spelling.is_plain and plain_values(present) is not None:
        return pc.replace_with_mask(texts, pc.is_valid(texts), canonical_numbers(present))
    different = present.dictionary_encode()
    made = pc.take(_canonical(different.dictionary, spelling), different.indices)
    return pc.replace_with_mask(texts, pc.is_valid(texts), made)


def values(texts: Any, spelling: Spelling) -> Array:
    """The values of cells, float64, NaN where one is missing or not of the kind.

    texts: Arrow texts, perhaps null.
    spelling: of the column.

    >>> values(pa.array(["1970-01-02", "NA"]), Spelling("date"))
    array([86400.,    nan])
    """
    texts = _flat(texts)
    found = np.full(len(texts), np.nan)
    present = pc.invert(is_missing(texts, spelling.missing))
    there = present.to_numpy(zero_copy_only=False)
    cells = texts.filter(present)
    if spelling.kind == "text" or not len(cells):
        return found
    quick = plain_values(cells) if spelling.is_plain else None
    if quick is None:
        different = cells.dictionary_encode()
        quick = _values(different.dictionary, spelling)[different.indices.to_numpy(zero_copy_only=False)]
    found[there] = quick
    return found


def booleans(texts: Any) -> Array:
    """1.0 and 0.0 for true and false in any case and for 1 and 0, NaN for anything else."""
    lower = pc.utf8_lower(pc.utf8_trim_whitespace(texts))
    true, false = (pc.is_in(lower, pa.array(words)).to_numpy(zero_copy_only=False) for words in (TRUE, FALSE))
    return np.where(true, 1.0, np.where(false, 0.0, np.nan))


TRUE, FALSE = ("true", "1"), ("false", "0")


def _flat(texts: Any) -> Any:
    return texts.combine_chunks() if isinstance(texts, pa.ChunkedArray) else texts


def _canonical(texts: Any, spelling: Spelling) -> Any:
    """The canonical texts of different cells, all present."""
    if spelling.kind == "boolean":
        x = booleans(texts)
        fits, made = ~np.isnan(x), pa.array(np.where(x > 0, "true", "false"), pa.string())
    elif spelling.kind == "date":
        dates = read_dates(texts)
        fits = dates.day_first if spelling.day_first else dates.month_first
        made = date_texts(dates.by_day_first if spelling.day_first else dates.by_month_first)
    else:
        numbers = read_numbers(texts, spelling.decimal, spelling.thousands)
        fits = numbers.is_number & _has_unit(numbers.unit, spelling.unit)
        made = canonical_numbers(pc.if_else(pa.array(fits), numbers.plain, "0"))
    return pc.if_else(pa.array(fits), made, texts)


def _values(texts: Any, spelling: Spelling) -> Array:
    """The values of different cells, all present."""
    if spelling.kind == "boolean":
        return booleans(texts)
    if spelling.kind == "date":
        dates = read_dates(texts)
        fits = dates.day_first if spelling.day_first else dates.month_first
        return np.where(
            fits, (dates.by_day_first if spelling.day_first else dates.by_month_first) / MICROSECONDS, np.nan
        )
    numbers = read_numbers(texts, spelling.decimal, spelling.thousands)
    return np.where(numbers.is_number & _has_unit(numbers.unit, spelling.unit), numbers.value, np.nan)


def _has_unit(units: Any, unit: str) -> Array:
    return np.asarray(pc.equal(units, unit).to_numpy(zero_copy_only=False))
