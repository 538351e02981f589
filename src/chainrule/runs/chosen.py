"""The examples and the labels that an option of a verb names."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from chainrule.data.examples.base import Examples
from chainrule.data.examples.in_units import DISTINCT, in_distinct_units
from chainrule.data.sources.objects import Source
from chainrule.data.sources.plain_files import as_file, refuse_stream, stream_name
from chainrule.errors import InputError

if TYPE_CHECKING:
    from chainrule.runs.run import Run

__all__ = ["chosen_examples", "encoded_parts", "name_of", "part_of", "read_labels"]


def chosen_examples(run: Run, source: Source | None, split: str) -> tuple[Examples, str]:
    """Every example of a source, and what results call it; without a source, a split of the run's own data.

    Those of a source belong together as those of the run do: by group where it has that column, or by content.

    split: which split, also of a source that has splits itself.
    """
    if source is None:
        return run.data().split(split), split
    parts = encoded_parts(run, source)
    if len(parts) == 1:
        examples, name = next(iter(parts.values())), name_of(source)
    else:
        examples, name = part_of(parts, split, source), f"{name_of(source)} ({split})"
    return in_distinct_units(examples) if run.config["data"].get("unit") == DISTINCT else examples, name


def encoded_parts(run: Run, source: Source) -> dict[str, Examples]:
    """The examples of a source by split, where it has splits; all under "" where it has none. A pipe is read once."""
    encoding = run.encoding()
    if not isinstance(source, str | Path):
        return encoding.encode_parts(source)
    refuse_stream(str(source))
    if stream_name(source) is None:
        return encoding.encode_parts(str(source))
    with as_file(source) as path:
        return encoding.encode_parts(str(path))


def part_of(parts: Mapping[str, Examples], split: str, source: Source) -> Examples:
    """One of the splits of a source."""
    if split not in parts:
        known = ", ".join(name for name in parts if name) or "no splits"
        raise InputError(f"{name_of(source)}: has {known}, got --split {split}; name one that it has")
    return parts[split]


def name_of(source: Source) -> str:
    """What results call a source: a path as it is, any other object by its type."""
    return str(source) if isinstance(source, str | Path) else type(source).__name__


def read_labels(labels: Any) -> list[Any]:
    """One label per example: a sequence as it is; of a path, the rows of a .npy file or the lines of a text."""
    if not isinstance(labels, str | Path):
        return np.asarray(labels).tolist()
    path = Path(labels)
    try:
        if path.suffix == ".npy":
            return np.load(path, allow_pickle=False).tolist()
        return path.read_text(encoding="utf-8").splitlines()
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: is not a .npy file or a text with one label per line ({error})") from None
