r"""How numbers are written: decimal points or commas, thousands separators, signs, percent and currency.

A numeral is matched in two forms: loosely here, on a sample and in Python, to find how a file writes its numbers;
exactly in `encodings/number_cells.py`, on whole columns and in Arrow, once that is known.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from functools import lru_cache
from typing import NamedTuple

__all__ = ["CURRENCIES", "NUMBER", "Notation", "is_typed", "notation"]

NUMBER = r"^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$"
MINUS = "−"
SPACES = "\u00a0\u202f\u2009"  # no-break, narrow no-break, thin
CURRENCIES = ("$", "€", "£", "¥", "USD", "EUR", "GBP", "CHF")
UNIT = rf"(?:{'|'.join(map(re.escape, CURRENCIES))}|%)"
SIGN = f"[+{MINUS}-]?"
GAP = f"[ {SPACES}]?"
BODY = rf"(?P<body>\d+(?:[.,' {SPACES}]\d+)*[.,]?|[.,]\d+)(?:[eE]{SIGN}\d+)?"
LOOSE = re.compile(rf"^{SIGN}(?:{UNIT}{GAP})?{SIGN}{BODY}(?:{GAP}{UNIT})?$")
TYPED = re.compile(r"^(?:true|false|[+-]?(?:inf(?:inity)?|nan))$", re.IGNORECASE)
DATE = re.compile(
    r"^(?:\d{4}[-/.]\d{1,2}[-/.]\d{1,2}|\d{1,2}[-/.]\d{1,2}[-/.]\d{4}|\d{1,2}/\d{1,2}/\d{2})"
    r"(?:[T ]\d{1,2}:\d\d(?::\d\d(?:\.\d+)?)?.{0,6})?$"
)
MARKS = {",": ",", ".": ".", "'": "'", " ": f" {SPACES}"}
GROUPED = {mark: re.compile(rf"^\d{{1,3}}(?:[{them}]\d{{3}})+$") for mark, them in MARKS.items()}

SHAPE = str.maketrans("12345678", "99999999")  # what is decided depends on where digits stand, and where zeros do
SHAPES = 1 << 14  # that are remembered


class Notation(NamedTuple):
    """How a file writes numbers.

    decimal: "." or ",".
    thousands: what stands between groups of three digits, "" where nothing does; " " also stands for no-break spaces.
    ambiguous: a number that could be read in two ways, "" where there is none.
    """

    decimal: str = "."
    thousands: str = ""
    ambiguous: str = ""


def is_typed(cell: str) -> bool:
    """Whether a cell is a number in some notation, a date or a truth value, and so not the name of a column.

    >>> [is_typed(cell) for cell in ("1.234,5", "-3", "12 %", "2024-02-29", "true", "age", "", "1.2.3", "191 36 50")]
    [True, True, True, True, True, False, False, False, False]
    """
    return _is_typed(cell.strip().translate(SHAPE))


@lru_cache(maxsize=SHAPES)
def _is_typed(shape: str) -> bool:
    numeral = LOOSE.match(shape)
    return bool((numeral and _is_numeral(numeral["body"])) or DATE.match(shape) or TYPED.match(shape))


@lru_cache(maxsize=SHAPES)
def _marks(shape: str) -> tuple[str, str] | None:
    """The marks of a numeral; None for what is none."""
    matched = LOOSE.match(shape)
    return None if matched is None else _of_numeral(matched["body"])


def notation(cells: Iterable[str], delimiter: str, decimal: str | None = None) -> Notation:
    """How the numbers among the cells are written, one answer for all of them.

    A comma followed by other than three digits, or by the last of several groups, is a decimal comma; a number that has
    both marks says which is which. `1,234` alone says nothing: it is a decimal comma in a file delimited by `;` and a
    thousands separator in any other, and is named as ambiguous.

    cells: texts of any kind; what is not a number is passed over.
    delimiter: what stands between the cells.
    decimal: "." or "," where that is known.
    """
    evidence: Counter[tuple[str, str]] = Counter()
    unclear: dict[str, str] = {}
    for cell in cells:
        found = _marks(cell.strip().translate(SHAPE))
        if found is not None:
            evidence[found] += 1
            if found[0] == "?":
                unclear.setdefault(found[1], cell.strip())
    commas, points = (sum(n for (mark, _), n in evidence.items() if mark == sign) for sign in ",.")
    points_group, commas_group = evidence["", "."], evidence["", ","]
    ambiguous = ""
    if decimal is None:
        commas, points = commas + points_group, points + commas_group
        if commas == points == 0 and "," in unclear:
            decimal, ambiguous = ("," if delimiter == ";" else "."), unclear[","]
        else:
            decimal = "," if commas > points else "."
            ambiguous = unclear.get(".", "") if commas == points == 0 and delimiter == ";" else ""
    groups: Counter[str] = Counter()
    for (_, mark), n in evidence.items():
        groups[mark] += n if mark not in ("", decimal) else 0
    best = max(groups, key=lambda mark: groups[mark], default="")
    return Notation(decimal, best if groups[best] else "", ambiguous)


def _is_numeral(body: str) -> bool:
    """Whether digits and marks are a number in some notation, and not an address, a version or several numbers."""
    return body.isdigit() or _of_numeral(body) != ("", "") or bool(re.fullmatch(r"\d+[.,]|[.,]\d+", body))


def _of_numeral(body: str) -> tuple[str, str]:
    """The decimal mark ("" where there is none, "?" where it is unclear) and the mark of the thousands."""
    marks = [mark for mark in body if not mark.isdigit()]
    if not marks:
        return "", ""
    spaced = next((" " if mark in f" {SPACES}" else mark for mark in marks if mark not in ".,"), "")
    last = marks[-1]
    if last not in ".,":
        return ("", spaced) if GROUPED[spaced].match(body) else ("", "")
    whole, _, fraction = body.rpartition(last)
    before = {" " if mark in f" {SPACES}" else mark for mark in marks[:-1]}
    if len(before) > 1 or (before and not GROUPED[next(iter(before))].match(whole)):
        return "", ""  # 1.2.3, an address or a version
    if before == {last}:
        return ("", last) if GROUPED[last].match(body) else ("", "")
    if before:
        return last, next(iter(before))
    clear = len(fraction) != 3 or len(whole) > 3 or whole in ("", "0")
    return (last, "") if clear else ("?", last)
