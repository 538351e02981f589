"""Examples of which some belong together: all of a customer, all copies of a content."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cached_property
from hashlib import blake2b

import numpy as np

from chainrule.batch import Array, Batch, Rows
from chainrule.data.examples.base import Examples
from chainrule.data.examples.wrapper import WrappedExamples
from chainrule.likelihood import Units

__all__ = ["DISTINCT", "InUnits", "in_distinct_units", "in_groups", "unit_of_groups"]

DISTINCT = "distinct examples"  # what a unit is where copies of an example are one


class InUnits(WrappedExamples):
    """The same examples, which also say which of them belong together.

    examples: the examples.
    name: what a unit is, in the plural.
    number: gives the number of the unit of each example, shape (N,); it is called when standard errors are wanted.
    keys: what identifies unit 0, 1, ... in whatever file it stands; none where that is not known.

    >>> from chainrule.data import ArrayExamples
    >>> in_distinct_units(ArrayExamples(np.array([[1], [2], [1]]))).units.number.tolist()
    [0, 1, 0]
    """

    def __init__(self, examples: Examples, name: str, number: Callable[[], Rows], keys: Sequence[bytes] = ()) -> None:
        self.examples, self.name, self.number, self.keys = examples, name, number, keys

    @cached_property
    def _units(self) -> Units:
        return Units(self.name, self.number(), self.keys)

    @property
    def units(self) -> Units | None:
        return self._units

    def batch(self, rows: Rows) -> Batch:
        return self.examples.batch(rows)

    def epoch(self, seed: int, epoch: int) -> Examples:
        return self.examples.epoch(seed, epoch)

    def with_windows(self, window: int, stride: int) -> InUnits:
        return InUnits(self.examples.with_windows(window, stride), self.name, self.number, self.keys)

    def first(self, count: int) -> InUnits:
        return InUnits(self.examples.first(count), self.name, lambda: self.number()[:count], self.keys)

    def contents(self) -> Iterator[bytes] | None:
        return self.examples.contents()

    def sequences(self, most: int | None = None) -> list[Array]:
        return self.examples.sequences(most)


def in_distinct_units(examples: Examples) -> Examples:
    """The examples, all copies of one content a unit; those without contents, such as a stream, as they are."""
    if examples.contents() is None:
        return examples
    return InUnits(examples, DISTINCT, lambda: _numbered(examples.contents() or ()))


def in_groups(examples: Examples, column: str, number: Rows, keys: Sequence[bytes]) -> Examples:
    """The examples, those of a group a unit.

    examples: the examples.
    column: what divides them into groups.
    number: the number of the group of each, shape (N,).
    keys: what identifies each group.
    """
    return InUnits(examples, unit_of_groups(column), lambda: number, keys)


def unit_of_groups(column: str) -> str:
    """What a unit is where the values of a column say what belongs together, in the plural."""
    return f"groups of {column}"


def _numbered(contents: Iterable[bytes]) -> Rows:
    """The number of each content, from 0 in the order in which they come."""
    place: dict[bytes, int] = {}
    found = (place.setdefault(blake2b(content, digest_size=16).digest(), len(place)) for content in contents)
    return np.fromiter(found, dtype=np.int64)
