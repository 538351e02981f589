"""What one pass over a table keeps of its columns, so that hardly any cell is read twice.

cells of a column          kept
plain numbers              doubles, NaN where one is missing
anything else              codes, and the different texts that they stand for
numbers first, then text   nothing; the column is read again
very many different texts  nothing; the column is read again
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from chainrule.data.examples.base import Array
from chainrule.data.tables.number_cells import float_texts
from chainrule.data.tables.plain_cells import doubles_of_block
from chainrule.data.tables.survey import SHOWN, Survey
from chainrule.data.tables.survey_names import survey_names

__all__ = ["MOST_TEXTS", "CachedColumn", "cache_block"]

MOST_TEXTS = 1 << 20  # different texts of a column that are kept
NO_TEXTS = pa.nulls(0, pa.string())  # `pa.array` of a list imports pandas where it is installed


@dataclass
class CachedColumn:
    """A column as far as it has been read.

    survey: what its cells are.
    state: "open" as long as every cell is missing, "numbers", "names" or "lost".
    chunks: the cells of each block: doubles, or codes, -1 where a cell is null; none where the column is lost.
    texts: what the codes stand for, an Arrow array of different texts as they were read.
    fresh: the same of chunks whose codes are still their own: number of the chunk, texts.
    """

    survey: Survey
    state: str = "open"
    chunks: list[Array] = field(default_factory=list)
    texts: Any = field(default_factory=lambda: NO_TEXTS)
    fresh: list[tuple[int, Any]] = field(default_factory=list)
    size: int = 0

    @property
    def may_be_numbers(self) -> bool:
        """Whether every cell so far is a plain number or missing, and the next ones are looked at as such."""
        return self.state in ("open", "numbers") and not self.survey.as_text and self.survey.decimal == "."

    def add_numbers(self, value: Array, missing: int, truth: int, cells: Any) -> None:
        """Keep plain numbers.

        value: float64, NaN where one is missing.
        missing: how many are.
        truth: how many are 0 or 1.
        cells: as texts.
        """
        survey = self.survey
        if missing > cells.null_count:
            survey.count_words(cells.filter(pa.array(np.isnan(value))))
        if present := len(value) - missing:
            self.state = "numbers"
            for name, n in (("present", present), ("number", present), ("unit ", present), ("boolean", truth)):
                survey.counts[name] += n
        survey.rows += len(value)
        self.chunks.append(value)

    def add_texts(self, cells: Any) -> None:
        """Keep cells that are not all plain numbers, Arrow texts."""
        cells = cells.combine_chunks() if isinstance(cells, pa.ChunkedArray) else cells
        if self.state == "numbers":
            self.lose()
        if self.state == "lost":
            self.survey.update(cells)
            return
        if self.state == "open":
            self.state = "names"
            self.chunks = [np.full(len(chunk), -1, np.int8) for chunk in self.chunks]
        found = cells.dictionary_encode()
        codes = pc.fill_null(found.indices, -1).to_numpy(zero_copy_only=False)
        self.fresh.append((len(self.chunks), found.dictionary))
        self.chunks.append(codes.astype(_smallest(len(found.dictionary))))
        self.survey.rows += len(cells)
        self.size += len(found.dictionary)
        if self.size > 2 * len(self.texts) + MOST_TEXTS:
            self.join()
            if len(self.texts) > MOST_TEXTS:
                self.lose()

    def join(self) -> None:
        """Let the codes of all chunks stand for the same texts."""
        if not len(self.texts) and len(self.fresh) == 1:
            self.texts = self.fresh[0][1]
        elif self.fresh:
            joined = pa.concat_arrays([self.texts, *(texts for _, texts in self.fresh)]).dictionary_encode()
            places = joined.indices.to_numpy(zero_copy_only=False).astype(_smallest(len(joined.dictionary)))
            start = len(self.texts)
            for k, texts in self.fresh:
                place = np.append(places[start : start + len(texts)], places.dtype.type(-1))
                self.chunks[k] = place[self.chunks[k]]  # -1 stays -1
                start += len(texts)
            self.texts = joined.dictionary
        self.fresh, self.size = [], len(self.texts)

    def lose(self) -> None:
        """Keep no cells but those that an error may have to name; the survey goes on."""
        survey = self.survey
        if self.state == "numbers":
            first = self._first_numbers()
            survey.examples |= {"of unit ": first, "not date": first}
        elif self.state == "names":
            self.join()
            survey_names([self])
            survey.examples |= {name: survey.cells(name) for name in survey.later}
            survey.later = {}
        self.state, self.chunks, self.texts = "lost", [], NO_TEXTS

    def _first_numbers(self) -> list[tuple[int, str]]:
        kept: list[tuple[int, str]] = []
        row = 0
        for chunk in self.chunks:
            places = np.flatnonzero(~np.isnan(chunk))[: SHOWN - len(kept)]
            kept += [
                (row + int(k), text) for k, text in zip(places, float_texts(chunk[places]).to_pylist(), strict=True)
            ]
            row += len(chunk)
            if len(kept) == SHOWN:
                break
        return kept


def cache_block(columns: Sequence[CachedColumn], block: pa.Table) -> None:
    """Keep the cells of a block.

    columns: one for each column of the block, in the same order.
    block: columns of texts.
    """
    if not block.num_rows or not columns:
        return
    left = dict.fromkeys(range(len(columns)))
    able = [k for k, column in enumerate(columns) if column.may_be_numbers]
    for some, found in doubles_of_block(block, able, columns[0].survey.missing):
        value = found + 0.0  # no negative zero
        missing = np.isnan(value).sum(axis=1).tolist()
        truth = ((value == 0) | (value == 1)).sum(axis=1).tolist()
        for k, column in enumerate(some):
            columns[column].add_numbers(value[k], missing[k], truth[k], block.column(column))
            del left[column]
    for k in left:
        columns[k].add_texts(block.column(k))


def _smallest(texts: int) -> type[np.signedinteger[Any]]:
    """The smallest type for codes of so many texts."""
    return np.int8 if texts < 1 << 7 else np.int16 if texts < 1 << 15 else np.int32
