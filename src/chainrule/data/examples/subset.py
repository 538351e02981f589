"""Some of the examples: one of several equal parts, or a limited number of them, evenly spaced."""

from __future__ import annotations

import numpy as np

from chainrule.batch import Array, Batch, Rows
from chainrule.data.examples.base import Examples
from chainrule.data.examples.wrapper import WrappedExamples
from chainrule.likelihood import Units

__all__ = ["Subset", "drawn", "elements_of", "spread", "stretch"]


class Subset(WrappedExamples):
    """Some rows of examples, as they are scored: nothing varies from epoch to epoch, and the digest is that of all.

    examples: all examples.
    rows: the numbers of the chosen rows, in order; an example with several rows comes with all of them.
    """

    def __init__(self, examples: Examples, rows: Rows) -> None:
        self.examples, self.rows = examples, rows

    def __len__(self) -> int:
        return len(self.rows)

    def batch(self, rows: Rows) -> Batch:
        return self.examples.batch(self.rows[rows])

    @property
    def context(self) -> Array | None:
        context = self.examples.context
        return None if context is None else context[self.rows]

    @property
    def row_lengths(self) -> Rows | None:
        lengths = self.examples.row_lengths
        return None if lengths is None else lengths[self.rows]

    @property
    def owner(self) -> Rows | None:
        owner = self.examples.owner
        return None if owner is None else np.unique(owner[self.rows], return_inverse=True)[1]

    @property
    def units(self) -> Units | None:
        units, owner = self.examples.units, self.examples.owner
        if units is None:
            return None
        chosen = self.rows if owner is None else np.unique(owner[self.rows])
        return Units(units.name, units.number[chosen], units.keys)

    def first(self, count: int) -> Subset:
        return Subset(self.examples, self.rows[: _borders(self)[: count + 1][-1]])


def stretch(examples: Examples, part: int, parts: int) -> Subset:
    """Part number `part` of `parts` consecutive parts with equal numbers of examples."""
    border = _borders(examples)
    first, last = (border[(len(border) - 1) * which // parts] for which in (part, part + 1))
    return Subset(examples, np.arange(first, last))


def spread(examples: Examples, most: int) -> Examples:
    """The examples, or `most` of them evenly spaced if there are more.

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


def drawn(examples: Examples, most: int, seed: int = 0) -> Examples:
    """The examples, or `most` of them at random if there are more, in their order.

    >>> from chainrule.data import ArrayExamples
    >>> len(drawn(ArrayExamples(np.arange(10)[:, None]), 4))
    4
    """
    border = _borders(examples)
    count = len(border) - 1
    if count <= most:
        return examples
    chosen = np.sort(np.random.default_rng(seed).choice(count, most, replace=False))
    return Subset(examples, np.concatenate([np.arange(border[n], border[n + 1]) for n in chosen]))


def elements_of(examples: Examples) -> tuple[int, int]:
    """The number of examples, and the number of elements of all their rows together."""
    lengths = examples.row_lengths
    if lengths is not None:
        elements = int(lengths.sum())
    else:
        elements = len(examples) * examples.batch(np.arange(1)).x.shape[1] if len(examples) else 0
    return len(_borders(examples)) - 1, elements


def _borders(examples: Examples) -> Rows:
    """The first row of each example and, last, the number of rows."""
    owner = examples.owner
    begins = np.arange(len(examples)) if owner is None else np.flatnonzero(np.diff(owner, prepend=-1))
    return np.append(begins, len(examples))
