"""Rows of tables in their splits; where chance or order decides, each block of rows goes to its place at once."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

import numpy as np

from chainrule.batch import Array
from chainrule.data.examples.distinct import Pieces, say_distinct
from chainrule.data.examples.splits import Split, three_parts

__all__ = ["RowBlocks", "divided_rows"]


class RowBlocks(NamedTuple):
    """The rows of a table, block by block.

    rows: their number. width: the number of columns. dtype: that of the elements. blocks: arrays (n, width).
    """

    rows: int
    width: int
    dtype: type[np.uint8 | np.float64]
    blocks: Iterator[Array]


def divided_rows(parts: Mapping[str, RowBlocks], split: Split) -> tuple[list[Array], str]:
    """The rows of train, valid and test, and one phrase that says how they were divided.

    parts: tables by split, or a single one under any name.
    split: how a single table is divided.
    """
    which = split.parts(next(iter(parts.values())).rows) if len(parts) == 1 else None
    if which is None:
        whole = {name: (_filled(part, np.zeros(part.rows, np.int8), 1)[0], None) for name, part in parts.items()}
        found, how = three_parts(whole, split)
        return [x for x, _ in found], how
    (part,) = parts.values()
    pieces = _filled(part, which, 3)
    return pieces, say_distinct(split.note, Pieces(pieces), by_content=False)


def _filled(part: RowBlocks, which: Array, number: int) -> list[Array]:
    """Arrays with the rows that belong to each. which: the array of each row, 0, 1, ... number: of arrays."""
    sizes = np.bincount(which, minlength=number).tolist()
    arrays = [np.empty((size, part.width), part.dtype) for size in sizes]
    start, ends = 0, [0] * number
    for block in part.blocks:
        here = which[start : start + len(block)]
        for k, array in enumerate(arrays):
            rows = block if number == 1 else block[here == k]
            array[ends[k] : ends[k] + len(rows)] = rows
            ends[k] += len(rows)
        start += len(block)
    return arrays
