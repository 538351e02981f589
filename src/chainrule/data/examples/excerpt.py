"""The first examples of each split: enough to see whether everything fits together, in seconds."""

from __future__ import annotations

from dataclasses import replace

from chainrule.data.encodings.levels import DrawnBits, StoredLevels
from chainrule.data.encodings.text import StreamExamples
from chainrule.data.examples.base import ArrayExamples, DataSet, Examples
from chainrule.data.examples.blocks import Reordered
from chainrule.data.examples.lengths import SequenceExamples
from chainrule.errors import InputError

__all__ = ["excerpt"]


def excerpt(data: DataSet, examples: int) -> DataSet:
    """The same data set with at most so many examples of each split, in their order; of a stream so many windows.

    >>> from chainrule.data import open
    >>> short = excerpt(open("digits"), 5)
    >>> len(short.train), len(short.valid), len(short.test)
    (5, 5, 5)
    """
    if examples < 1:
        raise InputError(f"an excerpt has at least one example, got {examples}")
    train, valid, test = (_first(data.split(split), examples) for split in ("train", "valid", "test"))
    note = f"{data.note}; of each split only the first {examples}"
    return replace(data, train=train, valid=valid, test=test, note=note)


def _first(part: Examples, n: int) -> Examples:
    if isinstance(part, Reordered):
        return replace(part, examples=_first(part.examples, n))
    if isinstance(part, ArrayExamples):
        impossible = None if part.impossible is None else part.impossible[:n]
        return ArrayExamples(part.x[:n], None if part.context is None else part.context[:n], impossible)
    if isinstance(part, DrawnBits | StoredLevels):
        return replace(part, grey=part.grey[:n], context=None if part.context is None else part.context[:n])
    if isinstance(part, StreamExamples):
        return replace(part, stream=part.stream[: part.window + (n - 1) * part.stride])
    if isinstance(part, SequenceExamples):
        start = part.start[: n + 1]
        return replace(part, flat=part.flat[: start[-1]], start=start)
    raise InputError(f"{type(part).__name__} cannot be cut short; open fewer examples")
