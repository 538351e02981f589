"""Which levels whole numbers may have, and which step numbers have, beyond what happened to be seen."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal
from math import log

import numpy as np

from chainrule.errors import InputError

__all__ = ["FEW", "declared_levels", "levels_between", "sure_step"]

FEW = 32  # whole numbers with at most this many values are ordinal
SURE = log(1000)  # by how much a multiple of the last decimal has to be more probable than chance


def levels_between(values: Iterable[str]) -> set[str]:
    """These whole numbers and all between them, if there are at most 32 in all; else only these.

    >>> sorted(levels_between(["1", "4", "2"])), sorted(levels_between(["0", "1000"]))
    (['1', '2', '3', '4'], ['0', '1000'])
    """
    seen = set(values)
    numbers = [int(float(value)) for value in seen]
    low, high = min(numbers, default=0), max(numbers, default=0)
    if high - low >= FEW or len(seen) > high - low:
        return seen
    return {str(number) for number in range(low, high + 1)}


def declared_levels(name: str, text: str) -> set[str]:
    """The levels that "0..16" says.

    name: name of the column.
    text: the lowest and the highest level.

    >>> sorted(declared_levels("stars", "1..3"))
    ['1', '2', '3']
    """
    low, _, high = text.partition("..")
    try:
        levels = range(int(low), int(high) + 1)
    except ValueError:
        levels = range(0)
    if not 1 < len(levels) <= 4096:
        raise InputError(f"the levels of the column {name!r} are two whole numbers such as 0..16, got {text!r}")
    return {str(number) for number in levels}


def sure_step(step: float, counts: Mapping[str, int]) -> float:
    """The step, or the last decimal that is written, where too few numbers say that it is a multiple of that.

    All numbers may be even in their last decimal, or end in 5, by chance where few have that decimal: with a step of
    0.0002 an odd one would be impossible.

    step: the largest step of which all numbers are multiples.
    counts: of the numbers, by their text.

    >>> sure_step(0.0002, {"1.14": 50, "1.1404": 1, "1.1416": 2}), sure_step(0.5, {"1": 50, "1.5": 50})
    (0.0001, 0.5)
    """
    decimal = Decimal(repr(step)).normalize()
    exponent = int(decimal.as_tuple().exponent)
    multiple = int(decimal.scaleb(-exponent))
    if exponent >= 0 or multiple == 1:
        return step
    scale = 10.0 ** -(exponent + 1)
    values = np.array([float(text) for text in counts])
    scaled = values * scale
    fine = np.abs(scaled - np.rint(scaled)) > 1e-6 * np.maximum(1.0, np.abs(scaled) * 1e-6)
    evidence = int(np.array(list(counts.values()))[fine].sum()) * log(multiple)
    return step if evidence >= SURE else float(Decimal(1).scaleb(exponent))
