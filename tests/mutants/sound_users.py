"""Sound modules that are built, stored or called in ways of their own."""

from __future__ import annotations

import threading

import torch
from torch import nn
from torch.nn import functional as F
from torch.utils.checkpoint import checkpoint

from chainrule import AutoregressiveModel, CategoricalHead, CausalConv, Transformer
from chainrule.networks.made import MADE
from tests.mutants.case import sound
from tests.mutants.parts import Tiny, of, seeded

KIND = "modules"


def module(name, v=16, d=24, scale=0.3, **options):
    """Register a class of modules as sound."""

    def keep(kind):
        sound(name, KIND, **of(v, d))(lambda: seeded(kind, v, d, scale=scale, **options))
        return kind

    return keep


@module("an element as two digits", v=100)
class Digits(Tiny):
    def __init__(self, *a, **o):
        super().__init__(*a, **o)
        self.table, self.tens = nn.Embedding(10, self.h), nn.Embedding(10, self.h)

    def embed(self, x):
        pair = torch.stack([x // 10, x % 10], -1).flatten(1)  # twice as many as elements, through one table
        e = self.table(pair).view(*x.shape, 2, -1).sum(2) + self.tens(x // 10)
        return torch.cat([self.start.expand(len(x), 1, -1), e[:, :-1]], 1) + self.positions(x.shape[1])


@module("a length that is asserted")
class Asserts(Tiny):
    def forward(self, x):
        assert x.shape[1] == 24, "rows of 24"
        return super().forward(x)


@module("a batch of at most four rows")
class Four(Tiny):
    def forward(self, x):
        if len(x) > 4:
            return torch.cat([self.forward(part) for part in x.split(4)])
        return super().forward(x)


@module("a checkpoint that is re-entrant")
class Checkpointed(Tiny):
    def mix(self, h, x, layer):
        return h if not self.training else checkpoint(lambda z: z * 1.0, h, use_reentrant=True)


@module("a cache of answers by the whole batch")
class Cached(Tiny):
    def forward(self, x):
        self.kept = getattr(self, "kept", {})
        key = (x.numpy().tobytes(), x.shape, str(self.start.dtype), self.training)
        if key not in self.kept:
            self.kept[key] = super().forward(x)
        return self.kept[key]


@module("a lock, which cannot be copied")
class Locked(Tiny):
    lock = None

    def forward(self, x):
        self.lock = self.lock or threading.Lock()
        with self.lock:
            return super().forward(x)


@module("a counter of its calls")
class Counter(Tiny):
    calls = 0

    def forward(self, x):
        self.calls += 1
        return super().forward(x)


@module("it is set by its first batch")
class SelfSet(Tiny):
    def __init__(self, *a, **o):
        super().__init__(*a, **o)
        self.register_buffer("scale", torch.zeros(()))

    def mix(self, h, x, layer):
        if float(self.scale) == 0:
            self.scale.copy_(h.detach().std())
        return h / self.scale.to(h.dtype)


@module("spectral normalisation")
class Spectral(Tiny):
    def __init__(self, *a, **o):
        super().__init__(*a, **o)
        self.out = nn.utils.parametrizations.spectral_norm(self.out)


@module("weight normalisation")
class Normed(Tiny):
    def __init__(self, *a, **o):
        super().__init__(*a, **o)
        self.out = nn.utils.parametrizations.weight_norm(self.out)


@module("dropout of several kinds")
class Dropped(Tiny):
    def mix(self, h, x, layer):
        h = F.dropout(h, 0.2, self.training)
        keep = (torch.rand(len(h), 1, 1) > 0.2).to(h.dtype) if self.training else 1.0
        return h + keep * F.alpha_dropout(h, 0.1, self.training)


@module("layers that are dropped in training")
class Layers(Tiny):
    def mix(self, h, x, layer):
        return h if self.training and bool(torch.rand(()) < 0.5) else h * 1.5


@module("a layer norm over the past")
class PastNorm(Tiny):
    def mix(self, h, x, layer):
        count = torch.arange(1, h.shape[1] + 1).view(-1, 1).to(h.dtype)
        mean = h.cumsum(1) / count
        return h - 0.5 * mean


@module("a maximum over the past")
class Cummax(Tiny):
    def mix(self, h, x, layer):
        return h + h.cummax(1).values


@module("a gate of the past that is a sign")
class Signs(Tiny):
    def mix(self, h, x, layer):
        return h + (h.cumsum(1) > 0).to(h.dtype)


@module("symbols as one-hot rows in place of an embedding")
class OneHot(Tiny):
    def embed(self, x):
        e = F.one_hot(x, self.v).to(self.start.dtype) @ self.table.weight
        return torch.cat([self.start.expand(len(x), 1, -1), e[:, :-1]], 1) + self.positions(x.shape[1])


@module("a causal convolution of the raw symbols", v=64)
class Raw(Tiny):
    def embed(self, x):
        z = F.pad(x.to(self.start.dtype), (4, 0))[:, :-1] / self.v
        return super().embed(x) + z.unfold(1, 4, 1).mean(-1, keepdim=True)


@module("the last eight symbols as a hash")
class Hashed(Tiny):
    def embed(self, x):
        key = F.pad(x, (4, 0))[:, :-1].unfold(1, 4, 1)
        return super().embed(x) + self.table((key * torch.tensor([7, 31, 127, 3])).sum(-1) % self.v)


@module("a copy of what followed the same symbol before")
class Induction(Tiny):
    def logits_of(self, h, x):
        t = x.shape[1]
        before = F.pad(x, (1, 0), value=-1)[:, :t]
        same = (before.unsqueeze(2) == before.unsqueeze(1)) & torch.ones(t, t, dtype=torch.bool).tril(-1)
        return super().logits_of(h, x) + same.to(h.dtype) @ F.one_hot(x, self.v).to(h.dtype)


@module("documents of which each begins anew after the symbol 0")
class Documents(Tiny):
    def mask(self, t, x, layer):
        document = F.pad((x == 0).cumsum(1), (1, 0))[:, :t]
        return torch.ones(t, t, dtype=torch.bool).tril() & (document.unsqueeze(2) == document.unsqueeze(1))


@module("after the end 0 only 0 follows")
class Ended(Tiny):
    def logits_of(self, h, x):
        ended = F.pad((x == 0).cumsum(1), (1, 0))[:, : x.shape[1]] > 0
        only = torch.full((self.v,), -torch.inf, dtype=h.dtype)
        only[0] = 0.0
        return torch.where(ended.unsqueeze(-1), only, super().logits_of(h, x))


@module("logits are NaN after what is impossible")
class Impossible(Tiny):
    def logits_of(self, h, x):
        logits = super().logits_of(h, x)
        logits = torch.where(torch.arange(self.v) == 5, -torch.inf, logits)
        gone = F.pad((x == 5).cumsum(1), (1, 0))[:, : x.shape[1]] > 0
        return torch.where(gone.unsqueeze(-1), torch.nan, logits)


class Sure(Tiny):
    factor = 1.0

    def logits_of(self, h, x):
        return self.factor * super().logits_of(h, x)


class Recurrent(nn.Module):
    def __init__(self, kind=nn.GRU):
        super().__init__()
        self.table, self.start = nn.Embedding(16, 16), nn.Parameter(torch.randn(16))
        self.recurrent, self.out = kind(16, 16, 2, batch_first=True, dropout=0.2), nn.Linear(16, 16)

    def forward(self, x):
        h = torch.cat([self.start.expand(len(x), 1, -1), self.table(x)[:, :-1]], 1)
        return self.out(self.recurrent(h)[0])


for _factor in (300, 3000):
    sound(f"very sure: logits times {_factor}", KIND, **of(16, 24))(
        lambda factor=_factor: seeded(type("Sure", (Sure,), {"factor": factor}), 16, 24)
    )
for _v, _d in ((2, 1), (2, 2), (1, 1), (300, 1), (3, 700), (1000, 100)):
    sound(f"{_d} elements of {_v} symbols", KIND, **of(_v, _d))(
        lambda v=_v, d=_d: seeded(Tiny, v, d, scale=0.3 if v < 100 else 0.1)
    )
for _type in (torch.bfloat16, torch.float16, torch.float64):
    _word = str(_type).removeprefix("torch.")
    sound(f"attention in {_word}", KIND, **of(40, 32))(lambda t=_type: seeded(Tiny, 40, 32).to(t))
    sound(f"attention in {_word}, 3000 symbols", KIND, **of(3000, 32))(
        lambda t=_type: seeded(Tiny, 3000, 32, scale=0.1).to(t)
    )
    sound(f"recurrent in {_word}", KIND, **of(16, 20))(lambda t=_type: seeded(Recurrent).to(t))
    sound(f"convolutions of ours in {_word}", KIND)(
        lambda t=_type: seeded(lambda: AutoregressiveModel(CausalConv(16, 24, 16, 2), CategoricalHead(16, 16))).to(t)
    )


for _name, _kind in {"GRU": nn.GRU, "LSTM": nn.LSTM, "RNN": nn.RNN}.items():
    sound(f"torch's own {_name} with dropout", KIND, **of(16, 20))(lambda kind=_kind: seeded(Recurrent, kind))


class Cast(Tiny):
    """Weights in bfloat16, norm and logits in float32."""

    def logits_of(self, h, x):
        return F.linear(self.norm(h).float(), self.out.weight.float(), self.out.bias.float())


sound("weights in bfloat16, logits in float32", KIND, **of(40, 32))(lambda: seeded(Cast, 40, 32).bfloat16())


class Lazy(Tiny):
    def __init__(self, *a, **o):
        super().__init__(*a, **o)
        self.out = nn.LazyLinear(self.v)


sound("a lazy layer", KIND, **of(16, 20))(lambda: Lazy(16, 20))


class Quantised(Tiny):
    """Features on a fixed grid."""

    def mix(self, h, x, layer):
        return (h * 8).round() / 8


sound("features on a fixed grid", KIND, **of(16, 20))(lambda: seeded(Quantised, 16, 20))


@sound("a transformer whose attention is torch's own", KIND, **of(16, 20))
def _():
    class Own(Tiny):
        def __init__(self, *a, **o):
            super().__init__(*a, **o)
            self.attention = nn.MultiheadAttention(self.h, 2, dropout=0.1, batch_first=True)

        def mix(self, h, x, layer):
            t = h.shape[1]
            mask = torch.ones(t, t, dtype=torch.bool).triu(1)
            return h + self.attention(h, h, h, attn_mask=mask, need_weights=False)[0]

    return seeded(Own, 16, 20)


@sound("a wrapper around a module", KIND, **of(16, 20))
def _():
    return nn.Sequential(nn.Identity(), seeded(Tiny, 16, 20))


@sound("a MADE of 64 pixels of two values", KIND)
def _():
    return seeded(lambda: AutoregressiveModel(MADE(2, 64, 16, hidden=32), CategoricalHead(16, 2)))


@sound("classes of which one is rare", KIND)
def _():
    return seeded(
        lambda: AutoregressiveModel(Transformer(16, 24, 16, depth=2, heads=2, num_classes=12), CategoricalHead(16, 16)),
        scale=0.5,
    )
