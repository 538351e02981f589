"""The contracts of data: examples, the encoding of raw data as elements, and a data set of three splits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from hashlib import blake2b, sha256
from typing import Any, ClassVar, Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt
import torch

from chainrule.batch import Batch
from chainrule.domain import Domain
from chainrule.errors import InputError

__all__ = ["ArrayExamples", "DataSet", "Encoding", "Examples", "Source", "Writes", "parse_split", "split_by_content"]

Rows = npt.NDArray[np.int64]
Array = npt.NDArray[Any]
Source = Any  # a path as text, or a Python object, see `hold`


class Examples(Protocol):
    """Examples in an order, each of them once."""

    def __len__(self) -> int:
        """How many examples."""

    def batch(self, rows: Rows) -> Batch:
        """The examples of these numbers, in this order."""

    def epoch(self, seed: int, epoch: int) -> Examples:
        """What training reads in an epoch, a pure function of (seed, epoch); itself if nothing varies."""

    def digest(self) -> str:
        """SHA-256 of the content, in hexadecimal."""


class Encoding(Protocol):
    """Raw data <-> elements."""

    kind: ClassVar[str]

    @property
    def domain(self) -> Domain:
        """What the elements may be."""

    def encode(self, source: Source) -> Examples:
        """Every example of another source of the same kind; refuses what does not fit."""

    def decode(self, x: Array) -> Any:
        """Raw data from elements of shape (n, D)."""

    def to_json(self) -> dict[str, Any]:
        """The encoding as JSON, its kind under "kind"."""


@runtime_checkable
class Writes(Protocol):
    """An encoding whose raw data is text of some kind: a file of samples opens again as the same examples."""

    @property
    def ending(self) -> str:
        """How the name of a file of samples ends, such as ".txt"."""

    def write(self, raw: list[Any]) -> bytes:
        """The content of a file that holds what `decode` gave."""


@dataclass(frozen=True)
class ArrayExamples:
    """Examples of one length in an array, shape (N, D), and what each is conditioned on.

    impossible: True where the raw value lies outside the domain, p(x) = 0, shape (N,).
    """

    x: Array
    context: Array | None = None
    impossible: Array | None = None

    def __len__(self) -> int:
        return len(self.x)

    def batch(self, rows: Rows) -> Batch:
        x = torch.from_numpy(np.ascontiguousarray(self.x[rows]))
        x = x if x.is_floating_point() else x.long()
        context, impossible = (
            None if part is None else torch.from_numpy(np.ascontiguousarray(part[rows]))
            for part in (self.context, self.impossible)
        )
        return Batch(x, context=context, impossible=impossible)

    def epoch(self, seed: int, epoch: int) -> ArrayExamples:
        return self

    def digest(self) -> str:
        digest = sha256()
        for part in (part for part in (self.x, self.context, self.impossible) if part is not None):
            digest.update(f"{part.dtype.str}{part.shape}".encode())
            digest.update(np.ascontiguousarray(part).tobytes())
        return digest.hexdigest()


@dataclass(frozen=True)
class DataSet:
    """Raw data as elements, split in three.

    name: what to open. options: `open(name, **options)` gives the same data set again. note: what was understood, one
    line.
    """

    name: str
    encoding: Encoding
    train: Examples
    valid: Examples
    test: Examples
    note: str
    options: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name in ("train", "valid", "test"):
            if len(getattr(self, name)) == 0:
                raise InputError(
                    f"{self.name}: the {name} split is empty; give it examples, or ask for other shares with --split"
                )

    def split(self, name: str) -> Examples:
        """The split of that name."""
        if name not in ("train", "valid", "test"):
            raise InputError(f"the splits are train, valid and test, got {name!r}")
        examples: Examples = getattr(self, name)
        return examples

    def digest(self) -> str:
        """SHA-256 over the digests of the splits."""
        return sha256("".join(self.split(name).digest() for name in ("train", "valid", "test")).encode()).hexdigest()


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
    """Row numbers of train, valid and test by a hash of each row's content, so that no duplicate straddles a border."""
    place = [int.from_bytes(blake2b(bytes(row), digest_size=7).digest(), "big") / 2**56 for row in rows]
    borders = np.cumsum(shares[:2])
    part = np.searchsorted(borders, place, side="right")
    return [np.flatnonzero(part == k) for k in range(3)]
