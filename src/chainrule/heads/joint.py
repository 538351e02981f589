"""What the features of `JointGaussians` mean: the distribution of an element under two mixtures of classes."""

from __future__ import annotations

from math import log

import torch
from torch import Tensor
from torch.nn import functional as F

from chainrule.domain import Column
from chainrule.errors import InputError
from chainrule.heads.average import Average
from chainrule.heads.base import Distribution, Head
from chainrule.heads.bernoulli import Bernoulli
from chainrule.heads.categorical import Categorical
from chainrule.heads.gaussian_mixture import GaussianMixture
from chainrule.heads.marginal import Marginal
from chainrule.heads.missing import Missing
from chainrule.heads.scores import Scores

__all__ = ["JointGaussiansHead"]

MOST_SCORE = 6.0  # mean of normal scores
SCORE_SCALES = (-12.0, log(1.5))  # ln of a scale of theirs: wider ones leave mass where no number is exact
MOST_UNITS = 1e6  # mean of numbers in standard deviations of the column
SCALES = (-12.0, 1.0)  # ln of a scale


class JointGaussiansHead(Head):
    """Of a number the average of `Scores` and `GaussianMixture`, of a symbol that of the classes' pmf. No parameters.

    features: 6K + 2, see `JointGaussians`.
    column: what the element may be.

    >>> head = JointGaussiansHead(8, Column(None, resolution=0.5))
    >>> head(torch.zeros(3, 8)).log_prob(torch.tensor([0.0, 0.5, 9.0])).shape
    torch.Size([3])
    """

    log_pmf: Tensor
    centre: Tensor
    spread: Tensor

    def __init__(self, features: int, column: Column) -> None:
        if features < 8 or features % 6 != 2:
            raise InputError(f"of K classes there are 6 K + 2 features, got {features}")
        symbols = 0 if column.num_symbols is None else column.num_symbols + column.missing
        super().__init__(features, symbols or None)
        self.column, self.classes = column, (features - 2) // 6
        self.marginal = None if symbols else Marginal(column.resolution, column.count)
        even = torch.full((2, self.classes, max(1, symbols)), -log(max(1, symbols)), dtype=torch.float64)
        self.register_buffer("log_pmf", even)
        self.register_buffer("centre", torch.zeros((), dtype=torch.float64))
        self.register_buffer("spread", torch.ones((), dtype=torch.float64))

    def forward(self, h: Tensor) -> Distribution:
        parts = h[..., :-2].double().unflatten(-1, (6, self.classes)).unbind(-2)  # type: ignore[no-untyped-call]
        gate, present = h[..., -2].double(), h[..., -1].double()
        shares = [F.logsigmoid(gate), F.logsigmoid(-gate)]
        if self.marginal is None:
            logs = [
                (weight.log_softmax(-1).unsqueeze(-1) + table).logsumexp(-2)
                for weight, table in zip((parts[0], parts[3]), self.log_pmf, strict=True)
            ]
            return Categorical(torch.logaddexp(shares[0].unsqueeze(-1) + logs[0], shares[1].unsqueeze(-1) + logs[1]))
        mean, scale = parts[1].clamp(-MOST_SCORE, MOST_SCORE), parts[2].clamp(*SCORE_SCALES)
        value: Distribution = Scores(parts[0], mean, scale, self.marginal)
        if not self.column.count:
            step = None if self.column.resolution is None else torch.tensor(self.column.resolution, device=h.device)
            mean, scale = parts[4].clamp(-MOST_UNITS, MOST_UNITS), parts[5].clamp(*SCALES)
            numbers = GaussianMixture(parts[3], mean, scale, self.centre, self.spread, step)
            value = Average([value, numbers], shares)
        return Missing(Bernoulli(present), value) if self.column.missing else value

    def initialise(self, x: Tensor) -> None:
        """Take the column's own distribution and units from elements of any shape, NaN where one is missing."""
        if self.marginal is not None:
            for buffer, found in zip((self.centre, self.spread), self.marginal.fit_there(x), strict=True):
                buffer.copy_(found)
