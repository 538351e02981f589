"""All rows in batches of a size, in order."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from chainrule.batch import Batch, Rows
from chainrule.data.examples.base import Examples

__all__ = ["in_batches"]


def in_batches(examples: Examples, batch_size: int, rows: Rows | None = None) -> Iterator[tuple[Rows, Batch]]:
    """The numbers of the rows and their batch, `batch_size` rows at a time.

    examples: where the rows come from.
    batch_size: rows per batch; the last batch may be smaller.
    rows: the numbers of the rows, in order; None for all of them.

    >>> from chainrule.data import ArrayExamples
    >>> [rows.tolist() for rows, batch in in_batches(ArrayExamples(np.zeros((5, 2), int)), 2)]
    [[0, 1], [2, 3], [4]]
    """
    rows = np.arange(len(examples)) if rows is None else rows
    for start in range(0, len(rows), batch_size):
        chunk = rows[start : start + batch_size]
        yield chunk, examples.batch(chunk)
