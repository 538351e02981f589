"""A data set: raw data as elements, in three splits."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from hashlib import blake2b, sha256
from typing import Any

import numpy as np

from chainrule.data.encodings.base import Encoding
from chainrule.data.examples.base import Examples
from chainrule.data.examples.in_units import DISTINCT, in_distinct_units
from chainrule.data.examples.splits import SPLITS
from chainrule.errors import InputError
from chainrule.likelihood import EXAMPLES

__all__ = ["DataSet"]


NONE = {  # what is not known where a split has no examples, and the way out
    "train": "there is no train split",
    "valid": "there is no valid split, so nothing is known while training goes on: the last weights are kept, whether "
    "or not they are the best, and nothing stops early; fit with a share for it, such as --split 80/10/10",
    "test": "there is no test split, so how well the model does on new data is not known; name data of your own, "
    "--split valid, or fit with --test FILE or a share for it, such as --split 80/10/10",
}


@dataclass(frozen=True)
class DataSet:
    """Raw data as elements, split in three.

    name: the source; `load(name, **options)` gives the same data set again.
    encoding: how raw data become elements.
    train, valid, test: the examples of each split.
    note: what was understood, in one line.
    options: the options of `load`.
    unit: what the independent units of standard errors are, where the examples do not say it themselves.

    The valid or the test split may be empty, where none was asked for; train never is.
    """

    name: str
    encoding: Encoding
    train: Examples
    valid: Examples
    test: Examples
    note: str
    options: dict[str, Any] = field(default_factory=dict)
    unit: str = EXAMPLES

    def __post_init__(self) -> None:
        if len(self.train) == 0:
            raise InputError(
                f"{self.name}: the train split is empty; give it examples, or choose other shares with --split"
            )

    @property
    def splits(self) -> dict[str, Examples]:
        """The splits by name: train, valid, test."""
        return {"train": self.train, "valid": self.valid, "test": self.test}

    def split(self, name: str) -> Examples:
        """The examples of the split with that name; raises InputError where it has none."""
        if name not in SPLITS:
            raise InputError(f"the splits are train, valid and test, got {name!r}")
        if not len(self.splits[name]):
            raise InputError(f"{self.name}: {NONE[name]}")
        return self.splits[name]

    @property
    def unseen_name(self) -> str:
        """The name of the test split, or, where there is none, of that which is nearest to it: valid, or train."""
        return next(name for name in reversed(SPLITS) if len(self.splits[name]))

    @property
    def unseen(self) -> Examples:
        """The examples of that split, to look at; what is known of new data is known by the test split alone."""
        return self.splits[self.unseen_name]

    @property
    def not_known(self) -> dict[str, str]:
        """What cannot be known of this data set, by the split that it lacks, a sentence each."""
        return {name: NONE[name] for name, part in self.splits.items() if not len(part)}

    def in_units(self) -> DataSet:
        """The same, whose examples say which of them belong together: copies of a content, where `unit` says so."""
        if self.unit != DISTINCT:
            return self
        train, valid, test = (in_distinct_units(examples) for examples in self.splits.values())
        return replace(self, train=train, valid=valid, test=test)

    def with_test(self, examples: Examples, name: str) -> DataSet:
        """The same with a test split from elsewhere. examples: encoded as these are. name: of where they come from."""
        if len(self.test):
            raise InputError(
                f"{self.name}: brings a test split of its own, and --test {name} another one; leave it out, or "
                "name the training examples alone"
            )
        note = f"{self.note}; test is {name}, {len(examples)} {'windows' if examples.is_stream else 'examples'}"
        if (ours := self.train.units) is not None and (theirs := examples.units) is not None:
            shared = len(ours.known & theirs.known)
            note += f", {shared} of its {theirs.name} are in train, too" if shared else ""
        return replace(self, test=examples, note=note, options=self.options | {"test": name})

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
        """How many test examples also occur in train, and how many test examples there are, see `in_train`."""
        return self.in_train(self.test)

    def in_train(self, examples: Examples) -> tuple[int, int] | None:
        """How many examples also occur in train, with the same condition, and how many there are.

        examples: encoded as those of train.

        None for a stream, which has no examples. Images whose bits are drawn are compared by their grey values.
        """
        train, others = _hashes(self.train), _hashes(examples)
        if train is None or others is None:
            return None
        seen, hashes = set(train), list(others)
        return sum(place in seen for place in hashes), len(hashes)


def _hashes(examples: Examples) -> Iterator[bytes] | None:
    contents, context = examples.contents(), examples.context
    if contents is None:
        return None
    if context is None:
        return (blake2b(content, digest_size=8).digest() for content in contents)
    pairs = zip(contents, context, strict=True)
    return (blake2b(content + np.asarray(condition).tobytes(), digest_size=8).digest() for content, condition in pairs)
