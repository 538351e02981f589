"""Which rows are scored together: as many as a device takes without losing time, those of similar length together."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch

from chainrule.batch import Rows
from chainrule.data.examples.base import Examples
from chainrule.models.base import Model

__all__ = ["batch_rows", "rows_at_once"]

ELEMENTS = {"cpu": 2**14}  # of a batch: on a processor more of them would leave its caches
MANY = 2**18  # of a batch elsewhere
WIDE = 2**11  # features of an element, from which on there are fewer elements in a batch
NEIGHBOURS = 2**12  # rows among which those of similar length are put together: near to each other, as they are stored


def rows_at_once(examples: Examples, device: torch.device) -> int:
    """How many rows of these examples a device scores at once without losing time, all taken to be as long as any.

    >>> from chainrule.data import ArrayExamples
    >>> rows_at_once(ArrayExamples(np.zeros((500, 64), dtype=np.int64)), torch.device("cpu"))
    256
    """
    return max(1, ELEMENTS.get(device.type, MANY) // _longest(examples))


def batch_rows(model: Model, examples: Examples, batch_size: int | None = None) -> Iterator[Rows]:
    """The numbers of the rows of each batch; every row once.

    model: by whose layers and device batches are large or small.
    examples: in their order where a row may depend on the one before it (a stream), or where all are of one length.
    batch_size: rows per batch, in their order; None for what is fastest.
    """
    lengths = examples.row_lengths
    if batch_size is None and lengths is not None and not examples.is_stream:
        yield from _by_length(lengths, _elements(model))
        return
    size = max(1, _elements(model) // _longest(examples)) if batch_size is None else batch_size
    for start in range(0, len(examples), size):
        yield np.arange(start, min(start + size, len(examples)))


def _by_length(lengths: Rows, elements: int) -> Iterator[Rows]:
    """Rows of similar length, so many that with their padding they have at most `elements`, or one.

    >>> [rows.tolist() for rows in _by_length(np.array([3, 1, 8, 1, 2]), 6)]
    [[1, 3, 4], [0], [2]]
    """
    for first in range(0, len(lengths), NEIGHBOURS):
        order = first + np.argsort(lengths[first : first + NEIGHBOURS], kind="stable")
        start = 0
        for stop, longest in enumerate(lengths[order].tolist()):
            if stop > start and (stop + 1 - start) * longest > elements:
                yield order[start:stop]
                start = stop
        yield order[start:]


def _elements(model: Model) -> int:
    """How many elements are scored at once: as many as the device and the model's layers take without losing time."""
    device, held = model.device.type, model.elements_at_once
    elements = ELEMENTS.get(device, MANY) if held is None or device != "cpu" else held
    return max(1, elements // max(1, model.features_per_element // WIDE))


def _longest(examples: Examples) -> int:
    """The length of the longest row."""
    if not len(examples):
        return max(ELEMENTS.values())
    lengths = examples.row_lengths
    return max(1, examples.batch(np.arange(1)).x.shape[1] if lengths is None else int(np.max(lengths)))
