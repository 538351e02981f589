"""Densities, grids and counts whose mass is not one, and large alphabets of which some symbols are wrong."""

from __future__ import annotations

import math

import torch

from chainrule import AutoregressiveModel, CausalConv
from chainrule.heads.adaptive_softmax import AdaptiveSoftmaxHead
from chainrule.heads.bernoulli import Bernoulli
from chainrule.heads.count import Count, CountHead
from chainrule.heads.gaussian_mixture import GaussianMixture, GaussianMixtureHead
from chainrule.heads.logistic_mixture import LogisticMixtureHead
from chainrule.heads.missing import Missing, MissingHead
from tests.mutants.case import fault
from tests.mutants.parts import Tiny, bent, of, seeded
from tests.mutants.sound_numbers import all_missing

KIND = "heads and scores"


def density(name, bend, d=8, start=None, **options):
    """A mixture of Gaussians whose log_prob is bent; bend: from the distribution, x and the exact value."""

    class Mixture(GaussianMixture):
        def log_prob(self, x):
            return bend(self, x, super().log_prob(x))

    class MixtureHead(GaussianMixtureHead):
        def _distribution(self, h, here):
            p = super()._distribution(h, here)
            return Mixture(p.logits, p.mean, p.log_scale, p.centre, p.spread, p.resolution)

    def build():
        def make():
            made = AutoregressiveModel(CausalConv(None, d, 16, depth=2), MixtureHead(16, **options))
            if start is not None:
                made.initialise(start(torch.Generator().manual_seed(1)))
            return made

        return seeded(make, scale=0.1)

    fault(f"numbers: {name}", KIND)(build)


def _peak(at, width, share):
    def bend(p, x, exact):
        peak = -((x.double() - at) / width).square() / 2 - math.log(width * math.sqrt(2 * math.pi)) + math.log(share)
        return torch.logaddexp(exact, peak)

    return bend


def _spread(g):
    return 50 + 7 * torch.randn(400, 8, generator=g)


density("a mass of a tenth at 0 beside a whole density", lambda p, x, e: torch.where(x == 0, math.log(0.1), e))
density("a mass of a tenth at 1 beside a whole density", lambda p, x, e: torch.where(x == 1, math.log(0.1), e))
density("a needle of width 1e-5 at 0 without a weight", _peak(0.0, 1e-5, 0.1))
density("a needle of width 1e-7 at 0.5 without a weight", _peak(0.5, 1e-7, 0.2))
density("a needle of width 1e-4 at 2 without a weight", _peak(2.0, 1e-4, 0.05))
density("the spread of the data is forgotten", lambda p, x, e: e + p.spread.log(), start=_spread)
density("the spread counts twice", lambda p, x, e: e - p.spread.log(), start=_spread)
density("a floor under the density", lambda p, x, e: torch.logaddexp(e, torch.full_like(e, math.log(1e-4))))
density("an outlier component without a weight", _peak(0.0, 100.0, 0.02))
density("negative values are folded and not doubled", lambda p, x, e: torch.where(x < 0, -torch.inf, e))
density(
    "negative values count as their size", lambda p, x, e: torch.where(x < 0, p.__class__.__mro__[1].log_prob(p, -x), e)
)
density("cut at one and not renormalised", lambda p, x, e: torch.where(x.abs() > 1, -torch.inf, e))
density("a mass of 1.002", lambda p, x, e: e + 0.002)
density("a density of the logarithm for that of the value", lambda p, x, e: e + x.abs().clamp(min=1e-3).log())
density("without the constant", lambda p, x, e: e + 0.5 * math.log(2 * math.pi))
density(
    "the scale of the first component for all", lambda p, x, e: e + 0.3 * (p.log_scale[..., 0] - p.log_scale[..., 1])
)
density("a clamp at minus ten", lambda p, x, e: e.clamp(min=-10))
density("a clamp at minus three hundred", lambda p, x, e: e.clamp(min=-300))
density("a ceiling at zero", lambda p, x, e: e.clamp(max=-1.0))
density("half of the step", lambda p, x, e: e - math.log(2), resolution=0.5)
density("a grid whose zero counts twice", lambda p, x, e: e + math.log(2) * (x == 0), resolution=0.5)
density("a grid whose every tenth step is too probable", lambda p, x, e: e + 0.1 * (x % 5 == 0), resolution=0.5)
density("a grid with a floor", lambda p, x, e: e.clamp(min=-12), resolution=0.5)


def counts(name, bend):
    class Bent(Count):
        def log_prob(self, n):
            return bend(self, n, super().log_prob(n))

    class BentHead(CountHead):
        def forward(self, h):
            return Bent(*self.mixture(h, low=-12.0, high=1.0))

    fault(f"counts: {name}", KIND)(
        lambda: seeded(lambda: AutoregressiveModel(CausalConv(None, 8, 16, depth=2), BentHead(16)), scale=0.05)
    )


counts("0 counts twice", lambda p, n, e: e + math.log(2) * (n == 0))
counts("counts above 1000 as 1000", lambda p, n, e: p.__class__.__mro__[1].log_prob(p, n.clamp(max=1000)))
counts("counts above a million as a million", lambda p, n, e: p.__class__.__mro__[1].log_prob(p, n.clamp(max=10**6)))
counts("a floor of -25", lambda p, n, e: e.clamp(min=-25.0))
counts("0 is inflated by a tenth beside the rest", lambda p, n, e: torch.where(n == 0, (e.exp() + 0.1).log(), e))
counts("counts above 65535 wrap around", lambda p, n, e: p.__class__.__mro__[1].log_prob(p, n % 65536))
counts("counts are scored one lower", lambda p, n, e: p.__class__.__mro__[1].log_prob(p, (n - 1).clamp(min=0)))
counts("cut at two and not renormalised", lambda p, n, e: torch.where(n > 2, -torch.inf, e))


