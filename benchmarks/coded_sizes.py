"""Sizes of archives: given a model, beside the model's own nats, and with everything counted; docs/coding.md.

    python -m benchmarks.coded_sizes --data ../shared/data --out FILE.json           each case in turn
    python -m benchmarks.coded_sizes --out FILE.json --table docs/coding.md          the tables of what is there

Given a model: a default run is fitted for some minutes to the train split, and codes the test split as a file of its
own, or for digits its elements; the run's weights are not counted. Everything counted: `compress FILE` without a run.
Every archive is decoded back, which is part of its seconds. Other compressors get the same bytes: packed bits for
binary tables, the pixels for digits, the file itself where everything is counted.
"""

from __future__ import annotations

import argparse
import bz2
import gzip
import json
import lzma
import math
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.csv as csv
import pyarrow.parquet as parquet

import chainrule as cr
from chainrule.evaluation.evaluate import evaluate
from chainrule.runs.compress import CompressResult

BITS = ("nltcs", "plants", "jester", "accidents", "tretail", "dna", "book")
GIVEN = tuple(f"given/{name}" for name in (*BITS, "digits"))
ALONE = ("alone/mushroom", "alone/msnbc")
MARKS = {kind: (f"<!-- benchmarks/coded_sizes.py {kind} -->", f"<!-- end of {kind} -->") for kind in ("given", "alone")}


def general(content: bytes) -> dict[str, int]:
    """The bytes of a content by general compressors at their best settings."""
    sizes = {"xz": len(lzma.compress(content, preset=9 | lzma.PRESET_EXTREME)), "bz2": len(bz2.compress(content, 9))}
    if (zstd := shutil.which("zstd")) is not None:
        sizes["zstd -19"] = len(subprocess.run([zstd, "-19", "-c"], input=content, capture_output=True).stdout)
    return sizes


def of_parquet(path: Path, names: bool) -> int:
    """The bytes of a CSV file as Parquet, by pyarrow's defaults with zstd."""
    read = csv.ReadOptions(autogenerate_column_names=not names)
    table: pa.Table = csv.read_csv(path, read_options=read)
    buffer = pa.BufferOutputStream()
    parquet.write_table(table, buffer, compression="zstd", compression_level=19)
    return len(buffer.getvalue())


def plain(data: Path, name: str, split: str, folder: Path, ending: str) -> Path:
    """The file of a split of a binary table, unpacked, under another ending."""
    found = next((data / "debd" / name).glob(f"{name}.{split}.data*"))
    place = folder / f"{name}.{split}{ending}"
    place.write_bytes(gzip.decompress(found.read_bytes()) if found.suffix == ".gz" else found.read_bytes())
    return place


def rows_of(path: Path) -> npt.NDArray[np.uint8]:
    """The bits of a binary table."""
    return np.loadtxt(path, delimiter=",", dtype=np.uint8)


def given(name: str, data: Path, minutes: float, folder: Path) -> dict[str, Any]:
    """A default run, the nats of its test split, and the archive of that split."""
    source = name if name == "digits" else str(data / "debd" / name)
    asked = None if name == "digits" else minutes  # the default of digits is by steps
    run = cr.fit(source, minutes=asked)
    nats = -float(evaluate(run.model(), run.data().test).nats.sum())
    if name == "digits":
        test = run.data().test
        raw = run.encoding().decode(test.batch(np.arange(len(test))).x.numpy())
        others = general(np.asarray(raw, dtype=np.uint8).tobytes())
        made = run.compress(out=folder / "x.cr", split="test", lanes=256)
    else:
        path = plain(data, name, "test", folder, ".data")
        others = general(np.packbits(rows_of(path)).tobytes())
        made = run.compress(path, out=folder / "x.cr", lanes=256)
        assert run.decompress(folder / "x.cr", out=folder / "back").whole
        assert (folder / "back").read_bytes() == path.read_bytes()
    ideal = nats / math.log(2) / 8
    return {"ideal": ideal, "minutes": asked, "others": others, **sizes_of(made)}


def alone(name: str, data: Path, folder: Path) -> dict[str, Any]:
    """The archive of a table with everything in it, and what others make of the same file."""
    path = data / "mushroom_csv" / "mushroom.csv" if name == "mushroom" else plain(data, name, "train", folder, ".csv")
    made = cr.compress(path, out=folder / "x.cr")
    assert cr.decompress(folder / "x.cr", out=folder / "back").whole
    assert (folder / "back").read_bytes() == path.read_bytes()
    others = general(path.read_bytes()) | {"Parquet": of_parquet(path, name == "mushroom")}
    return {"bytes_in": path.stat().st_size, "others": others, **sizes_of(made)}


