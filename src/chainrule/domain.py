"""The domain: what each element of an example may be."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from math import prod
from typing import Any

import numpy as np
import numpy.typing as npt

from chainrule.errors import InputError

__all__ = ["Column", "Domain", "detect_resolution", "detect_resolutions"]

FIRST = 64  # numbers that are tried before all
MOST_DECIMALS = 300  # 10 to a power that float64 holds


@dataclass(frozen=True)
class Column:
    """What one column of a row may be, where columns differ in kind.

    num_symbols: V for symbols {0, ..., V-1}, None for numbers.
    ordinal: the symbols are in the order of a quantity.
    resolution: the step of numbers, None for the real line.
    count: numbers are 0, 1, 2, ...
    missing: whether the value may be missing, an outcome of its own: the symbol V, or NaN among numbers.
    """

    num_symbols: int | None
    ordinal: bool = False
    resolution: float | None = None
    count: bool = False
    missing: bool = False

    def outside(self, x: npt.NDArray[Any]) -> npt.NDArray[np.bool_]:
        """Where values, shape (N,), are none of the column's."""
        if self.num_symbols is not None:
            return ~((x >= 0) & (x < self.num_symbols + self.missing) & (x == np.floor(x)))
        missing = np.isnan(x) if self.missing else np.zeros(len(x), dtype=bool)
        bad = ~np.isfinite(x)
        if self.resolution is not None:
            steps = x / self.resolution
            bad |= np.abs(steps - np.rint(steps)) > 0.01
        return ~missing & (bad | (self.count & (x < 0)))


@dataclass(frozen=True)
class Domain:
    """What each element may be, and how the elements of one example are laid out.

    shape: the layout of an example in elements, e.g. `(8, 8)` for a small image; their product is the number of
        elements D. With `variable_length` its first side is the longest.
    num_symbols: V for elements in {0, ..., V-1}; None for real elements.
    ordinal: whether the symbols are levels of a quantity (grey values) and not mere names (letters).
    resolution: the step at which real elements were recorded, None if unknown.
    variable_length: whether examples differ in length.
    end: the symbol that ends an example of variable length and is scored like any other, None if there is none.
    columns: what each element may be where they differ in kind, as in the rows of a table; then `num_symbols` is the
        largest number of outcomes of a column, or None if any column holds numbers. Empty where all are alike.

    >>> Domain(shape=(8, 8), num_symbols=17, ordinal=True).length
    64
    """

    shape: tuple[int, ...]
    num_symbols: int | None
    ordinal: bool = False
    resolution: float | None = None
    variable_length: bool = False
    end: int | None = None
    columns: tuple[Column, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "shape", tuple(int(side) for side in self.shape))
        if not self.shape or min(self.shape) < 1:
            raise InputError(f"a domain's shape needs positive sides, got {self.shape}")
        if self.num_symbols is not None and self.num_symbols < 1:
            raise InputError(f"a domain needs at least one symbol, got num_symbols={self.num_symbols}")
        if self.end is not None and len(self.shape) != 1:
            raise InputError(f"examples that end with a symbol are sequences, got the shape {self.shape}")

    @property
    def length(self) -> int:
        """D, the number of elements of the longest example."""
        return prod(self.shape)

    def check(self, x: npt.NDArray[Any], what: str = "the data") -> None:
        """Refuse elements outside the domain, naming the first one; of a table, rows that may end early.

        Raises InputError for a wrong dtype, NaN or infinite values, and symbols outside {0, ..., V-1}.
        """
        if self.columns:
            bad = np.stack([column.outside(values) for column, values in zip(self.columns, x.T, strict=False)], 1)
            wanted = "a value of that column"
        elif self.num_symbols is None:
            bad = ~np.isfinite(x)
            wanted = "finite real values"
        elif not np.issubdtype(x.dtype, np.integer) and x.dtype != np.bool_:
            raise InputError(
                f"{what} has dtype {x.dtype}, expected integers in 0..{self.num_symbols - 1}; "
                "convert it, or declare the elements as real"
            )
        else:
            bad = (x < 0) | (x >= self.num_symbols)
            wanted = f"integers in 0..{self.num_symbols - 1}"
        if bad.any():
            first = tuple(int(i) for i in np.argwhere(bad)[0])
            raise InputError(f"{what} has {x[first]} at {first}, expected {wanted}; correct or re-encode it")

    def to_json(self) -> dict[str, Any]:
        """The domain as JSON, for `config.json`; `Domain.from_json` is its inverse."""
        return asdict(self) | {"shape": list(self.shape), "columns": [asdict(column) for column in self.columns]}

    @classmethod
    def from_json(cls, fields: dict[str, Any]) -> Domain:
        """The domain that `to_json` wrote."""
        columns = tuple(Column(**column) for column in fields.get("columns", ()))
        return cls(**(fields | {"shape": tuple(fields["shape"]), "columns": columns}))


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
    return _steps(numbers[None, :], digits)[0]


def detect_resolutions(x: npt.NDArray[np.float64]) -> list[float | None]:
    """`detect_resolution` of each row, all rows together, shape (C, N).

    >>> detect_resolutions(np.array([[0.5, 1.25], [1200, np.nan], [2**0.5, 1.0]]))
    [0.25, 1200.0, None]
    """
    return _steps(np.where(np.isfinite(x), x, 0.0), 12)


def _steps(numbers: npt.NDArray[np.float64], digits: int) -> list[float | None]:
    """The resolutions of rows of finite numbers that count as continuous beyond so many digits."""
    found: list[float | None] = [None] * len(numbers)
    largest = np.abs(numbers).max(axis=1, initial=0.0)
    left = np.flatnonzero(largest)
    whole_digits = np.floor(np.log10(largest[left])).astype(int) + 1
    for more in range(digits + 1):
        decimals = (more - whole_digits).tolist()
        scale = np.array([10.0 ** min(k, MOST_DECIMALS) for k in decimals])
        fits = np.flatnonzero(_are_whole(numbers[left, :FIRST] * scale[:, None], digits))  # most fail at once
        scaled = numbers[left[fits]] * scale[fits, None]
        right = _are_whole(scaled, digits)
        for k, row in zip(fits[right], np.rint(scaled[right]).astype(np.int64), strict=True):
            found[left[k]] = float(np.gcd.reduce(row) / scale[k])
        stay = np.ones(len(left), dtype=bool)
        stay[fits[right]] = False
        left, whole_digits = left[stay], whole_digits[stay]
        if not len(left):
            break
    return found


def _are_whole(scaled: npt.NDArray[np.float64], digits: int) -> npt.NDArray[np.bool_]:
    """Whether all numbers of each row are whole up to rounding."""
    return np.asarray((np.abs(scaled - np.rint(scaled)) <= np.abs(scaled) * 10.0**-digits / 2).all(axis=1))
