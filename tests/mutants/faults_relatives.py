"""Relatives of the known faults: the same mistake at another size, in another column, by another key."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from chainrule import AutoregressiveModel, Batch, CategoricalHead, CausalConv
from chainrule.domain import Domain
from chainrule.heads.columns import ColumnsHead
from chainrule.heads.gaussian_mixture import GaussianMixture, GaussianMixtureHead
from tests.mutants.case import fault
from tests.mutants.parts import Tiny, bent, drawn_by, inverse, of, seeded


def module(name, kind, v=16, d=24, **options):
    """Register a class of modules as a fault."""

    def keep(made):
        fault(name, kind, **of(v, d))(lambda: seeded(made, v, d, **options))
        return made

    return keep


# --- company and memory ----------------------------------------------------------------------------------------------


@module("kernel: a hundred rows and more have no mask", "memory and company")
class Hundred(Tiny):
    def mask(self, t, x, layer):
        return super().mask(t, x, layer) | (len(x) >= 100)


@module("kernel: more than 4096 elements at a time have no mask", "memory and company", d=64)
class Many(Tiny):
    def mask(self, t, x, layer):
        return super().mask(t, x, layer) | (x.numel() > 4096)


@module("memory: logits are kept by the address of the rows", "memory and company")
class Address(Tiny):
    def forward(self, x):
        self.kept = getattr(self, "kept", {})
        return self.kept.setdefault((x.data_ptr(), x.shape, self.start.dtype), super().forward(x))


@module("memory: rows that are given are shifted in place", "memory and company")
class InPlace(Tiny):
    def forward(self, x):
        x[:, 1:] = x[:, :-1].clone()
        return super().forward(x)


@module("company: batch and elements are exchanged in attention", "memory and company")
class Exchanged(Tiny):
    def __init__(self, *a, **o):
        super().__init__(*a, **o)
        self.attention = nn.MultiheadAttention(self.h, 2)  # reads (D, B, H)

    def mix(self, h, x, layer):
        return h + self.attention(h, h, h, need_weights=False)[0]


@module("mode: a part in a list never hears of evaluation", "places and modes")
class Hidden(Tiny):
    def __init__(self, *a, **o):
        super().__init__(*a, **o)
        self.parts = [nn.Dropout(0.1)]

    def mix(self, h, x, layer):
        return self.parts[0](h)


# --- content ---------------------------------------------------------------------------------------------------------


def pair_further_on(name, v, d, first, second):
    class Pair(Tiny):
        def logits_of(self, h, x):
            here = (x[:, :-1] == first) & (x[:, 1:] == second)
            later = F.pad(here.flip(1).cumsum(1).flip(1)[:, 1:] > 0, (0, 2))
            return super().logits_of(h, x) + later.unsqueeze(-1) * torch.linspace(-1, 1, self.v).to(h.dtype)

    fault(f"content: {name} further on", "content", **of(v, d))(lambda: seeded(Pair, v, d, scale=0.2))


pair_further_on("return and line break (bytes)", 256, 64, 13, 10)
pair_further_on("a letter of two bytes", 256, 64, 195, 164)
pair_further_on("an end and a beginning, 2000 symbols", 2000, 32, 2, 1)
pair_further_on("an end and padding, 2000 symbols", 2000, 32, 2, 0)


# --- samplers --------------------------------------------------------------------------------------------------------


def sampling(change):
    class Changed(AutoregressiveModel):
        def sample(self, n, **options):
            return change(super(), n, options)

    return seeded(lambda: Changed(CausalConv(16, 24, 16, depth=2), CategoricalHead(16, 16)))


@fault("sampler: every seed draws the same", "samplers")
def _():
    return sampling(lambda own, n, options: own.sample(n, **(options | {"seed": 0})))


@fault("sampler: each hundred draws have the numbers of the hundred before", "samplers")
def _():
    return drawn_by(lambda d, p, u, x: inverse(p.pmf(), u[torch.arange(len(u)) % 100, d]))


@fault("sampler: the better half of twice as many", "samplers")
def _():
    def better(own, n, options):
        prefix, c = options.pop("prefix", None), options.pop("context", None)
        s = own.sample(2 * n, **options) if prefix is None and c is None else None
        if s is None:
            return own.sample(n, **(options | {"prefix": prefix, "context": c}))
        best = s.log_prob.argsort(descending=True)[:n].sort().values
        return replace(s, x=s.x[best], mask=s.mask[best], log_prob=s.log_prob[best])

    return sampling(better)


def _no_triple(d, p, u, x):
    """No three symbols in a row that came before."""
    pmf = p.pmf().clone()
    for i in range(2, d):
        same = (x[i - 2] == x[d - 2]) & (x[i - 1] == x[d - 1]) if d > 2 else torch.zeros(len(u), dtype=torch.bool)
        pmf[same, x[i][same]] = 0
    empty = pmf.sum(-1) <= 0
    pmf[empty] = p.pmf()[empty]
    return inverse(pmf, u[:, d])


fault("sampler, 24 elements of 4 symbols: no triple twice", "samplers")(lambda: drawn_by(_no_triple, 4, 24))
fault("sampler: the rows are drawn in pairs that agree up to the middle", "samplers")(
    lambda: drawn_by(
        lambda d, p, u, x: inverse(p.pmf(), u[torch.arange(len(u)) // 2 * 2 if d < 32 else slice(None), d])
    )
)


# --- heads, numbers, columns -----------------------------------------------------------------------------------------


fault("alphabet: the normaliser in bfloat16, 5000 symbols", "heads and scores")(
    lambda: bent(
        lambda p, x, e: e + p.logits.logsumexp(-1) - p.logits.bfloat16().logsumexp(-1).to(e.dtype), 5000, 12, scale=0.1
    )
)
fault("alphabet: symbols above 32 767 wrap around, 40 000 symbols", "heads and scores")(
    lambda: bent(
        lambda p, x, e: (
            p.logits.log_softmax(-1).gather(-1, (x.to(torch.int16).long() % 40_000).unsqueeze(-1)).squeeze(-1)
        ),
        40_000,
        8,
        scale=0.1,
    )
)


class Table:
    """Rows of real numbers, of which some repeat and some may be missing."""

    domain = Domain(shape=(6,), num_symbols=None)

    def __init__(self, repeated=None, share=0.0):
        g = torch.Generator().manual_seed(3)
        self.x = torch.randn(300, 6, generator=g).double()
        self.x[torch.rand(300, 6, generator=g) < share] = torch.nan if repeated is None else repeated

    def __len__(self):
        return len(self.x)

    def batch(self, numbers):
        return Batch(self.x[torch.as_tensor(np.asarray(numbers))])


def of_table(name, bend, **options):
    class Mixture(GaussianMixture):
        def log_prob(self, x):
            return bend(x, super().log_prob(torch.where(x.isnan(), 0.0, x)))

    class MixtureHead(GaussianMixtureHead):
        def _distribution(self, h, here):
            p = super()._distribution(h, here)
            return Mixture(p.logits, p.mean, p.log_scale, p.centre, p.spread, p.resolution)

    fault(f"numbers: {name}", "heads and scores")(
        lambda: (
            seeded(lambda: AutoregressiveModel(CausalConv(None, 6, 16, depth=2), MixtureHead(16)), scale=0.1),
            {"training": Table(**options)},
        )
    )


of_table(
    "a mass at a value that the data repeat, beside a whole density",
    lambda x, e: torch.where(x == 5.6, math.log(0.2), e),
    repeated=5.6,
    share=0.2,
)
of_table(
    "what is missing has a mass beside a whole density",
    lambda x, e: torch.where(x.isnan(), math.log(0.1), e),
    share=0.1,
)


class Heavy(CategoricalHead):
    def forward(self, h):
        p = super().forward(h)
        exact = p.log_prob
        p.log_prob = lambda x: exact(x) + 0.05
        return p


class Wide(GaussianMixtureHead):
    def forward(self, h):
        p = super().forward(h)
        exact = p.log_prob
        p.log_prob = lambda x: exact(x) + 0.05
        return p


for _kind, _usual in ((Heavy, CategoricalHead), (Wide, GaussianMixtureHead)):
    for _wrong in (3, 7):

        @fault(f"columns: of twelve, column {_wrong} has another mass ({_kind.__name__})", "heads and scores")
        def _(kind=_kind, usual=_usual, wrong=_wrong):
            def one(d):
                made = kind if d == wrong else usual
                return made(16, 4) if usual is CategoricalHead else made(16)

            return seeded(
                lambda: AutoregressiveModel(
                    CausalConv(None, 12, 16, depth=2), ColumnsHead([one(d) for d in range(12)])
                ),
                scale=0.1,
            )
