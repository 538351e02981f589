"""One case in a process of its own; the rows of a family with where they come from, as a record that backs them."""

from __future__ import annotations

import json
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from importlib import import_module
from multiprocessing import get_context
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks.row import Options, Row

__all__ = ["Family", "Measured", "alone", "cases", "keep"]


class Measured(NamedTuple):
    """Rows; versions, machine and commit; the peaks of the machine, see `Limits`."""

    rows: list[Row]
    origin: dict[str, Any]
    peaks: dict[str, float]


def cases(module: str) -> list[str]:
    """The names of a family's cases."""
    return list(import_module(module).ROWS)


def alone(module: str, case: str, options: Options) -> Measured:
    """Measure a case in a process that does nothing else; in a smoke test, here."""
    if options.quick:
        return measured(module, case, options)
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as process:
        return process.submit(measured, module, case, options).result()


def measured(module: str, case: str, options: Options) -> Measured:
    """Measure a case here."""
    import torch

    torch.set_num_threads(options.threads)
    from benchmarks.limits import limits
    from chainrule.runs.provenance import provenance

    rows = import_module(module).ROWS[case](options)
    origin = provenance()
    del origin["command"]
    return Measured(rows, origin, asdict(limits()))


@dataclass(frozen=True)
class Family:
    """The rows of a family: with how many rounds, where they come from, and the best peaks that any case saw."""

    rows: list[Row]
    rounds: int
    origin: dict[str, Any]
    peaks: dict[str, float]

    @classmethod
    def of(cls, every: list[Measured], options: Options) -> Family | None:
        """Its cases together; None if there are none."""
        if not every:
            return None
        rows = [row for each in every for row in each.rows]
        dispatch = min(each.peaks["dispatch"] for each in every)
        peaks = {name: max(each.peaks[name] for each in every) for name in every[0].peaks} | {"dispatch": dispatch}
        return cls(rows, options.rounds, every[-1].origin, peaks)

    def to_json(self) -> dict[str, Any]:
        """Everything measured, and its origin."""
        peaks = {"limits": self.peaks, "rounds": self.rounds}
        return self.origin | peaks | {"rows": [row.to_json() for row in self.rows]}


def keep(place: Path, family: str, done: dict[str, Any]) -> None:
    """Put a family, or the profile, into the record; the others stay as they were measured before."""
    record = json.loads(place.read_text()) if place.is_file() else {}
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_text(json.dumps(record | {family: done}, indent=1, ensure_ascii=False) + "\n")
