"""The distributions of several columns of one form beside each other, which remember what they said of a value.

Training asks for the normal scores of the same numbers in every epoch. They do not depend on any weight.
"""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy
from typing import Any

import torch
from torch import Tensor

from chainrule.heads.marginal import Marginal

__all__ = ["KnownMarginals"]

MOST = 1 << 20  # values that are remembered
PARTS = 4  # low, high, width, ln p


class KnownMarginals:
    """Marginals of columns, read at numbers with the columns as the first axis, shape (C, B).

    marginals: of each column.

    >>> known = KnownMarginals([Marginal(None), Marginal(None)])
    >>> x = torch.tensor([[0.0, 1.0, 0.0], [2.0, 3.0, 2.0]]).double()
    >>> torch.equal(known.at(x)[0][1], Marginal(None).scores(x[1])[0])
    True
    """

    def __init__(self, marginals: Sequence[Marginal]) -> None:
        self.marginals = list(marginals)
        self._forget(None)

    def __deepcopy__(self, memo: dict[int, Any]) -> KnownMarginals:
        return KnownMarginals(deepcopy(self.marginals, memo))

    def _forget(self, state: Any) -> None:
        self.state = state
        self.value, self.said = torch.zeros(0, 0).double(), torch.zeros(PARTS, 0, 0).double()
        self.waiting: list[tuple[Tensor, Tensor]] = []

    def at(self, x: Tensor) -> Tensor:
        """The normal scores of both ends of what numbers stand for, how far they are apart, and ln p, (4, C, B)."""
        x = x.contiguous()
        state = [(m.centre.data_ptr(), m.centre._version, m.share._version) for m in self.marginals]
        if state != self.state:
            self._forget(state)
        if self.value.shape[-1]:
            place = torch.searchsorted(self.value, x).clamp(max=self.value.shape[-1] - 1)
            if bool((self.value.gather(1, place) == x).all()):
                return self.said.gather(2, place.expand(PARTS, -1, -1))
        said = torch.stack([torch.stack(self._of(d, values)) for d, values in enumerate(x)], 1)
        self._remember(x, said)
        return said

    def _of(self, d: int, values: Tensor) -> tuple[Tensor, ...]:
        marginal = self.marginals[d]
        return *marginal.scores(values), marginal.log_prob(values)

    def _remember(self, x: Tensor, said: Tensor) -> None:
        """Keep what was said of numbers; they are sorted in where they are as many as those before."""
        self.waiting.append((x, said))
        number = sum(values.shape[-1] for values, _ in self.waiting)
        if number < self.value.shape[-1]:
            return
        kept = [(self.value.to(x.device), self.said.to(x.device))] if self.value.numel() else []
        parts, self.waiting = [*kept, *self.waiting], []
        value, order = torch.cat([values for values, _ in parts], -1).sort(-1)
        if value.numel() <= MOST:
            said = torch.cat([each for _, each in parts], -1)
            self.value, self.said = value, said.gather(2, order.expand(PARTS, -1, -1))
