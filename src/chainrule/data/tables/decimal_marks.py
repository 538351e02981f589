"""Whether the decimal mark of a file, found on a sample of its lines, holds for all of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pyarrow.compute as pc

from chainrule.data.tables.number_cells import read_numbers
from chainrule.data.tables.survey import MEANT
from chainrule.data.tables.survey_names import Coded, counts_of, first_cells
from chainrule.errors import InputError

__all__ = ["refuse_other_mark"]

CLEAR = {mark: rf"^\s*[+-]?(?:\d+{mark}(?:\d{{1,2}}|\d{{4,}})|0{mark}\d+)\s*$" for mark in (",", "[.]")}  # not 1,234


def refuse_other_mark(columns: Sequence[Coded], where: Callable[[int], str]) -> None:
    """Refuse a column of numbers with the other decimal mark, which would be read as names.

    columns: those that were found to hold texts, with the different texts of each.
    where: names the file and the line of a row.
    """
    for column in columns:
        survey = column.survey
        if survey.as_text or not survey.present:
            continue
        other = "," if survey.decimal == "." else "."
        clear = pc.match_substring_regex(column.texts, CLEAR["," if other == "," else "[.]"])
        if not pc.any(clear).as_py():
            continue
        is_number = read_numbers(column.texts, other, "").is_number
        if counts_of(column)[is_number].sum() <= MEANT * survey.present:
            continue
        row, text = first_cells(column, clear.to_numpy(zero_copy_only=False))[0]
        raise InputError(
            f"{where(row)}: {text!r} in the column {survey.name!r} has the decimal mark {other!r}, but other lines say "
            f"{survey.decimal!r}; say --decimal '{other}' or --decimal '{survey.decimal}' for the whole file, or "
            f"--columns {survey.name}=categorical if the column holds names"
        )
