"""A row of the table: one work, done by us and by a peer, what ratio was aimed at, and how far the limit is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Any

from rich.table import Table

from benchmarks.windows import Timing

__all__ = ["Limit", "Options", "Row", "table", "timed"]


@dataclass(frozen=True)
class Options:
    """How much work: rounds of each side, sizes of a smoke test, the threads, and where the data lies (or None)."""

    rounds: int = 5
    quick: bool = False
    threads: int = 2
    data: Path | None = None


@dataclass(frozen=True)
class Limit:
    """The least that the machine could take, in the unit of its row, and by what: GEMM, memory, dispatch, ..."""

    value: float
    by: str


@dataclass(frozen=True)
class Row:
    """What was measured, so that smaller is better and the ratio says how many times better we are.

        ratio = median(theirs) / median(ours)

    ours, theirs: a figure of each window. pairs: the figures of windows that stood side by side, where some have no
    neighbour; by default the two of each number. unit: "s", "MiB", ... goal: the least ratio that is aimed at; None for
    a figure that has none. limit: the least that ours could be. clock: "wall", or "processor" where the machine was
    never quiet. thrown_away: windows that others disturbed. reached: whether ours did the whole work, such as a
    quality.
    """

    work: str
    peer: str
    ours: tuple[float, ...]
    theirs: tuple[float, ...]
    unit: str = "s"
    goal: float | None = None
    limit: Limit | None = None
    clock: str = "wall"
    thrown_away: int = 0
    note: str = ""
    reached: bool = True
    pairs: tuple[tuple[float, float], ...] | None = None

    @property
    def ratio(self) -> float:
        """How many times better ours is."""
        return median(self.theirs) / median(self.ours)

    @property
    def spread(self) -> tuple[float, float] | None:
        """The smallest and the largest ratio of windows that stood side by side; None where none did."""
        pairs = zip(self.ours, self.theirs, strict=False) if self.pairs is None else self.pairs
        ratios = [other / mine for mine, other in pairs]
        return (min(ratios), max(ratios)) if ratios else None

    @property
    def met(self) -> bool | None:
        """Whether the goal is reached; None without one."""
        return None if self.goal is None else self.reached and self.ratio >= self.goal

    @property
    def of_limit(self) -> float | None:
        """The share of the limit that ours reaches."""
        return None if self.limit is None else self.limit.value / median(self.ours)

    def to_json(self) -> dict[str, Any]:
        """Everything measured, and what follows from it."""
        return asdict(self) | {"ratio": self.ratio, "spread": self.spread, "met": self.met, "of_limit": self.of_limit}


def timed(
    work: str,
    peer: str,
    ours: Timing,
    theirs: Timing,
    *,
    scale: float = 1.0,
    done: tuple[int, str] | None = None,
    note: str = "",
    **more: Any,
) -> Row:
    """The row of two timings; if either was never undisturbed, both are compared by processor time.

    scale: what theirs is multiplied with, where only a part of the work was measured. done: how many of what are done
    in a window, such as (2560, "elements"), so that the note says how many a second.
    """
    processor = ours.disturbed or theirs.disturbed
    mine, other = (each.processor if processor else each.seconds for each in (ours, theirs))
    if done is not None:
        rates = (done[0] / median(mine), done[0] / median(other) / scale)
        note = f"{rates[0]:,.0f} against {rates[1]:,.0f} {done[1]}/s" + (f"; {note}" if note else "")
    return Row(
        work,
        peer,
        tuple(mine),
        tuple(scale * each for each in other),
        clock="processor" if processor else "wall",
        thrown_away=ours.thrown_away + theirs.thrown_away,
        note=note,
        pairs=None if processor else tuple((a, scale * b) for a, b in beside(ours, theirs)),
        **more,
    )


def beside(ours: Timing, theirs: Timing) -> list[tuple[float, float]]:
    """Seconds of the windows of the same turn that both count."""
    other = {window.turn: window.seconds for window in theirs.kept}
    return [(window.seconds, other[window.turn]) for window in ours.kept if window.turn in other]


def _figure(values: Sequence[float], unit: str) -> str:
    middle = median(values)
    return f"{middle * 1000:.3g} ms" if unit == "s" and middle < 1 else f"{middle:.4g} {unit}"


def table(rows: Sequence[Row]) -> Table:
    """All rows for a person."""
    shown = Table(title="ours against each peer; a ratio above 1 is in our favour", title_justify="left")
    for name, justify in (("work", "left"), ("peer", "left"), ("ours", "right"), ("theirs", "right")):
        shown.add_column(name, justify=justify)  # type: ignore[arg-type]
    for name in ("ratio", "spread", "goal", "of the limit"):
        shown.add_column(name, justify="right", no_wrap=True)
    shown.add_column("")
    for row in rows:
        goal = "" if row.goal is None else f"{'✓' if row.met else '✗'} {row.goal:.3g}"
        limit = "" if row.limit is None else f"{row.of_limit:.0%} {row.limit.by}"
        notes = [row.note, "processor time" if row.clock == "processor" else ""]
        notes += [f"{row.thrown_away} windows thrown away" if row.thrown_away else ""]
        shown.add_row(
            row.work,
            row.peer,
            _figure(row.ours, row.unit),
            _figure(row.theirs, row.unit),
            f"{row.ratio:.3g}",
            "" if row.spread is None else "{:.3g} to {:.3g}".format(*row.spread),
            goal,
            limit,
            "; ".join(filter(None, notes)),
        )
    return shown
