"""Sound models that compute, store, cut or draw in ways of their own: relatives of those that are known."""

from __future__ import annotations

import functools
import math
import random
from types import SimpleNamespace

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from chainrule import AutoregressiveModel, CategoricalHead, CausalConv
from chainrule.models.base import Sample
from tests.mutants.case import sound
from tests.mutants.faults_data import Stretches, stretches
from tests.mutants.parts import Rows, Tiny, data, drawn_by, inverse, of, seeded

MODULES, NUMBERS = "modules", "numbers and functions"


def module(name, v=16, d=24, **options):
    """Register a class of modules as sound."""

    def keep(made):
        sound(name, MODULES, **of(v, d))(lambda: seeded(made, v, d, **options))
        return made

    return keep


@module("a forward under autocast")
class Autocast(Tiny):
    def forward(self, x):
        with torch.autocast("cpu", dtype=torch.bfloat16):
            return super().forward(x)


@module("a state space of complex numbers, by a Fourier transform", d=48)
class StateSpace(Tiny):
    def __init__(self, *a, **o):
        super().__init__(*a, **o)
        self.rate = nn.Parameter(torch.randn(self.h, 4, dtype=torch.complex64))
        self.weight = nn.Parameter(torch.randn(self.h, 4, dtype=torch.complex64))

    def mix(self, h, x, layer):
        t = h.shape[1]
        rate = (
            torch.complex(-self.rate.real.abs() - 0.1, self.rate.imag) if self.rate.is_complex() else -self.rate.abs()
        )
        kernel = (self.weight.unsqueeze(-1) * torch.exp(rate.unsqueeze(-1) * torch.arange(t))).sum(1)
        kernel = (kernel.real if kernel.is_complex() else kernel).to(h.dtype)
        spectrum = torch.fft.rfft(h.mT, 2 * t) * torch.fft.rfft(kernel, 2 * t)
        return h + torch.fft.irfft(spectrum, 2 * t)[..., :t].mT


@module("a long convolution by a Fourier transform", d=512)
class Long(Tiny):
    def __init__(self, *a, **o):
        super().__init__(*a, **o)
        self.kernel = nn.Parameter(torch.randn(512, self.h))

    def mix(self, h, x, layer):
        t = h.shape[1]
        spectrum = torch.fft.rfft(h, 2 * t, dim=1) * torch.fft.rfft(self.kernel[:t], 2 * t, dim=0)
        return h + torch.fft.irfft(spectrum, 2 * t, dim=1)[:, :t]


@module("the first symbol may not be 0")
class First(Tiny):
    def logits_of(self, h, x):
        none = torch.zeros(x.shape[1], self.v, dtype=h.dtype)
        none[0, 0] = -torch.inf
        return super().logits_of(h, x) + none


@module("weights that are joined at the first call in evaluation")
class Joined(Tiny):
    def mix(self, h, x, layer):
        if self.training:
            self.joined = None
            return h + F.linear(F.linear(h, self.up[0].weight), self.down[0].weight)
        self.joined = getattr(self, "joined", None)
        if self.joined is None or self.joined.dtype != h.dtype:
            self.joined = (self.down[0].weight @ self.up[0].weight).detach()
        return h + F.linear(h, self.joined)


@module("logits with a name", d=20)
class Named(Tiny):
    def forward(self, x):
        return SimpleNamespace(logits=super().forward(x), cache=None)


@module("logits that are a view of another layout")
class View(Tiny):
    def forward(self, x):
        return super().forward(x).permute(2, 0, 1).contiguous().permute(1, 2, 0)


@module("uniform logits, expanded")
class Expanded(Tiny):
    def forward(self, x):
        return self.out.bias.expand(*x.shape, self.v)


@module("symbols as int32")
class Int32(Tiny):
    def forward(self, x):
        return super().forward(x.to(torch.int32))


@module("a sliding window with the first two always in sight", d=48)
class Sinks(Tiny):
    def mask(self, t, x, layer):
        place = torch.arange(t)
        near = (place[:, None] - place < 8) | (place < 2)
        return near & super().mask(t, x, layer)


@module("an element at a time, with a cache of its own", d=16)
class Loop(Tiny):
    def forward(self, x):
        state, made = self.start.expand(len(x), -1), []
        for d in range(x.shape[1]):
            made.append(self.out(self.norm(state)))
            state = torch.tanh(self.up[0](state)[:, : self.h] + self.table(x[:, d]))
        return torch.stack(made, 1)


@module("noise of numpy and of Python in training")
class Noises(Tiny):
    def mix(self, h, x, layer):
        if not self.training:
            return h
        return h * (1 + 0.1 * random.random()) + 0.1 * torch.from_numpy(np.random.randn(h.shape[-1])).to(h.dtype)