def sizes_of(made: CompressResult) -> dict[str, Any]:
    """What is kept of a result."""
    kept = ("way", "profile", "bytes_out", "code_bytes", "model_bytes", "side_bytes", "elements", "examples")
    return {name: value for name, value in made.to_json().items() if name in (*kept, "seconds", "checked_seconds")}


def table_given(found: dict[str, Any]) -> list[str]:
    """The table of what is coded given a model, as lines of markdown."""
    lines = [
        "| test split of | minutes | test nats as bytes | code | over the nats | whole archive | xz | bz2 "
        "| seconds, decoded back |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for case in [case for case in GIVEN if case in found]:
        one = found[case]
        over = 100 * (one["code_bytes"] / one["ideal"] - 1)
        minutes = "by steps" if one["minutes"] is None else f"{one['minutes']:g}"
        size = f"{one['examples']:,} x {one['elements'] // one['examples']}"
        lines.append(
            f"| {case.split('/')[1]}, {size} | {minutes} | "
            f"{one['ideal']:,.1f} | {one['code_bytes']:,} | {over:+.2f} % | {one['bytes_out']:,} | "
            f"{one['others']['xz']:,} | {one['others']['bz2']:,} | {one['seconds']:.0f}, {one['checked_seconds']:.0f} |"
        )
    return lines


def table_alone(found: dict[str, Any]) -> list[str]:
    """The table of what is coded with everything counted, as lines of markdown."""
    names = ("xz", "bz2", "zstd -19", "Parquet")
    lines = [
        "| file | bytes | archive | code, model, rest | " + " | ".join(names) + " | seconds, decoded back |",
        "|---|---|---|---|" + "---|" * (len(names) + 1),
    ]
    for case in [case for case in ALONE if case in found]:
        one = found[case]
        cells = [case.split("/")[1] + ".csv", f"{one['bytes_in']:,}", f"**{one['bytes_out']:,}**"]
        cells += [f"{one['code_bytes']:,}, {one['model_bytes']:,}, {one['side_bytes']:,}"]
        cells += [f"{one['others'][name]:,}" if name in one["others"] else "-" for name in names]
        lines.append("| " + " | ".join([*cells, f"{one['seconds']:.0f}, {one['checked_seconds']:.0f}"]) + " |")
    return lines


def written(text: str, found: dict[str, Any]) -> str:
    """A page with both tables between their marks."""
    for kind, lines in (("given", table_given(found)), ("alone", table_alone(found))):
        start, end = MARKS[kind]
        before, rest = text.split(start)
        text = before + start + "\n" + "\n".join(lines) + "\n" + end + rest.split(end)[1]
    return text


def measured(case: str, data: Path, minutes: float) -> dict[str, Any]:
    """The figures of one case."""
    kind, name = case.split("/")
    began = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        figures = given(name, data, minutes, Path(folder)) if kind == "given" else alone(name, data, Path(folder))
    return figures | {"whole_seconds": time.perf_counter() - began}


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.coded_sizes", description=(__doc__ or "").split("\n")[0]
    )
    parser.add_argument("--data", type=Path, default=Path(os.environ.get("CHAINRULE_DATA", "../shared/data")))
    parser.add_argument("--cases", default=",".join((*ALONE, *GIVEN)), help="some of them, with commas")
    parser.add_argument("--minutes", type=float, default=1, help="for which each run is fitted")
    parser.add_argument("--out", type=Path, required=True, help="file of the cases that are done, which is added to")
    parser.add_argument(
        "--table", type=Path, default=None, help="page into which the tables are written; nothing is run"
    )
    asked = parser.parse_args()
    found = json.loads(asked.out.read_text()) if asked.out.exists() else {}
    if asked.table is not None:
        asked.table.write_text(written(asked.table.read_text(), found))
        return
    for case in asked.cases.split(","):
        if case not in found:
            found[case] = measured(case, asked.data, asked.minutes)
            asked.out.write_text(json.dumps(found, indent=1) + "\n")
            print(case, found[case], file=sys.stderr, flush=True)
    print("\n".join([*table_given(found), "", *table_alone(found)]))


if __name__ == "__main__":
    main()
