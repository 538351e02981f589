"""Which files are tables, and where the splits of a table stand."""

from __future__ import annotations

from pathlib import Path

from chainrule.data.examples.splits import SPLITS
from chainrule.data.sources.array_files import array_parts, is_array_file
from chainrule.data.sources.objects import Source, from_object
from chainrule.data.sources.plain_files import PACKED_ENDINGS, data_ending
from chainrule.data.sources.real_arrays import real_table
from chainrule.errors import InputError

__all__ = ["COLUMNAR", "is_columnar", "is_table", "table_parts"]

DELIMITED = (".csv", ".tsv", ".data")
COLUMNAR = (".parquet", ".arrow", ".feather", ".ipc")


def is_columnar(path: str | Path) -> bool:
    """Whether a file is named like Parquet or Arrow, whose columns have types."""
    return Path(path).suffix.lower() in COLUMNAR


def is_table(path: Path) -> bool:
    """Whether a file is named like a table, or a folder holds one named for its split (`train.csv`)."""
    if path.is_dir():
        return any(_split_of(file) == "train" for file in path.iterdir())
    return is_columnar(path) or data_ending(path.name) in DELIMITED


def _split_of(file: Path) -> str:
    """The split that a table file is named for, "" for any other file."""
    name = file.name.lower()
    for ending in PACKED_ENDINGS:
        name = name.removesuffix(ending)
    stem, _, ending = name.rpartition(".")
    named = stem in SPLITS and f".{ending}" in (".csv", ".tsv", *COLUMNAR)
    return stem if named else ""


def table_parts(source: Source) -> dict[str, Source]:
    """The tables by split, "" for a single one; a folder holds `train`, `test` and perhaps `valid`, of any ending.

    Arrays of numbers, in memory or in a file, are tables with columns `x0`, `x1`, ...
    """
    found = None if isinstance(source, str) else from_object(source)
    if found is not None and found.form != "arrays":
        return found.of_form("table").parts
    if found is not None or is_array_file(Path(source)):
        return {split: real_table(x, y, str(source)) for split, (x, y) in array_parts(source).items()}
    if not Path(source).is_dir():
        return {"": source}
    parts: dict[str, Source] = {}
    for file in sorted(Path(source).iterdir()):
        if split := _split_of(file):
            parts.setdefault(split, str(file))
    if not {"train", "test"} <= set(parts):
        raise InputError(f"{source}: holds {', '.join(parts)} but not both train and test; add what is missing")
    return {name: parts[name] for name in SPLITS if name in parts}
