"""Rows of tables in their splits; where it is known which row goes where, each block of rows goes there at once."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from chainrule.batch import Array
from chainrule.data.examples.freed_memory import give_back

__all__ = ["RowBlocks", "filled"]

OFTEN = 16  # blocks after which the memory of their cells is given back


class RowBlocks(NamedTuple):
    """The rows of a table, block by block.

    rows: their number.
    width: the number of columns.
    dtype: that of the elements.
    blocks: arrays (n, width).
    """

    rows: int
    width: int
    dtype: type[np.uint8 | np.float64]
    blocks: Iterator[Array]


def filled(part: RowBlocks, which: Array, number: int) -> list[Array]:
    """Arrays with the rows that belong to each.

    part: the rows.
    which: the array that each row goes to, 0, 1, ..., shape (rows,).
    number: how many arrays there are.
    """
    sizes = np.bincount(which, minlength=number).tolist()
    arrays = [np.empty((size, part.width), part.dtype) for size in sizes]
    start, ends = 0, [0] * number
    for done, block in enumerate(part.blocks, start=1):
        here = which[start : start + len(block)]
        for k, array in enumerate(arrays):
            rows = block if number == 1 else block[here == k]
            array[ends[k] : ends[k] + len(rows)] = rows
            ends[k] += len(rows)
        start += len(block)
        if done % OFTEN == 0:
            give_back()
    return arrays
