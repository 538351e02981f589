"""Accounting of data: every row once, in order, the same alone as in a batch, scored from its start to its end."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from chainrule.batch import Batch
from chainrule.data.examples.in_batches import in_batches
from chainrule.domain import Domain
from chainrule.verification.certificate.check import Check, skipped

if TYPE_CHECKING:
    from chainrule.data.examples.base import Examples

__all__ = ["counted"]

MOST = 1 << 22  # elements of the data that are looked at
ALONE = 48  # rows that are looked at alone


def counted(examples: Examples | None, domain: Domain | None, size: int = 256) -> Check:
    """Every row comes once and in order, alone as in a batch, its first element is scored and its end, without holes.

    examples: the data; None for none.
    domain: what the elements may be, which says whether there is an end.
    size: rows per batch.
    """
    name = "accounting.examples"
    if examples is None:
        return skipped(name, "no data was given")
    faults: list[str] = []
    owner, windows, stride = _declared(examples)
    seen, looked, digests, scored = 0, 0, Seen(), []
    for rows, batch in in_batches(examples, size):
        seen += len(batch)
        looked += batch.x.numel()
        if len(batch) != len(rows):
            faults.append(f"{len(batch)} rows came for the {len(rows)} asked for, from row {rows[0]} on")
            break
        faults += _faults_of_masks(rows, batch, owner, windows)
        scored.append(batch.mask.sum(1).numpy())
        if (end := _end_of(domain)) is not None and not windows:
            faults += _faults_of_ends(rows, batch, end, owner)
        digests.add(rows, batch)
        if len(faults) > 4 or looked > MOST:
            break
    if seen != len(examples) and looked <= MOST and not faults:
        faults.append(f"{seen} rows came, {len(examples)} were announced")
    if not faults and scored and stride is not None:
        faults += _faults_of_windows(stride, np.concatenate(scored), owner)
    faults += [] if faults else _faults_alone(examples, digests)
    part = f"{seen} of {len(examples)} rows" if seen != len(examples) else f"{len(examples)} rows"
    return Check.of(
        name, float(len(faults)), 0.0, f"{part}, {min(ALONE, len(examples))} of them alone", "; ".join(faults[:2])
    )


def _declared(examples: Examples) -> tuple[np.ndarray | None, bool, int | None]:
    """The owner of each row, whether rows are windows of something longer, and the stride of these.

    A user's examples may not say; then there is no owner, no window and no stride.
    """
    owner, sizes = getattr(examples, "owner", None), getattr(examples, "windows", None)
    windows = getattr(examples, "is_stream", False) or sizes is not None
    return owner, bool(windows), None if sizes is None else sizes[1]


def _end_of(domain: Domain | None) -> int | None:
    return domain.end if domain is not None and domain.variable_length else None


def _faults_of_masks(rows: np.ndarray, batch: Batch, owner: np.ndarray | None, windows: bool) -> list[str]:
    """Rows without a scored element, with a hole, or without their first element."""
    mask = batch.mask
    faults = [f"row {rows[n]} has no scored element" for n in (~mask.any(1)).nonzero().flatten().tolist()]
    starts = (mask & ~torch.cat([torch.zeros_like(mask[:, :1]), mask[:, :-1]], 1)).sum(1)
    faults += [f"the mask of row {rows[n]} has a hole" for n in (starts > 1).nonzero().flatten().tolist()]
    first = np.ones(len(rows), dtype=bool)
    if owner is not None:
        first = np.array([r == 0 or owner[r] != owner[r - 1] for r in rows.tolist()])
    elif windows:
        first = rows == 0
    late = (~mask[:, 0]).numpy() & first
    return faults + [f"the first element of row {rows[n]} is not scored" for n in np.flatnonzero(late)]


def _faults_of_ends(rows: np.ndarray, batch: Batch, end: int, owner: np.ndarray | None) -> list[str]:
    """Rows whose last scored element is not the end."""
    last = batch.mask.shape[1] - 1 - batch.mask.flip(1).int().argmax(1)
    ends = batch.x[torch.arange(len(batch)), last] == end
    final = np.ones(len(rows), dtype=bool)
    if owner is not None:
        final = np.array([r + 1 == len(owner) or owner[r + 1] != owner[r] for r in rows.tolist()])
    lacking = np.flatnonzero(~ends.numpy() & final)
    return [f"row {rows[n]} does not end with the end {end} being scored" for n in lacking]


def _faults_of_windows(stride: int, scored: np.ndarray, owner: np.ndarray | None) -> list[str]:
    """Windows that score more elements than they move on by, or fewer, beside the first and the last of an example.

    stride: elements that windows move on by.
    scored: number of scored elements of each row.
    owner: the example that each row belongs to; None for one example, or one text.
    """
    of = np.zeros(len(scored), np.int64) if owner is None else owner[: len(scored)]
    faults = []
    for wrong, what in ((scored > stride, "more"), (scored < stride, "fewer")):
        rows = np.flatnonzero(wrong)
        again = rows[1:][np.diff(np.sort(of[rows])) == 0] if len(rows) > 1 else rows[:0]
        if len(again):
            row = again[-1]
            faults.append(f"row {row} scores {scored[row]} elements, {what} than the {stride} that windows move on by")
    return faults


class Seen:
    """Some of the rows as they came in the batches of the whole pass, by their number."""

    def __init__(self) -> None:
        self.rows: dict[int, Batch] = {}

    def add(self, rows: np.ndarray, batch: Batch) -> None:
        """Keep the ends and the middle of a batch."""
        for place in dict.fromkeys((0, 1, len(rows) // 2, len(rows) - 2, len(rows) - 1)):
            if 0 <= place < len(rows):
                self.rows[int(rows[place])] = batch[place : place + 1]

    def some(self, most: int = 64) -> list[int]:
        """The numbers of some of these rows, the first and the last among them."""
        numbers = list(self.rows)
        return [numbers[(len(numbers) - 1) * k // (most - 1)] for k in range(most)] if len(numbers) > most else numbers


def _faults_alone(examples: Examples, seen: Seen) -> list[str]:
    """Rows that are other alone than in a batch, in their elements, mask, counts or place, or other the second time."""
    n = len(examples)
    if not n:
        return []
    numbers = np.unique(np.linspace(0, n - 1, min(ALONE, n)).astype(np.int64))
    shuffled = np.random.default_rng(0).permutation(numbers)
    together = examples.batch(shuffled)
    if len(together) != len(shuffled):
        return [f"{len(together)} rows came for {len(shuffled)} asked for"]
    in_batches = {int(number): together[place : place + 1] for place, number in enumerate(shuffled)}
    for number in dict.fromkeys([*in_batches, *seen.some()]):
        alone = examples.batch(np.array([number]))
        if len(alone) != 1:
            return [f"{len(alone)} rows came for row {number} alone"]
        others = (
            (in_batches.get(number), f"in a batch of {len(shuffled)}"),
            (seen.rows.get(number), "in the pass over all rows"),
            (examples.batch(np.array([number])), "the second time"),
        )
        for here, where in others:
            for word in ("x", "mask", "dims", "bytes", "context"):
                a, b = _field(alone, word), None if here is None else _field(here, word)
                if a is not None and b is not None and not _same(a, b):
                    return [f"row {number} has other {word} alone than {where}"]
    return []


def _field(batch: Batch, word: str) -> Tensor | None:
    """A field of a batch, without its padding."""
    width = int(batch.mask.any(0).nonzero().max()) + 1 if bool(batch.mask.any()) else batch.x.shape[1]
    cut = {"x": batch.x[:, :width], "mask": batch.mask[:, :width]}
    return (cut | {"dims": batch.dims, "bytes": batch.bytes, "context": batch.context})[word]


def _same(a: Tensor, b: Tensor) -> bool:
    return a.shape == b.shape and torch.equal(a.double().nan_to_num(), b.double().nan_to_num())
