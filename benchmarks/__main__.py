"""Every table, one after the other: `python -m benchmarks [--data DIR]`.

Each runs in a process of its own, so that nothing that one of them loads slows another. Tables on real data are left
out where the data is absent.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--data", type=Path, default=None, help="the folder of the benchmark data sets")
    data = parser.parse_args().data
    tables = [["sampling"], ["generate"], ["heads", "loss"], ["table_heads"], ["preparing"]]
    if data is not None and data.is_dir():
        tables += [
            ["time_to_quality", "--data", str(data / "tinyshakespeare")],
            ["heads", "words", "--data", str(data / "war_and_peace")],
            ["mnist_heads", "--data", str(data / "mnist")],
        ]
    else:
        print("no --data: the tables on war_and_peace and MNIST are left out", flush=True)
    codes = [
        subprocess.run([sys.executable, "-m", f"benchmarks.{table[0]}", *table[1:]]).returncode for table in tables
    ]
    return max(codes)


if __name__ == "__main__":
    sys.exit(main())
