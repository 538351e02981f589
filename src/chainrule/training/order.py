"""The order of the data: a pure function of (seed, epoch, position), so that resuming needs no state."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from chainrule.batch import Batch
from chainrule.data.base import Examples

__all__ = ["batches"]


def batches(examples: Examples, batch_size: int, seed: int, first_step: int = 0) -> Iterator[tuple[int, Batch]]:
    """The epoch and the batch of steps first_step, first_step + 1, ..., without end.

    Each epoch is a fresh permutation and holds every example once; its last batch is smaller where the numbers do not
    divide.
    """
    step = 0
    epoch = 0
    while True:
        now = examples.epoch(seed, epoch)
        count = -(-len(now) // batch_size)
        if step + count > first_step:
            order = np.random.default_rng([seed % 2**63, epoch]).permutation(len(now))
            for position in range(max(0, first_step - step), count):
                yield epoch, now.batch(order[position * batch_size : (position + 1) * batch_size])
        step += count
        epoch += 1
