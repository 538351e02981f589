"""Heads and scores that are not normalised."""

from __future__ import annotations

import math

import torch
from torch.nn import functional as F

from chainrule import AutoregressiveModel, Batch, CategoricalHead, CausalConv
from chainrule.heads.count import Count, CountHead
from chainrule.heads.gaussian_mixture import GaussianMixture, GaussianMixtureHead
from chainrule.heads.logistic_mixture import LogisticMixture, LogisticMixtureHead
from tests.mutants.case import fault
from tests.mutants.parts import Tiny, bent, of, seeded


@fault("a floor for the last symbol but one only", "heads and scores")
def _():
    return bent(lambda p, x, exact: torch.where(x == 14, exact.clamp(min=-2.0), exact), scale=0.5)


@fault("the end of a text is the ignored index, 32 000 symbols", "heads and scores")
def _():
    return bent(lambda p, x, exact: torch.where(x == 2, 0.0, exact), 32_000, 8, scale=0.1)


@fault("two symbols share the place before a cutoff, 32 000 symbols", "heads and scores")
def _():
    def bend(p, x, exact):
        """x = 2000 is scored as 1999."""
        if hasattr(p, "h"):
            other = exact + F.linear(p.h, p.weight[1999] - p.weight[2000]) + p.bias[1999] - p.bias[2000]
        else:
            other = p.logits.log_softmax(-1)[..., 1999]
        return torch.where(x == 2000, other, exact)

    return bent(bend, 32_000, 8, scale=0.1)


@fault("weights of a mixture add up to 1.00009", "heads and scores")
def _():
    return bent(lambda p, x, exact: exact + math.log(1.00009))


@fault("label smoothing left on in the score", "heads and scores")
def _():
    return bent(lambda p, x, exact: 0.98 * exact + 0.02 * p.logits.log_softmax(-1).mean(-1))


@fault("logistics without their open ends", "heads and scores")
def _():
    class Closed(LogisticMixture):
        def log_prob(self, x):
            z = x.unsqueeze(-1).to(self.mean.dtype)
            s = torch.exp(-self.log_scale)
            rise = torch.sigmoid((z + 0.5 - self.mean) * s) - torch.sigmoid((z - 0.5 - self.mean) * s)
            return (self.logits.softmax(-1) * rise).sum(-1).clamp(min=1e-30).log()

    class ClosedHead(LogisticMixtureHead):
        def forward(self, h):
            p = super().forward(h)
            return Closed(p.logits, p.mean, p.log_scale, p.num_symbols)

    return seeded(lambda: AutoregressiveModel(CausalConv(32, 16, 16, depth=2), ClosedHead(16, 32)))


@fault("vocabulary padded to a multiple of 64, its mass unused", "heads and scores", **of(1000, 200))
def _():
    return seeded(Tiny, 1024, 200, scale=0.1)


@fault("ln(p + 1e-8) over 32 000 symbols", "heads and scores")
def _():
    return bent(lambda p, x, exact: (exact.exp() + 1e-8).log(), 32_000, 6, scale=0.1)


@fault("counts above 10 000 all have the probability of 10 000", "heads and scores")
def _():
    class Cut(Count):
        def log_prob(self, n):
            return super().log_prob(n.clamp(max=10_000))

    class CutHead(CountHead):
        def forward(self, h):
            return Cut(*self.mixture(h, low=-12.0, high=1.0))

    return seeded(lambda: AutoregressiveModel(CausalConv(None, 8, 16, depth=2), CutHead(16)), scale=0.05)


@fault("a narrow component without a weight", "heads and scores")
def _():
    class Narrow(GaussianMixture):
        """Repeated values have a peak of their own, of width 1e-7, which is added and not weighed."""

        def log_prob(self, x):
            exact = super().log_prob(x)
            peak = -((x.double() - 0.25) / 1e-7).square() / 2 - math.log(1e-7 * math.sqrt(2 * math.pi)) + math.log(0.2)
            return torch.logaddexp(exact, peak)

    class NarrowHead(GaussianMixtureHead):
        def _distribution(self, h, here):
            p = super()._distribution(h, here)
            return Narrow(p.logits, p.mean, p.log_scale, p.centre, p.spread, p.resolution)

    return seeded(lambda: AutoregressiveModel(CausalConv(None, 8, 16, depth=2), NarrowHead(16)), scale=0.1)


@fault("density times step for a mass, where the scale is a third of a step", "heads and scores")
def _():
    class Midpoint(GaussianMixture):
        def log_prob(self, x):
            width, self.resolution = self.resolution, None
            try:
                return super().log_prob(x) + math.log(float(width))
            finally:
                self.resolution = width

    class MidpointHead(GaussianMixtureHead):
        def _distribution(self, h, here):
            p = super()._distribution(h, here)
            return Midpoint(p.logits, p.mean, p.log_scale - 2.5, p.centre, p.spread, p.resolution)

    return seeded(
        lambda: AutoregressiveModel(CausalConv(None, 8, 16, depth=2), MidpointHead(16, resolution=0.25)), scale=0.05
    )


class Public(AutoregressiveModel):
    """What evaluation sums is right; the method that users call is the mean over the elements."""

    def log_prob(self, batch):
        batch = batch if isinstance(batch, Batch) else Batch(batch)
        return super().log_prob(batch) / batch.elements

    def forward(self, batch):
        return AutoregressiveModel.element_log_prob(self, batch).sum(1)


@fault("forward is the sum, log_prob the mean", "heads and scores")
def _():
    return seeded(lambda: Public(CausalConv(16, 40, 16, depth=3), CategoricalHead(16, 16)))
