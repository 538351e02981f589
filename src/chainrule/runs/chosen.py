"""The examples and the labels that an option of a verb names."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from chainrule.data.examples.base import Examples
from chainrule.data.sources.objects import Source
from chainrule.errors import InputError

if TYPE_CHECKING:
    from chainrule.runs.run import Run

__all__ = ["chosen_examples", "name_of", "read_labels"]


def chosen_examples(run: Run, source: Source | None, split: str) -> Examples:
    """Every example of a source; without one, a split of the run's own data."""
    return run.data().split(split) if source is None else run.encoding().encode(source)


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
