"""The contract of examples: rows that become batches, and everything a caller may ask about them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator

from chainrule.batch import Array, Batch, Rows
from chainrule.errors import InputError
from chainrule.likelihood import Units

__all__ = ["Array", "Examples", "Rows"]


class Examples(ABC):
    """Examples in an order, each of them once.

    A row is what a batch consists of: one example, or one window of an example that is longer than a window.
    """

    @abstractmethod
    def __len__(self) -> int:
        """The number of rows."""

    @abstractmethod
    def batch(self, rows: Rows) -> Batch:
        """The rows with these numbers, in this order."""

    @abstractmethod
    def digest(self) -> str:
        """SHA-256 of the content, in hexadecimal."""

    def epoch(self, seed: int, epoch: int) -> Examples:
        """What training reads in an epoch, a pure function of (seed, epoch); itself if nothing varies."""
        return self

    @property
    def context(self) -> Array | None:
        """What each row is conditioned on, shape (rows,) or (rows, C); None for p(x)."""
        return None

    @property
    def row_lengths(self) -> Rows | None:
        """The number of elements of each row, shape (rows,); None where all rows are equally long."""
        return None

    @property
    def owner(self) -> Rows | None:
        """The number of the example that each row belongs to, shape (rows,); None where every row is an example."""
        return None

    @property
    def units(self) -> Units | None:
        """Which examples belong together, so that standard errors are those of units; None: each is one of its own."""
        return None

    @property
    def is_stream(self) -> bool:
        """Whether neighbouring rows are stretches of one text, so that rows are not independent examples."""
        return False

    @property
    def windows(self) -> tuple[int, int] | None:
        """The window and the stride in elements; None where examples are not read through windows."""
        return None

    @property
    def are_whole(self) -> bool:
        """Whether windows are used and every example fits into one, so that the stride has no effect."""
        return False

    def with_windows(self, window: int, stride: int) -> Examples:
        """The same examples, read through windows of another size and stride, both in elements."""
        raise InputError("this kind of data is not read through windows; leave out --window and --stride")

    def first(self, count: int) -> Examples:
        """The first `count` examples; of a stream, the first `count` windows."""
        raise InputError(f"{type(self).__name__} cannot be shortened; load fewer examples")

    def contents(self) -> Iterator[bytes] | None:
        """The bytes of each example without its context, to find duplicates; None for a stream."""
        return None

    def sequences(self, most: int | None = None) -> list[Array]:
        """The elements of each example, without end and padding; those of a stream as one sequence.

        most: how many of the last examples (of a stream, of its last elements) are wanted; None for all.
        """
        raise InputError(f"{type(self).__name__} are not sequences; load a text")
