"""Numbers as people write them, whole columns at once: value and canonical text.

The canonical text has no plus sign, no zeros that mean nothing, no exponent between 1e-15 and 1e22, and the fewest
digits that give the same double: `1`, `-0.5`, `1000`. Whole numbers beyond 2^53 keep their digits.
"""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from chainrule.data.examples.base import Array
from chainrule.data.sources.delimited.numerals import CURRENCIES, MINUS, SPACES

__all__ = ["NumberCells", "canonical_numbers", "float_texts", "plain_values", "read_numbers"]

BLANK = rf"[ {SPACES}]"
PADDED = r"^[+-]?0\d"
CANONICAL = r"^(?:0|-?[1-9]\d*|-?(?:0|[1-9]\d*)\.\d*[1-9])$"
SHORT = 16  # characters of a canonical text whose digits a double certainly keeps
WHOLE = r"^-?[1-9]\d*$"
LEAST, MOST = 1e-15, 1e22  # outside of which a canonical text has an exponent


class NumberCells(NamedTuple):
    """The numbers among texts of shape (N,).

    is_number: where a text is a finite number.
    is_infinite: where it is an infinite one, or one too large for a double.
    value: float64, NaN where it is none.
    plain: the number as a computer writes it, with a decimal point and nothing else around it; "" where it is none.
    unit: "%", a currency, or "".
    """

    is_number: Array
    is_infinite: Array
    value: Array
    plain: Any
    unit: Any


def plain_values(texts: Any) -> Array | None:
    """The values of texts that are all finite numbers with a decimal point and nothing around them; None otherwise.

    texts: Arrow texts without nulls. The quick way, taken first.
    """
    try:
        texts.slice(0, 8).cast(pa.float64())  # a cast that fails late is slow
        value = np.asarray(texts.cast(pa.float64()).to_numpy(zero_copy_only=False))
    except pa.ArrowInvalid:
        return None
    if not np.isfinite(value).all():
        return None
    for start in ("0", "-0", "+0"):
        candidates = texts.filter(pc.starts_with(texts, start))
        if len(candidates) and pc.any(pc.match_substring_regex(candidates, PADDED)).as_py():
            return None
    return value


def read_numbers(texts: Any, decimal: str, thousands: str) -> NumberCells:
    """The numbers among texts, in the notation of the file.

    Codes such as 007, whose zeros mean something, are none; spaces around a number are no part of it.

    texts: Arrow texts without nulls, shape (N,).
    decimal: "." or ",".
    thousands: mark between groups of three digits, "" for none; " " also stands for no-break spaces.
    """
    trimmed = pc.utf8_trim(texts, f" \t{SPACES}")
    trimmed = pc.replace_substring(trimmed, MINUS, "-") if pc.any(pc.match_substring(texts, MINUS)).as_py() else trimmed
    parts = pc.extract_regex(trimmed, _pattern(decimal, thousands))
    body = pc.fill_null(pc.struct_field(parts, "body"), "")
    if thousands:
        body = pc.replace_substring_regex(body, BLANK if thousands == " " else re.escape(thousands), "")
    body = pc.replace_substring(body, ",", ".") if decimal == "," else body
    get = {name: pc.fill_null(pc.struct_field(parts, name), "") for name in ("a", "b", "exponent", "before", "after")}
    plain = pc.binary_join_element_wise(get["a"], get["b"], body, get["exponent"], "")
    fits = pc.and_(pc.not_equal(body, ""), pc.invert(pc.match_substring_regex(plain, PADDED)))
    twice = pc.or_(
        pc.and_(pc.not_equal(get["a"], ""), pc.not_equal(get["b"], "")),
        pc.and_(pc.not_equal(get["before"], ""), pc.not_equal(get["after"], "")),
    )
    plain = pc.if_else(pc.and_(fits, pc.invert(twice)), plain, "")
    value = pc.if_else(pc.equal(plain, ""), None, plain).cast(pa.float64()).to_numpy(zero_copy_only=False)
    named = pc.match_substring_regex(pc.utf8_lower(trimmed), r"^[+-]?(inf|infinity|∞)$").to_numpy(zero_copy_only=False)
    infinite = np.isinf(value) | named
    return NumberCells(
        is_number=np.isfinite(value),
        is_infinite=infinite,
        value=np.where(infinite, np.nan, value),
        plain=plain,
        unit=pc.binary_join_element_wise(get["before"], get["after"], ""),
    )


def _pattern(decimal: str, thousands: str) -> str:
    point = re.escape(decimal)
    currency = "|".join(map(re.escape, CURRENCIES))
    mark = BLANK if thousands == " " else re.escape(thousands)
    whole = rf"(?:\d{{1,3}}(?:{mark}\d{{3}})+|\d+)" if thousands else r"\d+"
    return (
        rf"^(?P<a>[+-]?)(?P<before>{currency}|){BLANK}?(?P<b>[+-]?)(?P<body>{whole}(?:{point}\d*)?|{point}\d+)"
        rf"(?P<exponent>(?:[eE][+-]?\d+)?){BLANK}?(?P<after>{currency}|%|)$"
    )


def canonical_numbers(plain: Any) -> Any:
    """The canonical texts of numbers that are written plainly.

    plain: Arrow texts without nulls, each a finite number with a decimal point and nothing around it.
    """
    done = pc.and_(pc.less_equal(pc.binary_length(plain), SHORT), pc.match_substring_regex(plain, CANONICAL))
    if pc.all(done).as_py():
        return plain
    rest = pc.invert(done)
    made = pc.replace_substring_regex(plain.filter(rest), r"^\+", "")
    broken = pc.invert(pc.match_substring_regex(made, WHOLE))
    value = made.filter(broken).cast(pa.float64()).to_numpy(zero_copy_only=False)
    return pc.replace_with_mask(plain, rest, pc.replace_with_mask(made, broken, float_texts(value)))


def float_texts(x: Array) -> Any:
    """The canonical texts of finite numbers.

    >>> float_texts(np.array([1.0, -0.0, 0.1, 1e20, 1e-7, 1e300])).to_pylist()
    ['1', '0', '0.1', '100000000000000000000', '0.0000001', '1e+300']
    """
    x = np.asarray(x, np.float64) + 0.0  # no negative zero
    texts = pa.array(x).cast(pa.string())
    scientific = pc.match_substring(texts, "e")
    if not pc.any(scientific).as_py():
        return texts
    few = x[scientific.to_numpy(zero_copy_only=False)]
    return pc.replace_with_mask(texts, scientific, pa.array([_text(float(value)) for value in few], pa.string()))


def _text(x: float) -> str:
    return format(Decimal(repr(x)).normalize(), "f") if LEAST <= abs(x) < MOST else repr(x)
