"""The kind of each column, found from its values in one pass, and the encoding that follows from it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import numpy as np

from chainrule.data.examples.base import Array
from chainrule.data.tables.cells import Spelling
from chainrule.data.tables.columns import DAY, KINDS, Numbers, Symbols, is_date, is_missing, is_number
from chainrule.data.tables.levels import FEW, declared_levels, levels_between, sure_step
from chainrule.domain import detect_resolution
from chainrule.errors import InputError, unknown_name

__all__ = ["EXACT", "KEPT", "Profile", "profiles"]

KEPT = 4096  # most values of a column of numbers that are counted
MOST = 2**20  # most values of a column of names
FRACTIONS = (1.0, 1e-3, 1e-6)  # seconds, by groups of three digits after the point
MOSTLY = 0.5  # share of rows that repeat a value, from which numbers of many digits have a step
EXACT = 2.0**53  # whole numbers below are exact in float64


@dataclass
class Profile:
    """What a column holds, as far as it has been read: its values and counts, and whether all are numbers or dates.

    name: the name of the column.
    rows: the number of rows read.
    missing: how a missing value is written; None where there is none.
    counts: the count of each value; None where there are too many numbers to keep.
    number, date: whether every value is a number, or a date.
    whole: whether every number is a whole number, or every date has no time.
    low, high: the smallest and the largest number.
    resolution: the step of the numbers; None where there is none.
    between: the character between date and time, "" for dates without a time.
    rising: whether each number is one more than the one before, as row numbers are.
    last: the last number read.
    digits: the most digits of a fraction of a second.
    spelling: how the cells are written, so that the texts are canonical; None in runs of the first reader.
    padded: whether all numbers are written with equally many decimals.
    gaps: whether levels between those that were seen are left out, as the first readers did.
    """

    name: str
    rows: int = 0
    missing: str | None = None
    counts: Mapping[str, int] | None = field(default_factory=dict)
    number: bool = True
    date: bool = True
    whole: bool = True
    low: float = np.inf
    high: float = -np.inf
    resolution: float | None = 0.0
    between: str = ""
    rising: bool = True
    last: float | None = None
    digits: int = 0
    spelling: Spelling | None = None
    padded: bool = True
    gaps: bool = True

    def update(self, texts: Any) -> None:
        """Read a block of texts, an Arrow array."""
        import pyarrow.compute as pc

        gone = is_missing(texts) if self.spelling is None else pc.is_null(texts)
        self.rows += len(texts)
        if self.missing is None and pc.any(gone).as_py():
            self.missing = texts.filter(gone)[0].as_py() or ""
        present = texts.filter(pc.invert(gone))
        if not len(present):
            return
        counted = present.value_counts()
        self.add(counted.field("values"), counted.field("counts").to_numpy(zero_copy_only=False))
        if self.number and self.rising:
            self.rise(present.cast("float64").to_numpy(zero_copy_only=False))

    def add(self, values: Any, counts: Array) -> None:
        """Count values.

        values: different texts, an Arrow array.
        counts: how often each of them occurs.
        """
        import pyarrow.compute as pc

        self.number = self.number and pc.all(is_number(values)).as_py()
        is_canonical = self.spelling is not None
        self.date = self.date and not self.number and pc.all(is_date(values, is_canonical)).as_py()
        if self.number:
            self._numbers(values.cast("float64").to_numpy(zero_copy_only=False))
        elif self.date:
            self.between = max(self.between, pc.max(pc.utf8_slice_codeunits(values, 10, 11)).as_py())
            longest = pc.max(pc.utf8_length(values)).as_py()
            self.whole = self.whole and longest == 10
            self.digits = max(self.digits, longest - 20) if is_canonical else 0
        self._count(values.to_pylist(), counts.tolist())

    def _numbers(self, x: Array) -> None:
        self.low, self.high = min(self.low, float(x.min())), max(self.high, float(x.max()))
        self.whole = self.whole and bool((x == np.floor(x)).all())
        self.number = self.number and (not self.whole or max(-self.low, self.high) < EXACT)
        if self.resolution is not None:
            self.resolution = detect_resolution(np.append(x, self.resolution)) or (0.0 if not x.any() else None)

    def rise(self, x: Array) -> None:
        """See whether numbers, in the order of the rows, go up by one. x: float64 (n,), none missing."""
        x = x if self.last is None else np.append(self.last, x)
        self.rising, self.last = self.rising and bool((np.diff(x) == 1).all()), float(x[-1])

    def _count(self, values: list[str], counts: list[int]) -> None:
        if self.counts is None:
            if not (self.number or self.date):
                raise Recount
            return
        known = self.counts if isinstance(self.counts, dict) else dict(self.counts)
        for value, count in zip(values, counts, strict=True):
            known[value] = known.get(value, 0) + count
        self.counts = known
        if len(known) > KEPT and (self.number or self.date):
            self.counts = None
        elif len(known) > MOST:
            raise InputError(
                f"the column {self.name!r} has more than {MOST} different values; leave it out with --drop"
            )

    @property
    def kind(self) -> str:
        """The kind that the values suggest."""
        distinct = MOST if self.counts is None else len(self.counts)
        if self.rows and distinct <= 1:
            return "constant"
        if self.date:
            return "date"
        if not self.number:
            return "identifier" if distinct == self.rows >= 50 else "categorical"
        if not self.whole:
            return "density" if self.resolution is None else "real"
        if distinct <= 2:
            return "categorical"
        if distinct <= FEW and distinct <= self.rows / 4:
            return "ordinal"
        return "count" if self.low >= 0 else "real"

    @property
    def repeated(self) -> float:
        """The share of the rows whose number is that of another row; 0 where the values are not kept."""
        counts = np.array([*self.counts.values()] if self.counts else [0])
        return float(counts[counts > 1].sum() / max(1, counts.sum()))

    def find_fine_step(self) -> None:
        """Give numbers that repeat a step where there was none: that of the decimals in which they are written.

        Numbers with more than 12 digits count as continuous. Where most rows repeat values all the same (9.5333333333
        for a mean of three), a density could be made as high as one likes, and the mass of a step cannot.
        """
        if not self.number or self.whole or self.resolution is not None or not self.counts or self.repeated < MOSTLY:
            return
        finest = min(int(Decimal(text).normalize().as_tuple().exponent) for text in self.counts)
        if max(-self.low, self.high) * 10.0**-finest < EXACT:
            self.resolution = float(Decimal(1).scaleb(finest))

    def look_beyond(self) -> None:
        """Take the step for which there is evidence, and the levels between those that were seen."""
        self.gaps = False
        if self.number and not self.whole and self.resolution and self.counts:
            self.resolution = sure_step(self.resolution, self.counts)

    @property
    def is_row_number(self) -> bool:
        """Whether the column counts the rows."""
        return self.number and self.rising and self.rows >= 50

    def column(self, kind: str | None) -> Symbols | Numbers:
        """The encoding of the column, of the kind that its values suggest or of a given one ("real:0.1")."""
        kind, _, declared = (kind or self.kind).partition(":")
        if kind not in KINDS:
            raise unknown_name(f"kind of the column {self.name!r}", kind, KINDS)
        if kind == "date" and self.date:
            tick = DAY if self.whole else FRACTIONS[-(-self.digits // 3)]
            return Numbers(self.name, kind, tick, self.missing, "" if self.whole else self.between, self.spelling)
        if kind in ("count", "real", "density", "date"):
            fits = self.number and not (kind == "count" and (not self.whole or self.low < 0)) and kind != "date"
            if not fits:
                raise InputError(f"the column {self.name!r} cannot be of the kind {kind!r}: not all its values are")
            step = _step(self.name, declared) if declared else 1.0 if self.whole else self.resolution
            if kind == "real" and step is None:
                raise InputError(f"the column {self.name!r} has no resolution; call it a density, or say real:STEP")
            resolution = None if kind == "density" else step
            return Numbers(
                self.name, kind, resolution, self.missing, spelling=self.spelling, padded=self.padded or self.whole
            )
        if self.counts is None:
            raise InputError(
                f"the column {self.name!r} has more than {KEPT} numbers, too many for {kind!r}; call it real"
            )
        if not self.counts:
            raise InputError(f"the column {self.name!r} has no values at all; leave it out with --drop")
        ordered = self._by_frequency() if kind != "ordinal" else self._levels(declared)
        return Symbols(self.name, kind, tuple(ordered), self.missing, self.spelling)

    def _levels(self, declared: str) -> list[str]:
        """The levels in their order: those that are declared, "0..16", or those that were seen and between these."""
        seen: set[str] = set(self.counts or ())
        if not declared:
            filled = self.number and self.whole and not self.gaps
            return sorted(levels_between(seen) if filled else seen, key=float if self.number else None)
        levels = declared_levels(self.name, declared)
        if other := sorted(seen - levels):
            raise InputError(f"the column {self.name!r} has {other[0]!r}, which is none of the levels {declared}")
        return sorted(levels, key=float)

    def _by_frequency(self) -> list[str]:
        counts = self.counts or {}
        return sorted(counts, key=lambda value: (-counts[value], value))


class Recount(Exception):
    """Raised where a column of names looked like numbers, so that its values have to be counted from the start."""


def _step(name: str, text: str) -> float:
    try:
        step = float(text)
    except ValueError:
        step = 0.0
    if not 0 < step < np.inf:
        raise InputError(f"the resolution of the column {name!r} is a positive number such as 0.1, got {text!r}")
    return step


def profiles(
    blocks: Callable[[], Iterator[Any]],
    wanted: Mapping[str, str | None],
    spellings: Mapping[str, Spelling] | None = None,
) -> list[Profile]:
    """The profiles of the wanted columns, in one pass; in two where a column of numbers turns out to hold names.

    blocks: starts a pass over Arrow tables of texts.
    wanted: the declared kind of each column by name; None where it is to be found.
    spellings: of each column, whose texts are then canonical; None for the first reader.
    """
    as_names = {name for name, kind in wanted.items() if kind in ("categorical", "identifier", "constant")}
    while True:
        found = {name: _profile(name, name in as_names, (spellings or {}).get(name)) for name in wanted}
        try:
            for block in blocks():
                for name, profile in found.items():
                    try:
                        profile.update(block.column(name).combine_chunks())
                    except Recount:
                        as_names.add(name)
                        raise
            return list(found.values())
        except Recount:
            continue


def _profile(name: str, holds_names: bool, spelling: Spelling | None) -> Profile:
    """The empty profile of a column. holds_names: whether its values are names, whatever they look like."""
    if spelling is None:
        return Profile(name, number=not holds_names, date=not holds_names)
    number, date = (spelling.kind == kind and not holds_names for kind in ("number", "date"))
    return Profile(name, number=number, date=date, spelling=spelling)
