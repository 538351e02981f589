"""The profiles of columns that one pass over a table kept, very many of them together."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from chainrule.data.examples.base import Array
from chainrule.data.tables.cached_columns import CachedColumn
from chainrule.data.tables.cells import Spelling, canonical
from chainrule.data.tables.column_kinds import KEPT, Profile
from chainrule.data.tables.number_cells import float_texts
from chainrule.domain import detect_resolutions

__all__ = ["NumberCounts", "canonical_texts", "name_profile", "number_profiles"]

CELLS = 1 << 20  # of columns that are looked at together


class NumberCounts(Mapping[str, int]):
    """The counts of numbers by their canonical text, which is written when somebody asks for it.

    values: the different numbers, rising.
    counts: how often each occurs.
    """

    def __init__(self, values: Array, counts: Array) -> None:
        self.values_, self.counts_ = values, counts
        self._texts: dict[str, int] = {}

    @property
    def _written(self) -> dict[str, int]:
        if len(self._texts) < len(self.values_):
            self._texts = dict(zip(_texts(self.values_), self.counts_.tolist(), strict=True))
        return self._texts

    def __len__(self) -> int:
        return len(self.values_)

    def __iter__(self) -> Iterator[str]:
        return iter(self._written)

    def __getitem__(self, text: str) -> int:
        return self._written[text]


def _texts(x: Array) -> list[str]:
    if len(x) <= 64 and (x == np.rint(x)).all() and (np.abs(x) < 1e15).all():
        return [str(int(value)) for value in x]
    return list(float_texts(x).to_pylist())


def number_profiles(columns: Sequence[CachedColumn], spellings: Sequence[Spelling]) -> list[Profile]:
    """The profiles of columns of plain numbers.

    columns: in state "numbers".
    spellings: of each.
    """
    rows = max(1, sum(map(len, columns[0].chunks)) if columns else 1)
    size = max(1, CELLS // rows)
    found: list[Profile] = []
    for start in range(0, len(columns), size):
        some = columns[start : start + size]
        blocks = [np.stack(parts) for parts in zip(*(column.chunks for column in some), strict=True)]
        blocks = [np.concatenate(blocks, axis=1)] if size > 1 and len(blocks) > 1 else blocks
        profiles = [
            Profile(column.survey.name, spelling=spelling, date=False)
            for column, spelling in zip(some, spellings[start : start + size], strict=True)
        ]
        _ranges(profiles, blocks)
        _resolutions(profiles, blocks)
        _distinct(profiles, blocks)
        found += profiles
    return found


def _ranges(profiles: Sequence[Profile], blocks: Sequence[Array]) -> None:
    """Rows, missing values, the smallest and the largest number, and whether all are whole."""
    for block in blocks:
        gone = np.isnan(block)
        low, high = np.where(gone, np.inf, block).min(axis=1), np.where(gone, -np.inf, block).max(axis=1)
        whole = ((block == np.floor(block)) | gone).all(axis=1)
        starts = gone.any(axis=1) | (block[:, -1] - block[:, 0] == block.shape[1] - 1)
        for k, profile in enumerate(profiles):
            profile.rows += block.shape[1]
            profile.missing = "" if profile.missing is None and gone[k].any() else profile.missing
            profile.low, profile.high = min(profile.low, float(low[k])), max(profile.high, float(high[k]))
            profile.whole = profile.whole and bool(whole[k])
            profile.rising = profile.rising and bool(starts[k])
            present = block[k][~gone[k]] if profile.rising else block[k][:0]
            if len(present):
                profile.rise(present)


def _resolutions(profiles: Sequence[Profile], blocks: Sequence[Array]) -> None:
    """The steps of those numbers that are not all whole."""
    left = [k for k, profile in enumerate(profiles) if not profile.whole]
    step = np.zeros(len(left))
    for block in blocks:
        if not left:
            return
        x = block[left]
        found = detect_resolutions(np.concatenate([x, step[:, None]], axis=1))
        zero = ~np.asarray(np.nan_to_num(x).any(axis=1))
        steps = [0.0 if r is None and zero[k] else r for k, r in enumerate(found)]
        for k, r in zip(left, steps, strict=True):
            profiles[k].resolution = r
        step = np.array([r for r in steps if r is not None])
        left = [k for k, r in zip(left, steps, strict=True) if r is not None]


def _distinct(profiles: Sequence[Profile], blocks: Sequence[Array]) -> None:
    """The different numbers and their counts, as long as they are few."""
    for k, profile in enumerate(profiles):
        values, counts = np.zeros(0), np.zeros(0, np.int64)
        for block in blocks:
            x = np.sort(block[k])  # what is missing stands last
            x = x[: len(x) - int(np.isnan(x).sum())]
            begins = np.flatnonzero(np.append(True, x[1:] != x[:-1])[: len(x)])
            new, times = x[begins], np.diff(np.append(begins, len(x)))
            values, place = (new, None) if not len(values) else np.unique(np.append(values, new), return_inverse=True)
            if len(values) > KEPT:
                break
            counts = times if place is None else np.bincount(place, np.append(counts, times)).astype(np.int64)
        profile.counts = NumberCounts(values, counts) if len(values) <= KEPT else None


def name_profile(column: CachedColumn, spelling: Spelling, texts: Any, as_names: bool) -> Profile:
    """The profile of a column of codes.

    column: in state "names".
    spelling: of its cells.
    texts: canonical texts of its codes, see `canonical_texts`.
    as_names: whether it was declared to hold names.
    """
    number, date = (spelling.kind == kind and not as_names for kind in ("number", "date"))
    profile = Profile(column.survey.name, number=number, date=date, spelling=spelling, rows=column.survey.rows)
    total = np.zeros(len(texts) + 1, np.int64)
    for chunk in column.chunks:
        total += np.bincount(chunk + np.int64(1), minlength=len(total))
    gone = pc.is_null(texts).to_numpy(zero_copy_only=False)
    profile.missing = "" if total[0] or gone.any() else None
    different = texts.filter(pa.array(~gone)).dictionary_encode()
    place = different.indices.to_numpy(zero_copy_only=False)
    counts = np.bincount(place, total[1:][~gone]).astype(np.int64)
    if len(counts):
        profile.add(different.dictionary, counts)
    if profile.number and len(counts):
        x = np.full(len(texts) + 1, np.nan)
        x[:-1][~gone] = different.dictionary.cast("float64").to_numpy(zero_copy_only=False)[place]
        for chunk in column.chunks:
            present = x[chunk][~np.isnan(x[chunk])]
            if len(present) and profile.rising:
                profile.rise(present)
    return profile


def canonical_texts(columns: Sequence[CachedColumn], spellings: Sequence[Spelling]) -> list[Any]:
    """The canonical texts of the texts of columns of names, null where they are missing; alike columns together.

    columns: in state "names".
    spellings: of each.
    """
    made: list[Any] = [None] * len(columns)
    groups: dict[Spelling, list[int]] = {}
    for k, spelling in enumerate(spellings):
        groups.setdefault(spelling, []).append(k)
    for spelling, group in groups.items():
        texts = canonical(pa.concat_arrays([columns[k].texts for k in group]), spelling)
        start = 0
        for k in group:
            made[k] = texts.slice(start, len(columns[k].texts))
            start += len(columns[k].texts)
    return made
