"""Train, valid and test: as given, by a hash of the content, or in order."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from hashlib import blake2b
from math import prod
from typing import Any

import numpy as np

from chainrule.batch import Array, Rows
from chainrule.data.examples.stored import take
from chainrule.errors import InputError

__all__ = [
    "SPLITS",
    "Part",
    "check_same_shape",
    "divide",
    "divided",
    "parse_split",
    "rows_in_order",
    "split_by_content",
    "three_parts",
]

SPLITS = ("train", "valid", "test")

Part = tuple[Array, Array | None]  # examples, and their labels


def parse_split(text: str) -> tuple[float, float, float]:
    """The shares of train, valid and test from a text such as "80/10/10".

    >>> parse_split("85/5/10")
    (0.85, 0.05, 0.1)
    """
    try:
        shares = [float(part) for part in text.split("/")]
    except ValueError:
        shares = []
    if len(shares) != 3 or min(shares) <= 0:
        raise InputError(f"a split is three positive shares of train/valid/test such as 80/10/10, got {text!r}")
    train, valid, test = (share / sum(shares) for share in shares)
    return train, valid, test


def split_by_content(rows: Sequence[bytes] | Array, shares: tuple[float, float, float]) -> list[Rows]:
    """The numbers of the rows of train, valid and test by a hash of each row: duplicates are in the same split."""
    place = [int.from_bytes(blake2b(bytes(row), digest_size=7).digest(), "big") / 2**56 for row in rows]
    borders = np.cumsum(shares[:2])
    part = np.searchsorted(borders, place, side="right")
    return [np.flatnonzero(part == k) for k in range(3)]


def rows_in_order(total: int, shares: tuple[float, float, float]) -> list[Rows]:
    """The numbers of the first rows, of those after them and of the last.

    >>> [len(rows) for rows in rows_in_order(10, (0.8, 0.1, 0.1))]
    [8, 1, 1]
    """
    borders = (np.cumsum(shares[:2]) * total).round().astype(int)
    return np.split(np.arange(total), borders)


def divide(content: Array | Sequence[bytes], split: str) -> tuple[list[Rows], str]:
    """The numbers of the rows of train, valid and test, and one phrase that says how they were chosen.

    content: what identifies each row, shape (N, D) or bytes.
    split: shares such as "80/10/10", by a hash of the content, so that duplicates are in the same split; or
        "order:80/10/10", in the order of the rows.
    """
    if split.startswith("order:"):
        return rows_in_order(len(content), parse_split(split.removeprefix("order:"))), f"split {split[6:]} in order"
    rows = np.ascontiguousarray(content) if isinstance(content, np.ndarray) else content
    return split_by_content(rows, parse_split(split)), f"split {split} by content"


def divided(parts: Mapping[str, list[Any]], split: str, content: Callable[[Any], bytes]) -> tuple[list[list[Any]], str]:
    """Lists of examples of train, valid and test, as given or by `divide`, and one phrase that says which.

    parts: the lists by split; without "valid", a sixth of "train" becomes it, by content. Or a single list.
    split: shares of a single list, see `divide`.
    content: the bytes that identify an example.
    """
    if "train" in parts and "test" in parts:
        lists, how = [parts[name] for name in SPLITS if name in parts], "split as given"
        if "valid" not in parts:
            rows = split_by_content([content(x) for x in parts["train"]], (5 / 6, 1 / 6, 0.0))
            lists[:1] = [[parts["train"][n] for n in part] for part in rows[:2]]
            how += ", valid is a sixth of train by content"
    else:
        (examples,) = parts.values()
        rows, how = divide([content(x) for x in examples], split)
        lists = [[examples[n] for n in part] for part in rows]
    return lists, f"{how}: {'/'.join(str(len(part)) for part in lists)}"


def three_parts(
    parts: Mapping[str, Part],
    split: str,
    content: Callable[[Array], Array] = lambda x: x.reshape(len(x), prod(x.shape[1:])),
) -> tuple[list[Part], str]:
    """Examples and labels of train, valid and test from the parts of a source, and one phrase that says how.

    parts: "train", "valid" and "test"; without "valid", a sixth of "train" becomes it: its last rows, or, where they
        are sorted by label, rows by a hash of their content. Or a single part, under any name.
    split: shares of a single part, see `divide`.
    content: what identifies each example, shape (N, ...).
    """
    if "train" not in parts or "test" not in parts:
        ((x, y),) = parts.values()
        rows, how = divide(content(x), split)
        return [(take(x, part), None if y is None else y[part]) for part in rows], how
    if "valid" in parts:
        return [parts[name] for name in SPLITS], "split as given"
    x, y = parts["train"]
    by_label = y is not None and bool((y[:-1] <= y[1:]).all())
    shares = (5 / 6, 1 / 6, 0.0)
    front, *_ = split_by_content(content(x), shares) if by_label else rows_in_order(len(x), shares)
    back = np.setdiff1d(np.arange(len(x)), front)
    train, valid = ((take(x, rows), None if y is None else y[rows]) for rows in (front, back))
    which = "a sixth of train by content" if by_label else "the last sixth of train"
    return [train, valid, parts["test"]], f"split as given, valid is {which}"


def check_same_shape(parts: Mapping[str, Part], source: str) -> None:
    """Refuse splits whose examples differ in shape."""
    shapes = {name: x.shape[1:] for name, (x, _) in parts.items()}
    if len(set(shapes.values())) > 1:
        told = ", ".join(f"{name} {'x'.join(map(str, shape))}" for name, shape in shapes.items())
        raise InputError(f"{source}: the splits differ in shape ({told}); bring them to one shape")