@module("a mixture of four softmaxes")
class Softmaxes(Tiny):
    def logits_of(self, h, x):
        each = torch.stack([self.out(torch.roll(h, k, -1)) for k in range(4)]).log_softmax(-1)
        return each.logsumexp(0) - math.log(4)


@module("experts by the symbol before, each with room for all")
class Experts(Tiny):
    def mix(self, h, x, layer):
        which = F.pad(x, (1, 0))[:, :-1] % 2 == 1
        return torch.where(which.unsqueeze(-1), h + self.down[0](F.relu(self.up[0](h))), 0.9 * h)


@module("a table of 1024 logits of which 1000 are kept", v=1000)
class Kept(Tiny):
    def __init__(self, v, *a, **o):
        super().__init__(v, *a, **o)
        self.out = nn.Linear(self.h, 1024)

    def logits_of(self, h, x):
        return super().logits_of(h, x)[..., :1000]


# --- samplers --------------------------------------------------------------------------------------------------------


@sound("a sampler that stops at the end, and pads", MODULES)
def _():
    class Stops(AutoregressiveModel):
        def sample(self, n, **options):
            return super().sample(n, **(options | {"end": 3}))

    return seeded(lambda: Stops(CausalConv(8, 20, 16, depth=2), CategoricalHead(16, 8)))


@sound("a sampler that stops at the end, of few examples", MODULES)
def _():
    class Stops(AutoregressiveModel):
        def sample(self, n, **options):
            return super().sample(n, **(options | {"end": 1}))

    return seeded(lambda: Stops(CausalConv(3, 5, 16, depth=2), CategoricalHead(16, 3)))


@sound("a sampler by the largest of logits with Gumbel noise", MODULES)
def _():
    def gumbel(d, p, u, x):
        v = p.logits.shape[-1]
        g = torch.Generator().manual_seed(int(u[0, d] * 2**40))
        each = torch.rand(len(u), v, generator=g, dtype=torch.float64)
        return (p.log_pmf().double() - (-each.log()).log()).argmax(-1)

    return drawn_by(gumbel, 16, 24)


@sound("a sampler that draws in pieces of fifty", MODULES)
def _():
    class Pieces(AutoregressiveModel):
        def sample(self, n, *, seed=None, **options):
            c, prefix, parts = options.pop("context", None), options.pop("prefix", None), []
            for at in range(0, n, 50):
                here = slice(at, min(at + 50, n))
                given = {"context": None if c is None else c[here], "prefix": None if prefix is None else prefix[here]}
                parts.append(super().sample(here.stop - at, seed=1000 * (seed or 0) + at, **given, **options))
            joined = (torch.cat([getattr(p, word) for p in parts]) for word in ("x", "mask", "log_prob"))
            return Sample(*joined, None)

    return seeded(lambda: Pieces(CausalConv(16, 24, 16, depth=2), CategoricalHead(16, 16)))


sound("a sampler of our own that sorts the symbols by probability", MODULES)(
    lambda: drawn_by(
        lambda d, p, u, x: (
            (order := p.pmf().argsort(-1, descending=True))
            .gather(-1, inverse(p.pmf().gather(-1, order), u[:, d]).unsqueeze(-1))
            .squeeze(-1)
        )
    )
)


# --- functions and data ----------------------------------------------------------------------------------------------


@sound("prefixes: kept by functools, asked by a tuple", NUMBERS, **of(5, 16))
def _():
    @functools.lru_cache(maxsize=64)
    def kept(prefix):
        return torch.sin(torch.arange(5.0) * (1 + sum(prefix) + len(prefix))).softmax(0).tolist()

    return lambda prefix: kept(tuple(prefix))


@sound("prefixes: an object that reads the prefix element by element", NUMBERS, **of(5, 16))
def _():
    class Reader:
        def __call__(self, prefix):
            state = 0.3
            for symbol in prefix:
                state = math.sin(3 * state + symbol)
            return [math.exp(k * state) / sum(math.exp(j * state) for j in range(5)) for k in range(5)]

    return Reader()


class One(Rows):
    """One row only."""

    def __len__(self):
        return 1


class Short(Rows):
    """Rows of which some have nothing but the end."""

    def rows(self, numbers):
        return [[7] if r % 3 == 0 else [(r + k) % 7 for k in range(r % 20)] + [7] for r in numbers]


class Many(Rows):
    """More rows than one batch has."""

    def __len__(self):
        return 700


for _name, _kind in {"one row": One, "rows of nothing but the end": Short, "700 rows": Many}.items():
    sound(f"data: {_name}", MODULES)(data(_kind))


sound("data: windows that overlap", MODULES)(lambda: stretches(Stretches))
