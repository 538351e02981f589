"""Ratios, ours against each peer: same work, same machine, one run, alternating; `make bench`.

    python -m benchmarks [FAMILY ...] [--data DIR] [--rounds 5] [--threads 2] [--quick] [--record FILE]

Every case runs in a process of its own, so that nothing that one of them loads slows another. `profile` says where the
time of a training step goes, and at which share of the machine's rate. The protocol stands in docs/benchmarks.md.
"""

from __future__ import annotations

import argparse
import os
import sys
import traceback
from collections.abc import Callable
from pathlib import Path

from rich.console import Console

from benchmarks import profile
from benchmarks.limits import Limits
from benchmarks.row import Options, Row, table
from benchmarks.running import Family, Measured, alone, cases, keep

FAMILIES = {
    "startup": "benchmarks.startup",
    "opening": "benchmarks.opening",
    "certificate": "benchmarks.certificate",
    "loop": "benchmarks.loop",
    "losses": "benchmarks.losses",
    "training": "benchmarks.training",
    "evaluation": "benchmarks.evaluation",
    "sampling": "benchmarks.drawing",
    "coding": "benchmarks.coding",
    "quality": "benchmarks.quality",
}
NEED_DATA = ("quality",)
RECORD = Path("benchmarks/record.json")


def parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=(__doc__ or "").split("\n")[0])
    names = [*FAMILIES, "profile"]
    parser.add_argument("families", nargs="*", metavar="FAMILY", help=f"{', '.join(names)} [default: all]")
    parser.add_argument("--data", type=Path, default=_data(), help="the folder of the data sets")
    parser.add_argument("--rounds", type=int, default=5, help="windows of each side")
    parser.add_argument("--threads", type=int, default=min(2, os.cpu_count() or 1))
    parser.add_argument("--quick", action="store_true", help="a smoke test: small sizes, one round, nothing compiled")
    parser.add_argument(
        "--record", type=Path, default=None, help=f"the JSON record [default: {RECORD}; of --quick none]"
    )
    asked = parser.parse_args()
    if unknown := set(asked.families) - set(names):
        parser.error(f"no family {', '.join(sorted(unknown))}; there are {', '.join(names)}")
    return asked


def _data() -> Path | None:
    place = Path(os.environ.get("CHAINRULE_DATA", "../shared/data"))
    return place if place.is_dir() else None


def measured(family: str, options: Options, say: Callable[[str], object]) -> tuple[Family | None, int]:
    """All rows of a family, each said as it comes, and how many of its cases failed."""
    every: list[Measured] = []
    failed = 0
    for case in cases(FAMILIES[family]):
        try:
            every.append(alone(FAMILIES[family], case, options))
        except Exception:  # the other rows are still wanted
            traceback.print_exc()
            failed += 1
            continue
        for row in every[-1].rows:
            spread = "" if row.spread is None else " ({:.3g} to {:.3g})".format(*row.spread)
            say(f"{row.work} | {row.peer}: {row.ratio:.3g}{spread}")
    return Family.of(every, options), failed


def main() -> int:
    asked, console = parsed(), Console(width=None if sys.stdout.isatty() else 200, soft_wrap=True)
    data = None if asked.data is None else asked.data.resolve()
    options = Options(1 if asked.quick else asked.rounds, asked.quick, asked.threads, data)
    record = asked.record or (None if asked.quick else RECORD)
    rows: list[Row] = []
    failures = 0
    for family in [name for name in asked.families or FAMILIES if name != "profile"]:
        if family in NEED_DATA and data is None and not asked.quick:
            console.print(f"no --data: {family} is left out")
            continue
        done, failed = measured(family, options, console.print)
        failures += failed
        if done is not None:
            rows += done.rows
            console.print(f"{family}: {Limits(**done.peaks)}")
            if record is not None and failed:
                console.print(f"{failed} of its cases failed: {record} keeps what it had of {family}")
            elif record is not None:
                keep(record, family, done.to_json())
    if rows:
        console.print(table(rows))
    if "profile" in (asked.families or ["profile"]):
        entry = profile.alone(options)
        for shown in profile.tables(entry):
            console.print(shown)
        if record is not None:
            keep(record, "profile", entry)
    return int(failures > 0)


if __name__ == "__main__":
    sys.exit(main())
