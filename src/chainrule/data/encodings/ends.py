"""What encodings of sequences share: windows, ends, and how their examples are described."""

from __future__ import annotations

import numpy as np

from chainrule.batch import Array
from chainrule.errors import InputError

__all__ = ["WINDOW", "check_end", "describe", "until_end", "windows_of"]

WINDOW = 512  # elements: the default of the longest that a network reads at once


def until_end(row: Array, end: int | None) -> Array:
    """The elements before the first end.

    >>> until_end(np.array([2, 1, 9, 2]), 9).tolist()
    [2, 1]
    """
    ends = np.flatnonzero(row == (-1 if end is None else end))
    return row[: ends[0]] if len(ends) else row


def windows_of(
    window: int | None, stride: int | None, longest: int, *, per_step: int = 1, default: int = WINDOW, least: int = 1
) -> tuple[int, int]:
    """Window and stride as they were asked for or by default; never much longer than everything there is to read.

    window: steps that the network is to read at once; None for the longest example or `default` elements.
    stride: steps that a window moves on by; None for half a window.
    longest: steps of the longest example.
    per_step: elements of a step.
    default: elements that a network may read at once, however short the examples are.
    least: the smallest window.

    >>> windows_of(None, None, 270), windows_of(100_000, None, 270), windows_of(64, 16, 3000)
    ((270, 135), (512, 256), (64, 16))
    """
    if window is not None and window < least:
        raise InputError(f"a window holds at least {least} element{'s'[: least > 1]}, got {window}")
    most = max(least, longest, default // per_step)
    size = max(least, min(longest, default // per_step)) if window is None else min(window, most)
    if stride is None:
        return size, max(1, size // 2)
    return size, min(stride, size) if window is not None and size < window else stride


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
