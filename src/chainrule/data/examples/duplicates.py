"""How many test examples stand in train, too: what a model may have learned by heart."""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import blake2b

import numpy as np

from chainrule.data.encodings.levels import DrawnBits, StoredLevels
from chainrule.data.examples.base import ArrayExamples, DataSet, Examples
from chainrule.data.examples.blocks import Reordered
from chainrule.data.examples.lengths import SequenceExamples

__all__ = ["duplicates"]


def duplicates(data: DataSet) -> tuple[int, int] | None:
    """How many of the test examples stand in train, too, conditions included; and how many there are.

    None for a stream, which has no examples. Images whose bits are drawn are compared by their grey values.
    """
    if None in (_contents(data.train), _contents(data.test)):
        return None
    seen = set(_hashes(data.train))
    places = list(_hashes(data.test))
    return sum(place in seen for place in places), len(places)


def _hashes(examples: Examples) -> Iterator[bytes]:
    contents = _contents(examples)
    context = getattr(examples, "context", None)
    for n, content in enumerate(contents or ()):
        condition = b"" if context is None else np.asarray(context[n]).tobytes()
        yield blake2b(content + condition, digest_size=8).digest()


def _contents(examples: Examples) -> Iterator[bytes] | None:
    """The bytes of each example, None where there are no examples to speak of."""
    if isinstance(examples, Reordered):
        return _contents(examples.examples)
    if isinstance(examples, ArrayExamples):
        return (np.ascontiguousarray(x).tobytes() for x in examples.x)
    if isinstance(examples, DrawnBits | StoredLevels):
        return (np.ascontiguousarray(examples.grey[n]).tobytes() for n in range(len(examples)))
    if isinstance(examples, SequenceExamples):
        borders = zip(examples.start[:-1].tolist(), examples.start[1:].tolist(), strict=True)
        return (np.ascontiguousarray(examples.flat[start:stop]).tobytes() for start, stop in borders)
    return None
