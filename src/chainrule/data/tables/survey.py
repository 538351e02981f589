"""What the cells of a column are, found in one pass over its blocks: numbers, truth values, dates or texts.

A column that is a number (or a date) in more than nine of ten of its cells is meant to be one. The cells that are not
are an error that names them with their lines, never a silent change of kind.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from chainrule.data.examples.base import Array
from chainrule.data.tables.cells import MISSING, Spelling, booleans, is_missing
from chainrule.data.tables.date_cells import read_dates
from chainrule.data.tables.number_cells import plain_values, read_numbers
from chainrule.errors import InputError

__all__ = ["SHOWN", "Survey", "classes_of"]

MEANT = 0.9  # share of numbers above which a column is meant to be one
SHOWN = 5  # cells that an error names
LONGEST = 40  # characters of a cell in it
WORDS = ("na", "null", "none", "nan")  # that can also be a code or a surname

Cell = tuple[int, str]  # row, counted from 0, and text
Where = Callable[[int], str]  # names the file and the line of a row, for errors


@dataclass
class Survey:
    """What has been seen of the cells of a column.

    name: of the column.
    missing: texts that stand for a missing value.
    decimal, thousands: how the file writes numbers.
    as_text: whether the column was declared to hold names.
    rows: how many were seen.
    counts: of cells, by their class.
    words: how missing values are written, and how often.
    examples: the first cells of a class with their rows.
    later: finds the first cells of a class, where that is only done for an error.
    """

    name: str
    missing: tuple[str, ...] = MISSING
    decimal: str = "."
    thousands: str = ""
    as_text: bool = False
    rows: int = 0
    counts: Counter[str] = field(default_factory=Counter)
    words: Counter[str] = field(default_factory=Counter)
    examples: dict[str, list[Cell]] = field(default_factory=dict)
    later: dict[str, Callable[[], list[Cell]]] = field(default_factory=dict)

    def update(self, texts: Any) -> None:
        """Look at a block of cells, Arrow texts."""
        texts = texts.combine_chunks() if isinstance(texts, pa.ChunkedArray) else texts
        gone = is_missing(texts, self.missing)
        present = texts.filter(pc.invert(gone))
        if len(present) < len(texts):
            self.count_words(texts.filter(gone))
        if len(present):
            self.counts["present"] += len(present)
            if not self.as_text:
                self._look(present, np.flatnonzero(~gone.to_numpy(zero_copy_only=False)))
        self.rows += len(texts)

    def _look(self, present: Any, rows: Array) -> None:
        if self.decimal == "." and (value := plain_values(present)) is not None:
            truth = (value == 0) | (value == 1)
            everywhere = np.full(len(present), True)
            counted = {"number": everywhere, "unit ": everywhere, "boolean": truth}
            kept = {"of unit ": everywhere, "not date": everywhere}
            for name, found in counted.items():
                self.counts[name] += int(found.sum())
            for name, found in kept.items():
                self._keep(name, found, present, rows)
            return
        different = present.dictionary_encode()
        code = different.indices.to_numpy(zero_copy_only=False)
        count = np.bincount(code, minlength=len(different.dictionary))
        counted, kept = classes_of(different.dictionary, self.decimal, self.thousands)
        for name, found in counted.items():
            self.counts[name] += int(count[found].sum())
        for name, found in kept.items():
            self._keep(name, found[code], present, rows)

    def _keep(self, name: str, found: Array, present: Any, rows: Array) -> None:
        kept = self.examples.setdefault(name, [])
        if len(kept) < SHOWN and found.any():
            for k in np.flatnonzero(found)[: SHOWN - len(kept)]:
                kept.append((self.rows + int(rows[k]), present[int(k)].as_py()))

    def count_words(self, cells: Any) -> None:
        """Count how missing values are written; cells: those that are missing."""
        if cells.null_count == len(cells):
            return
        counted = pc.utf8_trim_whitespace(cells.drop_null()).value_counts()
        for word, n in zip(counted.field("values").to_pylist(), counted.field("counts").to_pylist(), strict=True):
            self.words[word] += n

    def cells(self, name: str) -> list[Cell]:
        """The first cells of a class."""
        kept = self.examples.get(name, [])
        return kept + self.later[name]()[: SHOWN - len(kept)] if name in self.later else kept

    @property
    def present(self) -> int:
        """The number of cells that are not missing."""
        return self.counts["present"]

    def decide(self, where: Where, day_first: bool | None = None) -> tuple[Spelling, list[str]]:
        """The spelling of the column, and what is to be said about it.

        where: names the file and the line of a row, counted from 0.
        day_first: whether 1/2/2024 is the first of February, None to find it.

        Raises InputError where more than nine of ten cells are numbers (or dates) and others are not, and for
        infinite numbers and impossible dates.
        """
        said = list(self._said())
        spelling = Spelling("text", self.missing, self.decimal, self.thousands)
        if self.as_text or not self.present:
            return spelling, said
        if self.counts["boolean"] == self.present and self.counts["named boolean"]:
            return replace(spelling, kind="boolean"), said
        units = {name.removeprefix("unit "): n for name, n in self.counts.items() if name.startswith("unit ")}
        unit = max(units, key=lambda unit: units[unit], default="")
        if self._is_meant("number", units.get(unit, 0), self.counts["infinite"], self._others(unit), where):
            said += [f"the numbers of {self.name!r} are read without {unit!r}"] if unit else []
            return replace(spelling, kind="number", unit=unit), said
        ahead = self.counts["day first"] >= self.counts["month first"] if day_first is None else day_first
        order = "day first" if ahead else "month first"
        possible = self.counts[order]
        impossible = self.counts["date"] - possible if possible >= self.counts["date"] / 2 else 0
        others = [f"not {order}", "not date"]
        if self._is_meant("date", possible, impossible, others, where):
            both = self.counts["day first"] == self.counts["month first"] == self.present
            if day_first is None and self.counts["open"] and both:
                said.append(
                    f"the dates of {self.name!r} could have the day or the month first; the day is read first, "
                    "--dates month-first reads the month"
                )
            if self.counts["short year"]:
                said.append(f"the years of two digits of {self.name!r} are read as 1969 to 2068")
            if self.counts["cut"]:
                said.append(f"the times of {self.name!r} are read to the microsecond; what is finer is left out")
            return replace(spelling, kind="date", day_first=ahead), said
        return spelling, [*said, *self._said_of_numbers(where), *self._said_of_texts(where)]

    def _others(self, unit: str) -> list[str]:
        """The classes of cells that are not numbers of the unit."""
        units = (name for name in self.examples | self.later if name.startswith("of unit ") and name[8:] != unit)
        return ["not number", *units]

    def _is_meant(self, kind: str, fits: int, refused: int, classes: Sequence[str], where: Where) -> bool:
        """Whether the column is of the kind; an error where it is meant to be and cells of some classes are not."""
        if fits == self.present:
            return fits > 0
        if not (fits > MEANT * self.present or (refused and fits + refused == self.present)):
            return False
        others = sorted(cell for name in classes for cell in self.cells(name))[:SHOWN]
        shown = ", ".join(f"{_short(text)!r} ({where(row)})" for row, text in others)
        more = self.present - fits - len(others)
        texts = ",".join(dict.fromkeys(text.strip() for _, text in others if len(text) <= LONGEST and "," not in text))
        missing = f"or say --missing '{texts}' if they mean that there is no value, " if texts else ""
        raise InputError(
            f"the column {self.name!r} holds a {kind} in {fits} of {self.present} cells, but not in {shown}"
            f"{f' and {more} more' if more > 0 else ''}; correct them, {missing}or --columns {self.name}=categorical "
            "if the column holds names"
        )

    def _said(self) -> Iterator[str]:
        """Notes on missing values that are written as a word, such as NA."""
        for word, n in self.words.items():
            if word.lower() in WORDS and self.counts["number"] <= self.present / 2 and self.present:
                yield (
                    f"{word!r} in the column {self.name!r} stands for a missing value in {n} rows; if it is a value, "
                    f"leave it out of --missing"
                )

    def _said_of_numbers(self, where: Where) -> Iterator[str]:
        """Notes on columns of texts in which most cells are numbers, but too few for a column of numbers."""
        numbers = self.counts["number"]
        if 2 * numbers <= self.present:
            return
        if numbers == self.present:  # in several units
            units = sorted(name.removeprefix("unit ") for name in self.counts if name.startswith("unit "))
            shown = ", ".join(repr(unit) if unit else "none" for unit in units)
            yield f"{self.name!r} holds numbers in several units ({shown}) and is read as names; write them in one"
            return
        row, text = self.cells("not number")[0]
        if text.strip().isdigit():
            return  # a code with leading zeros
        yield (
            f"{self.name!r} holds numbers in {numbers} of {self.present} cells and is read as names, because of "
            f"{_short(text)!r} ({where(row)}) and others; --missing names texts that mean that there is no value"
        )

    def _said_of_texts(self, where: Where) -> Iterator[str]:
        for row, text in self.cells("word")[:1]:
            yield (
                f"{text!r} in the column {self.name!r} ({where(row)}) is read as a value; "
                f"--missing '{text}' if it is none"
            )


def _short(text: str) -> str:
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}..."


def classes_of(cells: Any, decimal: str, thousands: str) -> tuple[dict[str, Array], dict[str, Array]]:
    """The classes of different cells: those that are counted, and those whose first cells are kept for errors.

    cells: Arrow texts, none missing.
    decimal, thousands: how the file writes numbers.
    """
    numbers, truth, dates = read_numbers(cells, decimal, thousands), booleans(cells), read_dates(cells)
    counted = {
        "number": numbers.is_number,
        "infinite": numbers.is_infinite,
        "boolean": np.isfinite(truth),
        "named boolean": np.isfinite(truth) & ~numbers.is_number,
        "date": dates.looks_like,
        "day first": dates.day_first,
        "month first": dates.month_first,
        "short year": dates.short_year,
        "cut": dates.cut,
        "open": dates.day_first & dates.month_first & ~dates.sorted_day,
    }
    kept = {
        "not number": ~numbers.is_number,
        "not date": ~dates.looks_like,
        "not day first": dates.looks_like & ~dates.day_first,
        "not month first": dates.looks_like & ~dates.month_first,
        "word": pc.is_in(pc.utf8_lower(pc.utf8_trim_whitespace(cells)), pa.array(WORDS)).to_numpy(zero_copy_only=False),
    }
    for unit in pc.unique(numbers.unit.filter(pa.array(numbers.is_number))).to_pylist():
        has = pc.equal(numbers.unit, unit).to_numpy(zero_copy_only=False) & numbers.is_number
        counted[f"unit {unit}"] = kept[f"of unit {unit}"] = has
    return counted, kept
