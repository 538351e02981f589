"""What the features of `Kernels` mean: the distribution of an element under kernels at the rows."""

from __future__ import annotations

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
from chainrule.heads.joint import MOST_UNITS, SCALES
from chainrule.heads.marginal import Marginal
from chainrule.heads.missing import Missing
from chainrule.heads.scores import Scores

__all__ = ["KernelsHead"]

MOST_LOGIT = 700.0
LEAST_MASS = 1e-12  # of a symbol


class KernelsHead(Head):
    """Of a number the kernels, averaged with the distribution of the column; of a symbol their pmf. No parameters.

    The column's own distribution has long tails, so that no number is impossible.

    features: 3 G J + 2, see `Kernels`.
    column: what the element may be.
    levels: J, number of widths of the kernels.

    >>> head = KernelsHead(26, Column(None, resolution=0.5), levels=2)
    >>> head(torch.zeros(3, 26)).log_prob(torch.tensor([0.0, 0.5, 9.0])).shape
    torch.Size([3])
    """

    centre: Tensor
    spread: Tensor
    log_pmf: Tensor

    def __init__(self, features: int, column: Column, levels: int = 1) -> None:
        if features < 3 * levels + 2 or (features - 2) % (3 * levels):
            raise InputError(f"of G groups and {levels} levels there are {3 * levels} G + 2 features, got {features}")
        symbols = 0 if column.num_symbols is None else column.num_symbols + column.missing
        super().__init__(features, symbols or None)
        self.column, self.levels, self.components = column, levels, (features - 2) // 3
        self.marginal = None if symbols else Marginal(column.resolution, column.count)
        even = torch.full((self.components if symbols else 1, max(1, symbols)), 1.0 / max(1, symbols)).double().log()
        self.register_buffer("log_pmf", even)
        self.register_buffer("centre", torch.zeros((), dtype=torch.float64))
        self.register_buffer("spread", torch.ones((), dtype=torch.float64))

    def forward(self, h: Tensor) -> Distribution:
        parts = h[..., :-2].double().unflatten(-1, (3, self.components)).unbind(-2)  # type: ignore[no-untyped-call]
        gate, present = (h[..., place].double().clamp(-MOST_LOGIT, MOST_LOGIT) for place in (-2, -1))
        if self.marginal is None:
            pmf = parts[0].softmax(-1) @ self.log_pmf.exp()
            return Categorical(pmf.clamp(min=LEAST_MASS).log())
        zero = torch.zeros_like(gate).unsqueeze(-1)
        usual: Distribution = Scores(zero, zero, zero, self.marginal)
        scale = parts[2].clamp(*SCALES)
        kernels: Distribution
        if self.column.count:
            kernels = Scores(parts[0], parts[1].clamp(-6.0, 6.0), scale.clamp(max=0.0), self.marginal)
        else:
            step = None if self.column.resolution is None else torch.tensor(self.column.resolution, device=h.device)
            mean = parts[1].clamp(-MOST_UNITS, MOST_UNITS)
            kernels = GaussianMixture(parts[0], mean, scale, self.centre, self.spread, step)
        value = Average([kernels, usual], [F.logsigmoid(gate), F.logsigmoid(-gate)])
        return Missing(Bernoulli(present), value) if self.column.missing else value

    def initialise(self, x: Tensor) -> None:
        """Take the column's own distribution and units from elements of any shape, NaN where one is missing."""
        if self.marginal is not None:
            for buffer, found in zip((self.centre, self.spread), self.marginal.fit_there(x), strict=True):
                buffer.copy_(found)
