"""Train, valid and test: as given, by a hash of the content, or in order."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from math import prod
from typing import Any

import numpy as np

from chainrule.data.examples.base import Array, Rows, parse_split, split_by_content
from chainrule.data.examples.stored import take
from chainrule.errors import InputError

__all__ = ["SPLITS", "check_same_shape", "divide", "divided", "rows_in_order", "three_parts"]

SPLITS = ("train", "valid", "test")

Part = tuple[Array, Array | None]


def rows_in_order(total: int, shares: tuple[float, float, float]) -> list[Rows]:
    """The first rows, those after them and the last.

    >>> [len(rows) for rows in rows_in_order(10, (0.8, 0.1, 0.1))]
    [8, 1, 1]
    """
    borders = (np.cumsum(shares[:2]) * total).round().astype(int)
    return np.split(np.arange(total), borders)


def divide(content: Array | Sequence[bytes], split: str) -> tuple[list[Rows], str]:
    """Row numbers of train, valid and test, and how they came about.

    content: what a row is told apart by, shape (N, D) or bytes each. split: shares such as "80/10/10", by a hash of the
    content, so that no duplicate straddles a border; or "order:80/10/10", as the rows stand.
    """
    if split.startswith("order:"):
        return rows_in_order(len(content), parse_split(split.removeprefix("order:"))), f"split {split[6:]} in order"
    rows = np.ascontiguousarray(content) if isinstance(content, np.ndarray) else content
    return split_by_content(rows, parse_split(split)), f"split {split} by content"


def divided(parts: Mapping[str, list[Any]], split: str, content: Callable[[Any], bytes]) -> tuple[list[list[Any]], str]:
    """Lists of examples of train, valid and test, as given or as `divide` says, and how it was done.

    content: the bytes that an example is told apart by. Without "valid" it is a sixth of "train" by content.
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
    """Examples and labels of train, valid and test from what a source has, and how they came about.

    parts: "train", "valid" and "test" as given; without "valid", which is then a sixth of "train": its last rows, or,
    where these are sorted by their labels, rows by a hash of their content; or a single part, under any name, that is
    divided by `split`.
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
        raise InputError(f"{source}: the splits differ in shape ({told}); bring them to one")
