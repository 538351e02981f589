"""Elements of columns that one pass over a table kept: each block of cells becomes rows, and is then let go."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from chainrule.data.examples.base import Array
from chainrule.data.tables.cached_columns import CachedColumn
from chainrule.data.tables.columns import Numbers, Symbols, number_elements
from chainrule.data.tables.number_cells import float_texts
from chainrule.data.tables.rows import encode_column
from chainrule.errors import InputError

__all__ = ["Kept", "kept_blocks"]

Encoder = Callable[
    [Array], tuple[Array, Array]
]  # from cells, what they become and which of them the column cannot hold
Refuse = Callable[[int, int, str | None], InputError]  # from the column, the row and the text of its cell


@dataclass(frozen=True)
class Kept:
    """A column, what is kept of its cells, and what they become.

    column: its encoding.
    cached: its cells; none, where it is lost.
    texts: canonical texts of the codes of names; None for numbers.
    """

    column: Symbols | Numbers
    cached: CachedColumn
    texts: Any | None = None

    def let_go(self, block: int) -> None:
        """Forget the cells of a block."""
        if self.cached.state != "lost":
            self.cached.chunks[block] = np.zeros(0)

    @property
    def is_measured(self) -> bool:
        """Whether the cells are numbers that stay numbers."""
        return self.cached.state == "numbers" and isinstance(self.column, Numbers)

    def text(self, cell: Any) -> str | None:
        """The canonical text of a cell."""
        if self.texts is None:
            return None if np.isnan(cell) else str(float_texts(np.array([cell]))[0].as_py())
        return None if cell < 0 else self.texts[int(cell)].as_py()


def kept_blocks(
    columns: Sequence[Kept], blocks: Sequence[tuple[int, int]], lost: Callable[[int], Any], refuse: Refuse
) -> Iterator[Array]:
    """The elements of all columns, float64 (rows, columns), block by block; a block that is done is let go.

    columns: the columns, in the order in which they come out.
    blocks: number among the chunks, and rows, of each block.
    lost: the next rows of the columns that were lost, as canonical texts.
    refuse: the error for a value that a column cannot hold; rows are counted from the first of these blocks.
    """
    measured = [k for k, kept in enumerate(columns) if kept.is_measured]
    encoders = {
        k: _of_names(kept) if kept.cached.state == "names" else _of_ranks(kept.column)
        for k, kept in enumerate(columns)
        if kept.cached.state != "lost" and not kept.is_measured
    }
    read_again = [k for k, kept in enumerate(columns) if kept.cached.state == "lost"]
    start = 0
    for block, rows in blocks:
        x, outside = np.empty((rows, len(columns))), dict[int, Array]()
        if measured:
            cells = np.stack([columns[k].cached.chunks[block] for k in measured])
            found, bad = number_elements([columns[k].column for k in measured], cells)  # type: ignore[misc]
            x[:, measured] = found.T
            outside = {measured[k]: bad[k] for k in np.flatnonzero(bad.any(axis=1))}
        for k, encode in encoders.items():
            x[:, k], outside[k] = encode(columns[k].cached.chunks[block])
        texts: Any = lost(rows) if read_again else None
        for k in read_again:
            name = columns[k].column.name
            _, x[:, k], outside[k] = encode_column(texts, columns[k].column, lambda row: f"row {row + 1}")
            if outside[k].any():
                row = int(np.flatnonzero(outside[k])[0])
                raise refuse(k, start + row, texts.column(name)[row].as_py())
        for k, bad in outside.items():
            if bad.any():
                row = int(np.flatnonzero(bad)[0])
                raise refuse(k, start + row, columns[k].text(columns[k].cached.chunks[block][row]))
        for kept in columns:
            kept.let_go(block)
        start += rows
        yield x


def _of_names(kept: Kept) -> Encoder:
    """Codes as they are encoded; the last text is that of a missing cell."""
    texts = pa.concat_arrays([kept.texts, pa.nulls(1, pa.string())])
    gone = texts.is_null().to_numpy(zero_copy_only=False)
    found, outside = kept.column.encode(texts, gone, lambda row: "the table")
    return lambda codes: (found[codes], outside[codes])


def _of_ranks(column: Symbols | Numbers) -> Encoder:
    """Numbers that are symbols, by their place among the values of the column."""
    values = np.array([float(value) for value in column.values])  # type: ignore[union-attr]
    order = np.argsort(values)
    rising = values[order]
    gone_is_outside = column.missing is None

    def encode(x: Array) -> tuple[Array, Array]:
        gone = np.isnan(x)
        place = np.minimum(np.searchsorted(rising, x), len(rising) - 1)
        outside = np.where(gone, gone_is_outside, rising[place] != x)
        return np.where(outside, 0.0, np.where(gone, len(values), order[place])), outside

    return encode
