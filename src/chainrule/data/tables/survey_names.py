"""The survey of columns whose different texts are known, all columns together: each text is looked at once."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from functools import partial
from typing import Any, Protocol

import numpy as np
import pyarrow as pa

from chainrule.data.examples.base import Array
from chainrule.data.tables.cells import is_missing
from chainrule.data.tables.survey import SHOWN, Survey, classes_of

__all__ = ["Coded", "counts_of", "first_cells", "survey_names"]


class Coded(Protocol):
    """A column whose cells are codes.

    survey: what its cells are.
    chunks: codes of each block, -1 where a cell is null.
    texts: what they stand for, an Arrow array of different texts.
    """

    survey: Survey
    chunks: list[Array]
    texts: Any


def survey_names(columns: Sequence[Coded]) -> None:
    """Complete the surveys of columns: counts of each class of cells, and where its first cells are."""
    groups: dict[Any, list[Coded]] = defaultdict(list)
    for column in columns:
        survey = column.survey
        groups[survey.missing, survey.decimal, survey.thousands, survey.as_text].append(column)
    for group in groups.values():
        _survey_alike(group)


def _survey_alike(columns: Sequence[Coded]) -> None:
    first = columns[0].survey
    texts = pa.concat_arrays([column.texts for column in columns])
    edges = np.cumsum([0, *(len(column.texts) for column in columns)])
    count = np.concatenate([counts_of(column) for column in columns])
    gone = is_missing(texts, first.missing).to_numpy(zero_copy_only=False)
    for place in np.flatnonzero(gone).tolist():
        column = columns[int(np.searchsorted(edges, place, side="right")) - 1]
        column.survey.words[texts[place].as_py().strip()] += int(count[place])
    _add(columns, "present", _sums(np.where(gone, 0, count), edges))
    if first.as_text or gone.all():
        return
    different = texts.filter(pa.array(~gone)).dictionary_encode()
    codes = np.full(len(texts), len(different.dictionary))
    codes[~gone] = different.indices.to_numpy(zero_copy_only=False)
    counted, kept = classes_of(different.dictionary, first.decimal, first.thousands)
    for name, found in counted.items():
        _add(columns, name, _sums(np.where(np.append(found, False)[codes], count, 0), edges))
    for name, found in kept.items():
        there = np.append(found, False)[codes]
        for k in np.flatnonzero(_sums(there, edges)).tolist():
            column = columns[k]
            column.survey.later[name] = partial(first_cells, column, there[edges[k] : edges[k + 1]])


def _add(columns: Sequence[Coded], name: str, counts: Array) -> None:
    for k in np.flatnonzero(counts).tolist():
        columns[k].survey.counts[name] += int(counts[k])


def counts_of(column: Coded) -> Array:
    """How often each text occurs."""
    total = np.zeros(len(column.texts) + 1, np.int64)
    for chunk in column.chunks:
        total += np.bincount(chunk + np.int64(1), minlength=len(total))
    return total[1:]


def _sums(x: Array, edges: Array) -> Array:
    """The sums of the stretches between the edges."""
    until = np.append(0, np.cumsum(x, dtype=np.int64))
    return np.asarray(until[edges[1:]] - until[edges[:-1]])


def first_cells(column: Coded, found: Array) -> list[tuple[int, str]]:
    """The first cells whose texts were found, with their rows. found: of each text."""
    kept: list[tuple[int, str]] = []
    row, there = 0, np.append(found, False)
    for chunk in column.chunks:
        for k in np.flatnonzero(there[chunk])[: SHOWN - len(kept)]:
            kept.append((row + int(k), column.texts[int(chunk[k])].as_py()))
        row += len(chunk)
        if len(kept) == SHOWN:
            break
    return kept
