"""What encodings of sequences share: windows, ends, and how their examples are described."""

from __future__ import annotations

import numpy as np

from chainrule.batch import Array
from chainrule.errors import InputError

__all__ = ["WINDOW", "check_end", "describe", "until_end"]

WINDOW = 512  # elements: the default of the longest that a network reads at once


def until_end(row: Array, end: int | None) -> Array:
    """The elements before the first end.

    >>> until_end(np.array([2, 1, 9, 2]), 9).tolist()
    [2, 1]
    """
    ends = np.flatnonzero(row == (-1 if end is None else end))
    return row[: ends[0]] if len(ends) else row


def check_end(end: str) -> None:
    """Raise InputError for anything but "scored" and "given"."""
    if end not in ("scored", "given"):
        raise InputError(f"--end is scored, for p(x, T), or given, for p(x | T); got {end!r}")


def describe(what: str, lengths: Array, alphabet: str, window: int, stride: int) -> str:
    """How many examples there are and how long they are, in one phrase.

    what: what an example is called, in the plural.
    lengths: elements (or steps) of each example, shape (N,).
    alphabet: a phrase on the symbols.
    window, stride: in the unit of the lengths.
    """
    low, middle, high = (int(q) for q in np.quantile(lengths, [0, 0.5, 1]))
    longer = int((lengths > window).sum())
    through = f"; {longer} longer than the window of {window}, read with stride {stride}" if longer else ""
    return f"{len(lengths)} {what} of {low} to {high} elements (median {middle}) {alphabet}{through}"
