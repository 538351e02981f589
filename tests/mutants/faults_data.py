"""Data whose accounting is wrong."""

from __future__ import annotations

import numpy as np
import torch

from chainrule import AutoregressiveModel, Batch, CategoricalHead, CausalConv
from tests.mutants.case import fault
from tests.mutants.parts import Rows, data, seeded


@fault("data: only the first example scores its first element", "data")
@data
class _(Rows):
    def bend(self, mask, x, numbers):
        mask[:, 0] = torch.from_numpy(numbers == 0)
        return mask


@fault("data: a batch comes sorted by length", "data")
def _():
    class Sorted(Rows):
        """The rows are not in the order in which they were asked for, so that scores go to the wrong examples."""

        def rows(self, numbers):
            return sorted(super().rows(numbers), key=len)

    made = seeded(lambda: AutoregressiveModel(CausalConv(8, 24, 16, depth=3), CategoricalHead(16, 8)))
    return made, {"examples": Sorted(), "domain": Rows.domain}


@fault("data: dims count the padding", "data")
def _():
    class Padded(Rows):
        def batch(self, numbers):
            batch = super().batch(numbers)
            return Batch(batch.x, batch.mask, dims=torch.full((len(batch),), batch.x.shape[1]))

    made = seeded(lambda: AutoregressiveModel(CausalConv(8, 24, 16, depth=3), CategoricalHead(16, 8)))
    return made, {"examples": Padded(), "domain": Rows.domain}


class Stretches:
    """Windows of a text that overlap: the second half of each is scored, of the first one all."""

    is_stream, windows, given = True, (24, 12), 12

    def __len__(self):
        return 40

    def batch(self, numbers):
        numbers = torch.as_tensor(np.asarray(numbers))
        place = 12 * numbers[:, None] + torch.arange(24)
        mask = (torch.arange(24) >= self.given) | (numbers[:, None] == 0)
        return Batch((place * place // 7) % 8, mask)


class Twice(Stretches):
    """What overlaps is scored twice."""

    given = 0


class Gaps(Stretches):
    """Some elements are scored by no window."""

    given = 15


def stretches(kind):
    made = seeded(lambda: AutoregressiveModel(CausalConv(8, 24, 16, depth=2), CategoricalHead(16, 8)))
    return made, {"examples": kind()}


fault("data: windows that overlap score the overlap twice", "data")(lambda: stretches(Twice))
fault("data: windows that overlap leave some elements out", "data")(lambda: stretches(Gaps))
