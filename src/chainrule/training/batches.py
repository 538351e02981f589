"""The order of the data: a pure function of (seed, epoch, position), so that resuming needs no state."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from chainrule.batch import Batch, Rows
from chainrule.data.examples.base import Examples
from chainrule.data.examples.in_batches import in_batches
from chainrule.training.objective import Objective

__all__ = ["batches", "by_length", "data_count", "position_of"]

CHUNK = 1024  # rows that are read at once to count them
BUCKET = 32  # batches whose examples are sorted by length


def batches(
    examples: Examples,
    batch_size: int,
    seed: int,
    first_step: int = 0,
    share: Callable[[Rows], Rows] = lambda rows: rows,
) -> Iterator[tuple[int, Batch]]:
    """The epoch and the batch of each of the steps first_step, first_step + 1, ..., without end.

    Each epoch is a fresh permutation and holds every example once; one batch is smaller where the numbers do not
    divide. Examples that say how long they are, in `row_lengths`, come in batches of similar lengths.

    examples: the training data.
    batch_size: examples per step, over all processes.
    seed: seed of the permutations.
    first_step: the first step to give, from 0.
    share: from the rows of a batch to those of this process; where there are none, its batch is empty.
    """
    step = 0
    epoch = 0
    while True:
        now = examples.epoch(seed, epoch)
        count = -(-len(now) // batch_size)
        if step + count > first_step:
            random = np.random.default_rng([seed % 2**63, epoch])
            order = random.permutation(len(now))
            if (lengths := now.row_lengths) is not None:
                order = by_length(order, lengths, batch_size, random)
            for position in range(max(0, first_step - step), count):
                rows = order[position * batch_size : (position + 1) * batch_size]
                mine = share(rows)
                yield epoch, now.batch(mine) if len(mine) else now.batch(rows[:1])[:0]
        step += count
        epoch += 1


def position_of(examples: Examples, batch_size: int, seed: int, step: int) -> tuple[int, int, int]:
    """The epoch of a step, its batch in the epoch, both from 0, and the number of batches of the epoch.

    >>> from chainrule.data.examples.arrays import ArrayExamples
    >>> position_of(ArrayExamples(np.zeros((10, 1), int)), 4, seed=0, step=7)
    (2, 1, 3)
    """
    epoch = 0
    while step >= (count := -(-len(examples.epoch(seed, epoch)) // batch_size)):
        epoch, step = epoch + 1, step - count
    return epoch, step, count


def data_count(examples: Examples, normalisation: str) -> int:
    """N_data: the number of examples, or of scored elements, of an epoch, by which a prior is divided.

    >>> from chainrule.data.examples.arrays import ArrayExamples
    >>> data_count(ArrayExamples(np.zeros((10, 3), int)), "per_element")
    30
    """
    return Objective(normalisation).count(batch for _, batch in in_batches(examples, CHUNK))


def by_length(order: Rows, lengths: Rows, batch_size: int, random: np.random.Generator) -> Rows:
    """The same rows in another order, in which the examples of a batch have similar lengths: little padding.

    Stretches of the permutation are sorted by length and cut into batches, and the full batches are shuffled.

    >>> order = by_length(np.arange(6), np.array([1, 9, 1, 9, 2, 8]), 2, np.random.default_rng(0))
    >>> sorted(sorted(batch.tolist()) for batch in order.reshape(3, 2))
    [[0, 2], [1, 3], [4, 5]]
    """
    if len(order) == 0 or lengths.min() == lengths.max():
        return order
    stretches = [order[start : start + BUCKET * batch_size] for start in range(0, len(order), BUCKET * batch_size)]
    order = np.concatenate([stretch[np.argsort(lengths[stretch], kind="stable")] for stretch in stretches])
    full = len(order) // batch_size
    shuffled = order[: full * batch_size].reshape(full, batch_size)[random.permutation(full)]
    return np.concatenate([shuffled.ravel(), order[full * batch_size :]])
