"""Sequences of sets, such as the notes that sound together: a chain over (time, key), so that keys know each other."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from chainrule.batch import Array
from chainrule.data.encodings.base import Encoding
from chainrule.data.encodings.data_set import DataSet
from chainrule.data.encodings.ends import describe, windows_of
from chainrule.data.encodings.sequences import as_json
from chainrule.data.examples.base import Examples
from chainrule.data.examples.division import divided
from chainrule.data.examples.sequences import SequenceExamples
from chainrule.data.examples.splits import Split, default_way
from chainrule.data.sources.objects import Source, as_source
from chainrule.data.sources.sequence_files import read_sequences
from chainrule.domain import Domain
from chainrule.errors import InputError
from chainrule.likelihood import Protocol

__all__ = ["SetEncoding", "load_sets"]

CLOSE = 256  # integers from 0 to below this are keys of an instrument, however few of them occur


@dataclass(frozen=True)
class SetEncoding(Encoding):
    """A step is one element for each key, 1 where the key is in the set; keys follow each other within the step.

    ln p(x | T) = sum over steps t and keys k of ln p(x_{t,k} | x_{<t}, x_{t,<k}), reported per step.

    keys: what may be in a set, in their order.
    window: the number of steps that the network reads at once.
    stride: the number of steps that a window moves on by.
    """

    keys: tuple[str | int, ...]
    window: int
    stride: int
    kind: ClassVar[str] = "sets"
    group: ClassVar[str] = "text"
    is_text: ClassVar[bool] = True
    file_endings: ClassVar[tuple[str, ...]] = (".json",)

    @property
    def domain(self) -> Domain:
        """Two symbols, laid out as (steps, keys)."""
        return Domain((self.window, len(self.keys)), 2, variable_length=True)

    @property
    def protocol(self) -> Protocol:
        """How a sequence is scored."""
        return Protocol(context=f"windows of {self.window} steps, stride {self.stride}")

    @property
    def step(self) -> int:
        return len(self.keys)

    def examples(self, sequences: list[Any], what: str) -> SequenceExamples:
        """The examples of sequences, as lists of sets."""
        place = {key: k for k, key in enumerate(self.keys)}
        rows = []
        for n, sequence in enumerate(sequences, start=1):
            steps = np.zeros((len(sequence), len(self.keys)), dtype=np.uint8)
            for t, step in enumerate(sequence):
                if not isinstance(step, list) or len(set(_keys(step, what))) != len(step):
                    raise InputError(f"{what} sequence {n} step {t}: has {step}, expected a list of different symbols")
                for key in step:
                    if key not in place:
                        raise InputError(
                            f"{what} sequence {n} step {t}: {key!r} is not among the {len(place)} keys that the model "
                            "knows, so its probability is 0; remove the sequence, or fit on data that has it"
                        )
                    steps[t, place[key]] = 1
            rows.append(steps.ravel())
        size = len(self.keys)
        return SequenceExamples.of(rows, self.window * size, self.stride * size, per_dim=size)

    def encode(self, source: Source) -> Examples:
        parts = self.encode_parts(source)
        return parts["test"] if "test" in parts else parts[""]

    def encode_parts(self, source: Source) -> dict[str, Examples]:
        source = as_source(source)
        return {name: self.examples(part, f"{source} {name}".strip()) for name, part in read_sequences(source).items()}

    def decode(self, x: Array) -> list[list[list[str | int]]]:
        """One list of sets per example."""
        size = len(self.keys)
        steps = x[:, : x.shape[1] // size * size].reshape(len(x), -1, size)
        return [[[self.keys[k] for k in np.flatnonzero(step)] for step in row] for row in steps]

    def write(self, raw: list[Any], given: str | None = None) -> bytes:
        return json.dumps(raw).encode() + b"\n"

    def to_json(self) -> dict[str, Any]:
        return {"kind": self.kind, "keys": list(self.keys), "window": self.window, "stride": self.stride}

    @classmethod
    def from_json(cls, fields: dict[str, Any]) -> SetEncoding:
        return cls(tuple(fields["keys"]), fields["window"], fields["stride"])


def load_sets(
    source: Source,
    *,
    window: int | None = None,
    stride: int | None = None,
    split: str | None = None,
    split_seed: int = 0,
    keys: str | None = None,
) -> DataSet:
    """Sequences of sets from JSON, `{"train": [[[60, 64], [62], ...], ...], ...}`; lengths are given, p(x | T).

    The keys are the symbols that occur in the file. Integers that are close together, such as the keys of a piano, are
    all from the smallest to the largest.

    source: a `.json` or `.jsonl` file, or an object.
    window: steps that the network reads at once; None for as many as make 512 elements.
    stride: steps that a window moves on by in evaluation; None for half a window.
    split: how they are divided, see `Split`; None for distinct:80/10/10, for short ones random:80/10/10.
    split_seed: key of a random split.
    keys: "range" for all integers from the smallest to the largest, "distinct" for those that occur; None for "range"
        where at least one in four occurs, or where they are from 0 to 255.
    """
    read = read_sequences(source)
    divided_by = Split.parse(split, default_way([x for part in read.values() for x in part]), split_seed)
    division = divided(read, divided_by, as_json)
    parts = division.parts
    source = str(source)
    found = {key for part in parts for sequence in part for step in sequence for key in _keys(step, source)}
    if not found:
        raise InputError(f"{source}: every set is empty; give sequences with symbols in them")
    places, as_keys = _ordered(found, keys)
    lengths = np.array([len(sequence) for part in parts for sequence in part])
    window, stride = windows_of(window, stride, int(lengths.max()), per_step=len(places))
    encoding = SetEncoding(places, window, stride)
    train, valid, test = (encoding.examples(part, source) for part in parts)
    note = describe("sequences of sets", lengths, f"(steps; {len(places)} keys each), lengths given", window, stride)
    options = {"window": window, "stride": stride} | as_keys | divided_by.options
    return DataSet(source, encoding, train, valid, test, f"{note}; {division.how}", options, division.unit)


def _ordered(found: set[str | int], keys: str | None) -> tuple[tuple[str | int, ...], dict[str, str]]:
    """The keys in their order, and the option that gives them again, see `load_sets`."""
    numbers = sorted(key for key in found if isinstance(key, int))
    if len(numbers) < len(found):
        return tuple(sorted(found, key=str)), {}
    first, last = numbers[0], numbers[-1]
    if keys is None:
        close = (first >= 0 and last < CLOSE) or last - first < 4 * len(numbers)
        keys = "range" if close else "distinct"
    return tuple(range(first, last + 1)) if keys == "range" else tuple(numbers), {"keys": keys}


def _keys(step: Any, source: str) -> list[str | int]:
    if not isinstance(step, list) or not all(isinstance(key, str | int) for key in step):
        raise InputError(f"{source}: has the step {step!r}, expected a list of names or integers")
    return step
