"""Train, valid and test: as given, by chance, by content, or in order.

A split decides the number. Rows that are drawn independently must be split by chance, with their repeats: then test is
a sample of the same distribution. Where a repeat is a copy (a picture that stands twice in a folder), a split by
content keeps it out of test, and what is estimated is the distribution of *distinct* examples.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import blake2b
from math import prod
from typing import Any

import numpy as np

from chainrule.batch import Array, Rows
from chainrule.data.examples.distinct import say_distinct
from chainrule.data.examples.random_split import random_parts, random_split
from chainrule.data.examples.stored import take
from chainrule.errors import InputError

__all__ = [
    "SPLITS",
    "WAYS",
    "Part",
    "Split",
    "check_same_shape",
    "default_way",
    "divided",
    "parse_shares",
    "rows_in_order",
    "split_by_content",
    "three_parts",
]

SPLITS = ("train", "valid", "test")
WAYS = {"random": "at random", "distinct": "by content", "order": "in order"}
SHORT = 32  # mean length in bytes or steps below which examples are short
SIXTH = (5 / 6, 1 / 6, 0.0)  # what becomes of a train split that comes without a valid one

Part = tuple[Array, Array | None]  # examples, and their labels


def parse_shares(text: str) -> tuple[float, float, float]:
    """The shares of train, valid and test from a text such as "80/10/10".

    >>> parse_shares("85/5/10")
    (0.85, 0.05, 0.1)
    """
    try:
        shares = [float(part) for part in text.split("/")]
    except ValueError:
        shares = []
    if len(shares) != 3 or not min(shares) > 0 or not sum(shares) < np.inf:
        raise InputError(f"a split has three positive shares of train/valid/test such as 80/10/10, got {text!r}")
    train, valid, test = (share / sum(shares) for share in shares)
    return train, valid, test


@dataclass(frozen=True)
class Split:
    """How rows are divided into train, valid and test.

    way: "random", a keyed random order of the row numbers, so that each split is a simple random sample of the rows;
        "distinct", by a hash of the content, so that equal rows are in the same split; "order", as the rows stand.
    shares: of train, valid and test, as text such as "80/10/10".
    seed: key of the random order.

    >>> str(Split.parse("80/10/10", "random")), Split.parse("order:1/1/1", "random").way
    ('random:80/10/10', 'order')
    """

    way: str
    shares: str
    seed: int = 0

    @classmethod
    def parse(cls, text: str | None, default: str, seed: int = 0) -> Split:
        """A split from a text such as "random:80/10/10"; shares alone are divided in the default way.

        Raises InputError for another way, and for what is not three shares.
        """
        way, colon, shares = (text or "80/10/10").rpartition(":")
        if colon and way not in WAYS:
            raise InputError(f"a split is one of {', '.join(f'{w}:80/10/10' for w in WAYS)}, got {text!r}")
        parse_shares(shares)
        return cls(way or default, shares, seed)

    def __str__(self) -> str:
        return f"{self.way}:{self.shares}"

    @property
    def options(self) -> dict[str, Any]:
        """The options of `load` that give this split again."""
        return {"split": str(self), "split_seed": self.seed}

    @property
    def note(self) -> str:
        """How the rows are divided, in a few words."""
        seed = f", seed {self.seed}" if self.way == "random" and self.seed else ""
        return f"split {self.shares} {WAYS[self.way]}{seed}"

    def rows(self, content: Array | Sequence[bytes]) -> list[Rows]:
        """The numbers of the rows of train, valid and test.

        content: what identifies each row, shape (N, D) or bytes; read only where the split goes by content.
        """
        return self._rows(content, parse_shares(self.shares))

    def parts(self, total: int) -> Array | None:
        """The split of each row, 0, 1 or 2, where it is known from the number of rows alone; None by content.

        total: how many rows there are.
        """
        shares = parse_shares(self.shares)
        if self.way == "random":
            return random_parts(total, shares, self.seed)
        if self.way == "order":
            return np.repeat(np.arange(3, dtype=np.int8), [len(rows) for rows in rows_in_order(total, shares)])
        return None

    def without_valid(self, content: Array | Sequence[bytes]) -> list[Rows]:
        """The numbers of the rows of a train split that stay in it, and of those that become valid, a sixth."""
        return self._rows(content, SIXTH)[:2]

    def _rows(self, content: Array | Sequence[bytes], shares: tuple[float, float, float]) -> list[Rows]:
        if self.way == "order":
            return rows_in_order(len(content), shares)
        if self.way == "random":
            return list(random_split(len(content), shares, self.seed))
        return split_by_content(np.ascontiguousarray(content) if isinstance(content, np.ndarray) else content, shares)


def default_way(examples: Sequence[Any]) -> str:
    """How lists are divided by default: short ones, such as names, at random; long ones, such as documents, by content.

    A long example hardly repeats unless it was copied; a short one repeats because it is drawn so.

    >>> default_way([b"anna", b"bert"]), default_way([b"a document of some length, of which there are copies"])
    ('random', 'distinct')
    """
    return "random" if sum(map(len, examples)) < SHORT * max(1, len(examples)) else "distinct"


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


def divided(
    parts: Mapping[str, list[Any]], split: Split, content: Callable[[Any], bytes]
) -> tuple[list[list[Any]], str]:
    """Lists of examples of train, valid and test, as given or by the split, and one phrase that says which.

    parts: the lists by split; without "valid", a sixth of "train" becomes it. Or a single list.
    split: how a single list is divided; by content where it says "order" and a sixth of train is wanted.
    content: the bytes that identify an example.
    """
    if "train" in parts and "test" in parts:
        lists, how = [parts[name] for name in SPLITS if name in parts], "split as given"
        if "valid" not in parts:
            sixth = replace(split, way="distinct") if split.way == "order" else split
            rows = sixth.without_valid([content(x) for x in parts["train"]])
            lists[:1] = [[parts["train"][n] for n in part] for part in rows]
            how += f", valid is a sixth of train {WAYS[sixth.way]}"
    else:
        (examples,) = parts.values()
        contents = [content(x) for x in examples]
        lists, how = [[examples[n] for n in rows] for rows in split.rows(contents)], split.note
        how = say_distinct(how, contents, split.way == "distinct")
    return lists, f"{how}: {'/'.join(str(len(part)) for part in lists)}"


def three_parts(
    parts: Mapping[str, Part],
    split: Split,
    content: Callable[[Array], Array] = lambda x: x.reshape(len(x), prod(x.shape[1:])),
) -> tuple[list[Part], str]:
    """Examples and labels of train, valid and test from the parts of a source, and one phrase that says how.

    parts: "train", "valid" and "test"; without "valid", a sixth of "train" becomes it: at random where the split is
        random, else its last rows, or, where these are sorted by label, rows by a hash of their content. Or a single
        part, under any name.
    split: how a single part is divided.
    content: what identifies each example, shape (N, ...).
    """
    if "train" not in parts or "test" not in parts:
        ((x, y),) = parts.values()
        pieces = [(take(x, rows), None if y is None else y[rows]) for rows in split.rows(content(x))]
        return pieces, say_distinct(split.note, content(x), split.way == "distinct")
    if "valid" in parts:
        return [parts[name] for name in SPLITS], "split as given"
    x, y = parts["train"]
    by_label = y is not None and bool((y[:-1] <= y[1:]).all())
    if split.way == "random":
        front, which = split.without_valid(content(x))[0], "a sixth of train at random"
    elif by_label:
        front, which = split_by_content(content(x), SIXTH)[0], "a sixth of train by content"
    else:
        front, which = rows_in_order(len(x), SIXTH)[0], "the last sixth of train"
    back = np.setdiff1d(np.arange(len(x)), front)
    train, valid = ((take(x, rows), None if y is None else y[rows]) for rows in (front, back))
    return [train, valid, parts["test"]], f"split as given, valid is {which}"


def check_same_shape(parts: Mapping[str, Part], source: str) -> None:
    """Refuse splits whose examples differ in shape."""
    shapes = {name: x.shape[1:] for name, (x, _) in parts.items()}
    if len(set(shapes.values())) > 1:
        told = ", ".join(f"{name} {'x'.join(map(str, shape))}" for name, shape in shapes.items())
        raise InputError(f"{source}: the splits differ in shape ({told}); bring them to one shape")