def alphabet(name, bend, v=20_000, d=6):
    fault(f"alphabet: {name}", KIND)(lambda: bent(bend, v, d, scale=0.1))


alphabet("the begin symbol 1 is not scored", lambda p, x, e: torch.where(x == 1, 0.0, e))
alphabet("the pad symbol 0 is not scored", lambda p, x, e: torch.where(x == 0, 0.0, e))
alphabet("the last symbol is not scored", lambda p, x, e: torch.where(x == 19_999, 0.0, e))
alphabet("the last symbol but one has no floor", lambda p, x, e: torch.where(x == 19_998, e + 5, e))
alphabet("the end 50256 is not scored, 50 257 symbols", lambda p, x, e: torch.where(x == 50256, 0.0, e), v=50257, d=6)
alphabet("the end 2 is scored twice", lambda p, x, e: torch.where(x == 2, 2 * e, e))
alphabet("symbols from 10 000 on have a bonus", lambda p, x, e: e + 0.05 * (x >= 10_000))
alphabet(
    "the symbol 10 000 is scored as 9 999",
    lambda p, x, e: torch.where(x == 10_000, p.logits.log_softmax(-1)[..., 9_999] + 0.1, e),
)
alphabet(
    "half of the symbols in the normaliser",
    lambda p, x, e: e + p.logits.logsumexp(-1) - p.logits[..., ::2].logsumexp(-1),
)
alphabet(
    "symbols above 16 384 wrap around",
    lambda p, x, e: p.logits.log_softmax(-1).gather(-1, (x % 16_384).unsqueeze(-1)).squeeze(-1),
)
alphabet("1e-6 is added to p", lambda p, x, e: (e.exp() + 1e-6).log())
alphabet("a temperature of 1.01", lambda p, x, e: e / 1.01)
fault("alphabet: 1056 logits for 1000 symbols", KIND, **of(1000, 24))(lambda: seeded(Tiny, 1056, 24, scale=0.1))
fault("alphabet: one logit too many", KIND, **of(40, 24))(lambda: seeded(Tiny, 41, 24, scale=0.1))


class Cutoffs(AdaptiveSoftmaxHead):
    """The first symbol of the second cluster is scored as the last one of the head."""

    shift = 1e-2

    def forward(self, h):
        p = super().forward(h)
        exact = p.log_prob
        p.log_prob = lambda x: exact(x) + self.shift * (x >= int(self.starts[-1]))
        return p


fault("alphabet: an adaptive head whose last cluster has more than its mass", KIND)(
    lambda: seeded(
        lambda: AutoregressiveModel(
            CausalConv(3000, 12, 16, depth=2), Cutoffs(16, 3000, [3000 - k for k in range(3000)])
        )
    )
)


class Ordinal(LogisticMixtureHead):
    def forward(self, h):
        p = super().forward(h)
        exact, bend = p.log_prob, type(self).bend
        p.log_prob = lambda x: bend(p, x, exact(x))
        return p


ORDINAL = {
    "the largest symbol without its tail": lambda p, x, e: torch.where(x == 255, e - 0.7, e),
    "a floor of 1e-5": lambda p, x, e: e.clamp(min=math.log(1e-5)),
    "the density in the middle of a bin": lambda p, x, e: e + 0.03,
    "symbols above 128 as 128": lambda p, x, e: torch.where(x > 128, -6.0, e),
}
for _name, _bend in ORDINAL.items():

    @fault(f"ordinal: {_name}", KIND)
    def _(bend=_bend):
        head = type("Ordinal", (Ordinal,), {"bend": staticmethod(bend)})
        return seeded(lambda: AutoregressiveModel(CausalConv(256, 8, 16, depth=2), head(16, 256)))


fault("alphabet: a head of ours whose score has a floor of 1e-5, 32 000 symbols", KIND)(
    lambda: bent(lambda p, x, e: e.clamp(min=math.log(1e-5)), 32_000, 6, scale=0.3)
)
fault("alphabet: normalised over all but the first symbol", KIND)(
    lambda: bent(
        lambda p, x, e: torch.where(x == 0, e, e + p.logits.logsumexp(-1) - p.logits[..., 1:].logsumexp(-1)), 300, 16
    )
)


class WholeBesideMissing(MissingHead):
    """A value has its whole density although it may be missing."""

    def forward(self, h):
        return Whole(Bernoulli(self.linear(h).squeeze(-1)), self.head(h))

    def at(self, d, h, x):
        return Whole(Bernoulli(self.linear(h).squeeze(-1)), self.head.at(d, h, x))


class Whole(Missing):
    def log_prob(self, x):
        missing, x = self._split(x)
        return torch.where(missing, self.present.log_pmf()[..., 0], self.value.log_prob(x))


for _name, _options in (("density", {}), ("grid", {"resolution": 0.5})):

    @fault(f"numbers: every value is missing, beside a whole {_name}", KIND)
    def _(options=_options):
        return all_missing(lambda: GaussianMixtureHead(16, **options), WholeBesideMissing)
