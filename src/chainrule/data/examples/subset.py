"""Some of the examples: a stretch of them, or as many as are enough, evenly apart."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from chainrule.batch import Batch
from chainrule.data.examples.base import Examples, Rows

__all__ = ["Subset", "elements_of", "spread", "stretch"]


class Subset:
    """Some rows of examples, in their order, as they are scored; an example that has several rows comes with all."""

    lengths: npt.NDArray[Any]
    owner: Rows

    def __init__(self, examples: Examples, rows: Rows) -> None:
        self.examples, self.rows = examples, rows
        self.continuous = getattr(examples, "continuous", False)
        if hasattr(examples, "lengths"):
            self.lengths = examples.lengths[rows]
        if hasattr(examples, "owner"):
            self.owner = np.unique(examples.owner[rows], return_inverse=True)[1]

    def __len__(self) -> int:
        return len(self.rows)

    def batch(self, rows: Rows) -> Batch:
        """The rows of these numbers, counted among those that were chosen."""
        return self.examples.batch(self.rows[rows])

    def epoch(self, seed: int, epoch: int) -> Subset:
        """Itself: nothing varies where examples are scored."""
        return self

    def digest(self) -> str:
        """That of all the examples."""
        return self.examples.digest()


def stretch(examples: Examples, part: int, parts: int) -> Subset:
    """One of so many parts of equal numbers of examples, one after the other."""
    border = _borders(examples)
    first, last = (border[(len(border) - 1) * which // parts] for which in (part, part + 1))
    return Subset(examples, np.arange(first, last))


def spread(examples: Examples, most: int) -> Examples:
    """The examples, or `most` of them evenly apart if there are more.

    >>> from chainrule.data import ArrayExamples
    >>> spread(ArrayExamples(np.arange(10)[:, None]), 4).batch(np.arange(4)).x.flatten().tolist()
    [0, 2, 5, 7]
    """
    border = _borders(examples)
    count = len(border) - 1
    if count <= most:
        return examples
    chosen = np.arange(most) * count // most
    return Subset(examples, np.concatenate([np.arange(border[n], border[n + 1]) for n in chosen]))


def elements_of(examples: Examples) -> tuple[int, int]:
    """How many examples there are, and how many elements their rows have together."""
    rows = len(examples)
    width = examples.batch(np.arange(1)).x.shape[1] if rows and not hasattr(examples, "lengths") else 0
    return len(_borders(examples)) - 1, int(np.sum(getattr(examples, "lengths", rows * width)))


def _borders(examples: Examples) -> Rows:
    """The first row of each example, and behind them the number of rows."""
    owner: Rows | None = getattr(examples, "owner", None)
    begins = np.arange(len(examples)) if owner is None else np.flatnonzero(np.diff(owner, prepend=-1))
    return np.append(begins, len(examples))
