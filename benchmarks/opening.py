"""Opening of tables: time and peak of resident memory, each in a process of its own, against goals that are fixed.

A row compares with its goal: ours is what was measured, theirs what was aimed at; a ratio above 1 reaches the goal.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np

from benchmarks.row import Options, Row

__all__ = ["ROWS"]

CHILD = """
import json, resource, sys, time
import torch
from chainrule.data import load
wall, processor = time.perf_counter(), time.process_time()
data = load(sys.argv[1])
data.digest()
wall, processor = time.perf_counter() - wall, time.process_time() - processor
print(json.dumps([wall, processor, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024]))
"""
GOAL = "the goal"
BLOCK = 50_000  # rows that are written at once


def tall(path: Path, rows: int) -> None:
    """Two columns of reals, two of whole numbers, two of names."""
    random = np.random.default_rng(0)
    with path.open("w") as file:
        file.write("noise,price,clicks,age,city,colour\n")
        for start in range(0, rows, BLOCK):
            n = min(BLOCK, rows - start)
            columns = [
                np.char.mod("%.6f", random.normal(size=n)),
                np.char.mod("%.2f", random.lognormal(3, 1, n)),
                random.integers(0, 10**6, n).astype(str),
                random.integers(18, 90, n).astype(str),
                np.char.add("c", (random.zipf(1.5, n) % 5000).astype(str)),
                random.choice(["red", "green", "blue"], n),
            ]
            file.write("\n".join(map(",".join, zip(*columns, strict=True))) + "\n")


def wide(path: Path, columns: int, rows: int) -> None:
    """As many columns of reals, levels, names and whole numbers, one after the other."""
    random = np.random.default_rng(0)
    with path.open("w") as file:
        file.write(",".join(f"v{k}" for k in range(columns)) + "\n")
        for _ in range(rows):
            cells = np.char.mod("%.3f", random.normal(size=columns)).astype(object)
            cells[1::4] = random.integers(0, 3, len(cells[1::4])).astype(str)
            cells[2::4] = random.choice(["AA", "AG", "GG"], len(cells[2::4]))
            cells[3::4] = random.integers(0, 1000, len(cells[3::4])).astype(str)
            file.write(",".join(cells) + "\n")


def opened(path: Path, threads: int) -> tuple[float, float, float]:
    """Seconds by the clock, seconds of the processor, and peak MiB of a process that opens and hashes a table."""
    environment = os.environ | {"OMP_NUM_THREADS": str(threads)}
    done = subprocess.run(
        [sys.executable, "-c", CHILD, str(path)], capture_output=True, text=True, check=True, env=environment
    )
    wall, processor, peak = json.loads(done.stdout.splitlines()[-1])
    return wall, processor, peak


def rows_of(
    what: str,
    write: Callable[[Path], None],
    options: Options,
    *,
    seconds: float | None = None,
    mib: float | None = None,
) -> list[Row]:
    """The rows of one table. seconds, mib: what is aimed at; None for no goal."""
    with tempfile.TemporaryDirectory() as home:
        path = Path(home) / "table.csv"
        write(path)
        size = f"{path.stat().st_size / 2**20:,.0f} MiB of CSV"
        every = [opened(path, options.threads) for _ in range(1 if mib and not seconds else options.rounds)]
    found = []
    processor = min(each[1] for each in every)
    if seconds is not None:
        best = (min(each[0] for each in every),)
        note = f"{size}; the processor worked {processor:.2f} s"
        found.append(Row(f"open {what}", GOAL, best, (seconds,), goal=1.0, note=note))
    if mib is not None:
        peak = (max(each[2] for each in every),)
        note = f"{size}; of the whole process, torch included; the processor worked {processor:.1f} s"
        found.append(Row(f"open {what}: peak", GOAL, peak, (mib,), unit="MiB", goal=1.0, note=note))
    return found


def million(options: Options) -> list[Row]:
    """A million rows of six columns."""
    rows = 20_000 if options.quick else 1_000_000
    return rows_of(f"{rows:,} rows of 6 columns", lambda path: tall(path, rows), options, seconds=2.0, mib=600.0)


def columns_8000(options: Options) -> list[Row]:
    """Eight thousand columns."""
    columns = 400 if options.quick else 8000
    return rows_of(f"100 rows of {columns:,} columns", lambda path: wide(path, columns, 100), options, seconds=3.0)


def columns_30000(options: Options) -> list[Row]:
    """Thirty thousand columns."""
    columns = 400 if options.quick else 30_000
    return rows_of(f"100 rows of {columns:,} columns", lambda path: wide(path, columns, 100), options, seconds=15.0)


def gigabyte(options: Options) -> list[Row]:
    """A gigabyte of CSV."""
    rows = 20_000 if options.quick else 32_000_000  # of 33.5 bytes
    return rows_of(f"{rows:,} rows of 6 columns", lambda path: tall(path, rows), options, mib=2048.0)


ROWS = {"million": million, "8000 columns": columns_8000, "30000 columns": columns_30000, "gigabyte": gigabyte}
