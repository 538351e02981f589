"""Dates and times as people write them, whole columns at once: microseconds since 1970 in UTC, and canonical text.

The canonical text is `2024-02-29` at midnight and `2024-02-29T12:30:00` or `2024-02-29T12:30:00.5` at other times.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from chainrule.data.examples.base import Array

__all__ = ["DateCells", "date_texts", "read_dates"]

DATE = (
    r"^\s*(?P<a>\d{1,4})(?P<s>[-/.])(?P<b>\d{1,2})(?P<t>[-/.])(?P<c>\d{1,4})"
    r"(?:[Tt ]\s*(?P<h>\d{1,2}):(?P<m>\d{2})(?::(?P<sec>\d{2})(?:[.,](?P<f>\d{1,9}))?)?\s*"
    r"(?P<half>[AaPp]\.?[Mm]\.?|)\s*"
    r"(?P<z>Z|z|(?i:UTC|GMT)|[+-]\d{2}:?\d{2}|[+-]\d{2}|))?\s*$"
)
SHORT_YEAR = 1969  # the first of those that two digits stand for
MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
MONTH = rf"(?P<m>{'|'.join(MONTHS)})(?:[a-z]{{0,6}})\.?"
MONTH_NAMED = (
    rf"^\s*(?P<d>\d{{1,2}})[- /.]+{MONTH}[- /,]+(?P<y>\d{{4}}|\d{{2}})(?P<rest>(?:[t ].*)?)$",
    rf"^\s*{MONTH} +(?P<d>\d{{1,2}}),? +(?P<y>\d{{4}})(?P<rest>(?:[t ].*)?)$",
)
NAMED = r"^\s*(?:\d{1,2}[- /.]+)?(?i:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)"
SECOND, MINUTE, HOUR, DAY = 10**6, 60 * 10**6, 3600 * 10**6, 86400 * 10**6  # microseconds


class DateCells(NamedTuple):
    """The dates among texts of shape (N,).

    looks_like: where a text has the shape of a date, possible or not.
    sorted_day: where the order is not open, or makes no difference (2024-02-29, 7/7/2024).
    day_first, month_first: where a text is a possible date, read in this order where the order is open.
    by_day_first, by_month_first: microseconds since 1970 in UTC, int64, 0 where it is none.
    zoned: where a text names its time zone.
    short_year: where the year has two digits.
    cut: where the time has a fraction that is finer than a microsecond, which is left out.
    """

    looks_like: Array
    sorted_day: Array
    day_first: Array
    month_first: Array
    by_day_first: Array
    by_month_first: Array
    zoned: Array
    short_year: Array
    cut: Array


def read_dates(texts: Any) -> DateCells:
    """The dates among texts: `2024-02-29`, `29/02/2024`, `2/29/2024`, `2/29/24`, with `-`, `/` or `.`; perhaps with
    a time (minutes, seconds, fractions, am and pm) and a zone (`Z`, `+02:00`), without which it is in UTC.

    texts: Arrow texts without nulls, shape (N,).
    """
    parts = pc.extract_regex(_with_month_numbers(texts), DATE)
    part = {name: pc.fill_null(pc.struct_field(parts, name), "") for name in ("a", "b", "c", "s", "t", "half", "z")}
    length = {name: pc.binary_length(part[name]).to_numpy(zero_copy_only=False) for name in ("a", "c", "z")}
    same = pc.equal(part["s"], part["t"]).to_numpy(zero_copy_only=False)
    a, b, c = (_integers(part[name]) for name in "abc")
    year_first = same & (length["a"] == 4) & (length["c"] > 0) & (length["c"] <= 2)
    ends = same & (length["a"] > 0) & (length["a"] <= 2)
    short = ends & (length["c"] == 2) & pc.equal(part["s"], "/").to_numpy(zero_copy_only=False)
    year_last = ends & (length["c"] == 4) | short
    c = np.where(short, c + np.where(c < SHORT_YEAR - 1900, 2000, 1900), c)
    time, possible, cut = _times(parts, part)
    year = np.where(year_first, a, c)
    shift = time - _zone(part["z"])
    fits, values = [], []
    for day, month in ((a, b), (b, a)):
        days, right = _days(year, np.where(year_first, b, month), np.where(year_first, c, day))
        fits.append(right & possible & (year_first | year_last))
        values.append(np.where(fits[-1], days * DAY + shift, 0))
    return DateCells(
        looks_like=year_first | year_last,
        sorted_day=year_first | (a == b),
        day_first=fits[0],
        month_first=fits[1],
        by_day_first=values[0],
        by_month_first=values[1],
        zoned=length["z"] > 0,
        short_year=short,
        cut=cut,
    )


def _with_month_numbers(texts: Any) -> Any:
    """`19-Sep-03`, `19 September 2003` and `Sep 19, 2003` as `2003-9-19`; other texts as they are."""
    if not pc.any(pc.match_substring_regex(texts, NAMED)).as_py():
        return texts
    lower = pc.utf8_lower(texts)
    for pattern in MONTH_NAMED:
        parts = pc.extract_regex(lower, pattern)
        part = {name: pc.fill_null(pc.struct_field(parts, name), "") for name in ("d", "m", "y", "rest")}
        month = pc.add(pc.index_in(pc.utf8_slice_codeunits(part["m"], 0, 3), pa.array(MONTHS)), 1)
        late = pc.greater_equal(pc.if_else(pc.equal(part["y"], ""), "0", part["y"]).cast(pa.int64()), SHORT_YEAR - 1900)
        century = pc.if_else(pc.equal(pc.binary_length(part["y"]), 2), pc.if_else(late, "19", "20"), "")
        year = pc.binary_join_element_wise(century, part["y"], "")
        made = pc.binary_join_element_wise(year, month.cast(pa.string()), part["d"], "-")
        texts = pc.coalesce(pc.binary_join_element_wise(made, part["rest"], ""), texts)  # no month: null
    return texts


def _integers(texts: Any) -> Array:
    return np.asarray(pc.if_else(pc.equal(texts, ""), "0", texts).cast(pa.int64()).to_numpy(zero_copy_only=False))


def _times(parts: Any, part: dict[str, Any]) -> tuple[Array, Array, Array]:
    """The time of the day in microseconds, whether there is such a time, and whether it has a finer fraction."""
    get = {name: pc.fill_null(pc.struct_field(parts, name), "") for name in ("h", "m", "sec", "f")}
    hour, minute, second = (_integers(get[name]) for name in ("h", "m", "sec"))
    fraction = _integers(pc.utf8_slice_codeunits(pc.utf8_rpad(get["f"], 6, "0"), 0, 6))
    half = pc.utf8_lower(pc.utf8_slice_codeunits(part["half"], 0, 1))
    morning, evening = (pc.equal(half, letter).to_numpy(zero_copy_only=False) for letter in "ap")
    twelve = morning | evening
    possible = (minute < 60) & (second < 60) & np.where(twelve, (hour >= 1) & (hour <= 12), hour < 24)
    hour = np.where(twelve, hour % 12 + 12 * evening, hour)
    cut = _integers(pc.utf8_slice_codeunits(get["f"], 6, 9)) > 0
    return hour * HOUR + minute * MINUTE + second * SECOND + fraction, possible, cut


def _zone(texts: Any) -> Array:
    """How far ahead of UTC a zone is, in microseconds."""
    digits = pc.utf8_rpad(pc.replace_substring_regex(texts, r"[^\d]", ""), 4, "0")
    number = _integers(digits)
    sign = np.where(pc.starts_with(texts, "-").to_numpy(zero_copy_only=False), -1, 1)
    ahead: Array = sign * (number // 100 * HOUR + number % 100 * MINUTE)
    return ahead


def _days(year: Array, month: Array, day: Array) -> tuple[Array, Array]:
    """Days since 1970, and whether there is such a day."""
    inside = (month >= 1) & (month <= 12) & (year >= 1)
    months = (np.where(inside, year, 1970) - 1970) * 12 + np.where(inside, month, 1) - 1
    first = months.astype("datetime64[M]").astype("datetime64[D]").astype(np.int64)
    following = (months + 1).astype("datetime64[M]").astype("datetime64[D]").astype(np.int64)
    right = inside & (day >= 1) & (day <= following - first)
    return first + day - 1, right


def date_texts(microseconds: Array) -> Any:
    """The canonical texts of times, int64 microseconds since 1970 in UTC.

    >>> date_texts(np.array([0, 1_500_000, -86_400_000_000])).to_pylist()
    ['1970-01-01', '1970-01-01T00:00:01.5', '1969-12-31']
    """
    stamps = np.asarray(microseconds, np.int64).astype("datetime64[us]")
    texts = pa.array(np.datetime_as_string(stamps, unit="us") if len(stamps) else [], pa.string())
    return pc.replace_substring_regex(pc.replace_substring_regex(texts, r"\.?0{1,6}$", ""), r"T00:00(:00)?$", "")
