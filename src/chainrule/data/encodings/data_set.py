"""A data set: raw data as elements, in three splits."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from hashlib import blake2b, sha256
from typing import Any

import numpy as np

from chainrule.data.encodings.base import Encoding
from chainrule.data.examples.base import Examples
from chainrule.data.examples.splits import SPLITS
from chainrule.errors import InputError

__all__ = ["DataSet"]


@dataclass(frozen=True)
class DataSet:
    """Raw data as elements, split in three.

    name: the source; `load(name, **options)` gives the same data set again.
    encoding: how raw data become elements.
    train, valid, test: the examples of each split.
    note: what was understood, in one line.
    options: the options of `load`.
    """

    name: str
    encoding: Encoding
    train: Examples
    valid: Examples
    test: Examples
    note: str
    options: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name, examples in self.splits.items():
            if len(examples) == 0:
                raise InputError(
                    f"{self.name}: the {name} split is empty; give it examples, or choose other shares with --split"
                )

    @property
    def splits(self) -> dict[str, Examples]:
        """The splits by name: train, valid, test."""
        return {"train": self.train, "valid": self.valid, "test": self.test}

    def split(self, name: str) -> Examples:
        """The split with that name."""
        if name not in SPLITS:
            raise InputError(f"the splits are train, valid and test, got {name!r}")
        return self.splits[name]

    def digest(self) -> str:
        """SHA-256 over the digests of the splits."""
        return sha256("".join(examples.digest() for examples in self.splits.values()).encode()).hexdigest()

    def first(self, count: int) -> DataSet:
        """The first `count` examples of each split (of a stream, windows), to see in seconds whether all fits together.

        >>> from chainrule.data import load
        >>> short = load("digits").first(5)
        >>> len(short.train), len(short.valid), len(short.test)
        (5, 5, 5)
        """
        if count < 1:
            raise InputError(f"an excerpt has at least one example, got {count}")
        train, valid, test = (examples.first(count) for examples in self.splits.values())
        note = f"{self.note}; of each split only the first {count}"
        return replace(self, train=train, valid=valid, test=test, note=note)

    def duplicates(self) -> tuple[int, int] | None:
        """How many test examples also occur in train, with the same condition, and how many test examples there are.

        None for a stream, which has no examples. Images whose bits are drawn are compared by their grey values.
        """
        train, test = _hashes(self.train), _hashes(self.test)
        if train is None or test is None:
            return None
        seen, hashes = set(train), list(test)
        return sum(place in seen for place in hashes), len(hashes)


def _hashes(examples: Examples) -> Iterator[bytes] | None:
    contents, context = examples.contents(), examples.context
    if contents is None:
        return None
    if context is None:
        return (blake2b(content, digest_size=8).digest() for content in contents)
    pairs = zip(contents, context, strict=True)
    return (blake2b(content + np.asarray(condition).tobytes(), digest_size=8).digest() for content, condition in pairs)
