"""Train, valid and test: as given, by chance, by content, by group, or in order.

A split decides the number. Rows that are drawn independently must be split by chance, with their repeats: then test is
a sample of the same distribution. Where a repeat is a copy (a picture that stands twice in a folder), a split by
content keeps it out of test, and what is estimated is the distribution of *distinct* examples. Where rows of one
customer are alike, a split by group keeps a customer in one split, and what is estimated is how well the model knows
customers whom it has not seen.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any

import numpy as np

from chainrule.batch import Array, Rows
from chainrule.data.examples.groups import Groups
from chainrule.data.examples.random_split import random_parts, random_split
from chainrule.errors import InputError

__all__ = [
    "DEFAULT",
    "KEYED",
    "SIXTH",
    "SPLITS",
    "WAYS",
    "EmptySplit",
    "Split",
    "default_way",
    "parse_shares",
    "refuse_empty",
    "rows_in_order",
    "split_by_content",
]

SPLITS = ("train", "valid", "test")
DEFAULT = "80/10/10"
WAYS = {"random": "at random", "distinct": "by content", "order": "in order", "group": "by group"}
KEYED = ("random", "group")  # ways that a seed has a part in
SHORT = 32  # mean length in bytes or steps below which examples are short
SIXTH = (5 / 6, 1 / 6, 0.0)  # what becomes of a train split that comes without a valid one
SHARES = re.compile(r"\s*[-+.\deE]+(/[-+.\deE]+){2}\s*")

Shares = tuple[float, float, float]


class EmptySplit(InputError):
    """A split that was to have examples has none; `load` says of which source."""


def parse_shares(text: str) -> Shares:
    """The shares of train, valid and test from a text such as "80/10/10"; those of valid and test may be 0.

    >>> parse_shares("85/5/10"), parse_shares("90/10/0")
    ((0.85, 0.05, 0.1), (0.9, 0.1, 0.0))
    """
    try:
        shares = [float(part) for part in text.split("/")]
    except ValueError:
        shares = []
    if len(shares) != 3 or not all(0 <= share < np.inf for share in shares) or not shares[0] > 0:
        raise InputError(
            "a split has three shares of train/valid/test such as 80/10/10, that of train above 0 and those of valid "
            f"and test 0 or more, got {text!r}"
        )
    train, valid, test = (share / sum(shares) for share in shares)
    return train, valid, test


@dataclass(frozen=True)
class Split:
    """How rows are divided into train, valid and test.

    way: "random", a keyed random order of the row numbers, so that each split is a simple random sample of the rows;
        "distinct", by a hash of the content, so that equal rows are in the same split; "order", as the rows stand;
        "group", a keyed random order of the values of a column, so that rows with one value are in the same split.
    shares: of train, valid and test, as text such as "80/10/10".
    seed: key of the random order.
    column: the name of the column that says the group; "" where there are no groups.

    >>> str(Split.parse("80/10/10", "random")), Split.parse("order:1/1/1", "random").way
    ('random:80/10/10', 'order')
    >>> Split.parse("group:customer", "random"), Split.parse("group:a:b:8/1/1", "random").column
    (Split(way='group', shares='80/10/10', seed=0, column='customer'), 'a:b')
    """

    way: str
    shares: str
    seed: int = 0
    column: str = ""

    @classmethod
    def parse(cls, text: str | None, default: str, seed: int = 0) -> Split:
        """A split from a text such as "random:80/10/10"; shares alone are divided in the default way.

        What stands behind "group:" is a column and, after the last colon, perhaps three shares.

        Raises InputError for another way, and for what is not three shares.
        """
        if not 0 <= seed < 2**63:
            raise InputError(f"--split-seed is a whole number from 0 to 2^63 - 1, got {seed}")
        seed = int(seed)
        way, colon, rest = (text or DEFAULT).partition(":")
        if not colon:
            parse_shares(way)
            return cls(default, way, seed)
        if way not in WAYS:
            known = (f"{w}:{'COLUMN:' if w == 'group' else ''}{DEFAULT}" for w in WAYS)
            raise InputError(f"a split is one of {', '.join(known)}, got {text!r}")
        column = ""
        if way == "group":
            column, colon, shares = rest.rpartition(":")
            column, rest = (column, shares) if colon and SHARES.fullmatch(shares) else (rest, DEFAULT)
            if not column:
                raise InputError(
                    f"a split by group names the column of the group: group:COLUMN:{DEFAULT}, got {text!r}"
                )
        parse_shares(rest)
        return cls(way, rest, seed, column)

    def __str__(self) -> str:
        return ":".join(part for part in (self.way, self.column, self.shares) if part)

    @property
    def options(self) -> dict[str, Any]:
        """The options of `load` that give this split again."""
        return {"split": str(self), "split_seed": self.seed}

    @property
    def note(self) -> str:
        """How the rows are divided, in a few words."""
        seed = f", seed {self.seed}" if self.way in KEYED and self.seed else ""
        return f"split {self.shares} {WAYS[self.way]}{f' of {self.column}' if self.column else ''}{seed}"

    def rows(self, content: Array | Sequence[Any], groups: Groups | None = None) -> list[Rows]:
        """The numbers of the rows of train, valid and test.

        content: what identifies each row, shape (N, D) or bytes; read only where the split goes by content.
        groups: the group of each row, where the split goes by group.

        Raises EmptySplit where a split that has a share gets no rows.
        """
        return self._rows(content, parse_shares(self.shares), f"the shares {self.shares}", groups)

    def parts(self, total: int, groups: Groups | None = None) -> Array | None:
        """The split of each row, 0, 1 or 2, where it is known from the number of rows alone or by group; else None.

        total: how many rows there are.
        groups: the group of each row, where the split goes by group.
        """
        shares, wanted = parse_shares(self.shares), f"the shares {self.shares}"
        if self.way == "random":
            part = random_parts(total, shares, self.seed)
        elif self.way == "distinct":
            return None
        else:
            part = np.zeros(total, dtype=np.int8)
            for k, rows in enumerate(self._rows(range(total), shares, wanted, groups)):
                part[rows] = k
        sizes = [range(size) for size in np.bincount(part, minlength=3).tolist()]
        refuse_empty(sizes, shares, f"of {total} examples {wanted}")
        return part

    def without_valid(self, content: Array | Sequence[Any], groups: Groups | None = None) -> list[Rows]:
        """The numbers of the rows of a train split that stay in it, and of those that become valid, a sixth.

        None of them become valid where the share of valid is 0.
        """
        if parse_shares(self.shares)[1] == 0:
            return [np.arange(len(content)), np.arange(0)]
        return self._rows(content, SIXTH, "shares of five sixths and one", groups)[:2]

    def _rows(self, content: Array | Sequence[Any], shares: Shares, wanted: str, groups: Groups | None) -> list[Rows]:
        total = len(content)
        cause, rows = f"of {total} examples", []
        if self.way == "group":
            if groups is None:
                raise InputError(f"{self}: only a table has columns by which it can be split; use random:{self.shares}")
            cause, rows = f"of {total} rows in {len(groups.keys)} groups", groups.split(shares, self.seed)
        elif self.way == "order":
            rows = rows_in_order(total, shares)
        elif self.way == "random":
            rows = list(random_split(total, shares, self.seed))
        else:
            rows = split_by_content(
                np.ascontiguousarray(content) if isinstance(content, np.ndarray) else content, shares
            )
            cause += ", of which equal ones are in one split,"
        refuse_empty(rows, shares, f"{cause} {wanted}")
        return rows


def refuse_empty(rows: Sequence[Sequence[Any] | Array], shares: Shares, cause: str) -> None:
    """Raise EmptySplit where a split that has a share got nothing. cause: of what, and by which shares."""
    for name, part, share in zip(SPLITS, rows, shares, strict=True):
        if share > 0 and not len(part):
            without = "" if name == "train" else f", or a share of 0 if no {name} split is wanted"
            raise EmptySplit(
                f"the {name} split is empty: {cause} leave none for it; give more of them, or other shares with "
                f"--split{without}"
            )


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
