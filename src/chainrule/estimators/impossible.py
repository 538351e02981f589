"""Values that a fitted column cannot have: what stands for them, and what is said of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt

from chainrule.data.tables.columns import Numbers, Symbols
from chainrule.data.tables.nearest import NearestRows
from chainrule.runs.plan import Plan

__all__ = ["said_of", "usual_elements"]

ENOUGH = 10_000  # training rows of which the median is taken
SHOWN = 5  # columns that a warning names


def usual_elements(plan: Plan) -> npt.NDArray[np.float64]:
    """The median element of each column of a table in training, shape (D,); of names the most frequent one.

    plan: of a table.
    """
    train, columns = plan.data.train, plan.data.encoding.columns  # type: ignore[attr-defined]
    rows = np.arange(0, len(train), max(1, len(train) // ENOUGH))
    x = train.batch(rows).x.numpy()
    return np.array([_usual(column, x[:, d].astype(np.float64)) for d, column in enumerate(columns)])


def _usual(column: Symbols | Numbers, x: npt.NDArray[np.float64]) -> float:
    if isinstance(column, Symbols) and column.kind != "ordinal":
        return 0.0
    there = x[x < len(column.values)] if isinstance(column, Symbols) else x[~np.isnan(x)]
    return float(np.quantile(there, 0.5, method="lower")) if len(there) else 0.0


def said_of(found: NearestRows, columns: Sequence[Symbols | Numbers]) -> Iterator[str]:
    """Warnings of numbers between two steps, and of what is no possible number in a column of numbers.

    Names that were never there need none: that their probability is zero is what their score says.
    """
    if between := np.flatnonzero(found.between.any(0)).tolist():
        steps = [f"{columns[d].name!r} ({columns[d].describe()})" for d in between[:SHOWN]]
        yield (
            f"{int(found.between.any(1).sum())} of {len(found.x)} rows have numbers between the steps of "
            f"{_shown(steps, len(between))}: each stands for the nearest multiple of the step; if they were recorded "
            f"more finely, name the step when you fit, such as columns={{{columns[between[0]].name!r}: 'real:0.001'}}"
        )
    never = found.outside & np.array([isinstance(column, Numbers) for column in columns])
    if outside := np.flatnonzero(never.any(0)).tolist():
        names = [repr(columns[d].name) for d in outside[:SHOWN]]
        yield (
            f"{int(never.any(1).sum())} of {len(found.x)} rows have probability zero, with a text, a missing value "
            f"or a number out of range in {_shown(names, len(outside))}; correct them, or fit to rows that have them"
        )


def _shown(names: Sequence[str], number: int) -> str:
    return ", ".join(names) + (f" and {number - len(names)} more columns" if number > len(names) else "")
