"""The resolution of recorded numbers: the step of the grid that they lie on."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["detect_resolution"]


def detect_resolution(x: npt.ArrayLike) -> float | None:
    """The largest r of which every number is a multiple, None if there is none.

    The numbers are written with the fewest decimals k that give them back, as integers times 10^-k, and r is their
    greatest common divisor. What takes more than 12 significant digits (6 in float32) counts as continuous.

    x: numbers of any shape, of which NaN and infinite ones are skipped. None also when nothing but zeros is left.

    >>> detect_resolution([0.5, 1.25, 3.0]), detect_resolution([1200, 800]), detect_resolution([2**0.5, 1.0])
    (0.25, 400.0, None)
    """
    values: npt.NDArray[Any] = np.asarray(x)
    digits = 6 if values.dtype in (np.float32, np.float16) else 12
    numbers = np.unique(values[np.isfinite(values)].astype(np.float64))
    largest = float(np.abs(numbers).max(initial=0.0))
    if largest == 0:
        return None
    whole_digits = int(np.floor(np.log10(largest))) + 1
    for decimals in range(-whole_digits, digits - whole_digits + 1):
        scaled = numbers * 10.0**decimals
        whole = np.rint(scaled)
        if (np.abs(scaled - whole) <= np.abs(scaled) * 10.0**-digits / 2).all():
            return float(np.gcd.reduce(whole.astype(np.int64)) / 10.0**decimals)
    return None
