"""Planted faults: models that look right and whose number is no log-likelihood, and the check that has to name each.

Every fault is a known one: from published code, from a leaderboard, or from an afternoon that somebody lost.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from chainrule.batch import Batch
from chainrule.domain import Domain
from chainrule.heads.bernoulli import BernoulliHead
from chainrule.heads.categorical import CategoricalHead
from chainrule.heads.columns import ColumnsHead
from chainrule.heads.count import CountHead
from chainrule.heads.gaussian_mixture import GaussianMixtureHead
from chainrule.heads.missing import MissingHead
from chainrule.models.chain import AutoregressiveModel
from chainrule.models.logits import LogitsModel
from chainrule.networks.causal_conv import CausalConv
from chainrule.networks.transformer import Transformer
from chainrule.verification.laws import randomised

V, D, H = 4, 8, 16


def model(network=None, head=None, kind=AutoregressiveModel):
    torch.manual_seed(0)
    return randomised(kind(network or CausalConv(V, D, H, depth=3, kernel_size=3), head or CategoricalHead(H, V)))


def randomly(build):
    torch.manual_seed(0)
    return randomised(build())


def sound_model(seed):
    """A small model of our own; every choice about it is a function of the seed."""
    generator = torch.Generator().manual_seed(seed)
    v, d, width = (int(torch.randint(low, high, (), generator=generator)) for low, high in ((2, 7), (2, 12), (1, 5)))
    torch.manual_seed(seed)
    network = (CausalConv, Transformer)[seed % 2](v, d, 8 * width, depth=1 + seed % 3, dropout=0.1 * (seed % 4))
    head = BernoulliHead(8 * width) if v == 2 else CategoricalHead(8 * width, v)
    scale = (0.0, 0.1, 0.3, 1.0)[seed // 2 % 4]
    return randomised(AutoregressiveModel(network, head), seed, scale)


# --- leaks in a network of ours --------------------------------------------------------------------------------------


class Mixed(CausalConv):
    """The last features go through `mix`."""

    def layers(self, x, context=None):
        h = super().layers(x, context)
        return [*h[:-1], self.mix(h[-1])]


def mixed(mixing):
    network = type("Mixed", (Mixed,), {"mix": mixing})(V, D, H, depth=3, kernel_size=3)
    return model(network)


def block_leak(self, h):
    """The first element of each block of four sees the sign of the product of the others."""
    blocks = h[..., 0].view(len(h), -1, 4)
    hint = torch.tanh(50 * blocks[..., 1:].prod(-1, keepdim=True))
    return h + torch.cat([hint, torch.zeros_like(hint).expand(-1, -1, 3)], -1).reshape(len(h), -1, 1)


class HiddenBlock(CausalConv):
    """The first element of each block of four sees whether the other three are all 0: one replacement shows nothing."""

    def layers(self, x, context=None):
        zeros = (x.view(len(x), -1, 4)[..., 1:] == 0).all(-1)
        first = torch.arange(x.shape[1]) % 4 == 0
        h = super().layers(x, context)
        return [*h[:-1], h[-1] + (zeros.repeat_interleave(4, 1) & first).unsqueeze(-1)]


def row_numbers(self, h):
    """The features of an example depend on its place in the batch."""
    return h + 0.1 * torch.arange(len(h)).view(-1, 1, 1)


def half_inside(self, h):
    """A kernel rounds to bfloat16 where it is given float32."""
    return h.bfloat16().float() if h.dtype == torch.float32 else h


class Inflated(AutoregressiveModel):
    """Every element is scored a little too high."""

    def element_log_prob(self, batch):
        return super().element_log_prob(batch) + torch.where(batch.mask, 0.02, 0.0)


def training_only(self, h):
    return h + 0.1 * h.flip(1) if self.training else h


def last_pair(self, h):
    """Only the last but one element is shown, to the one before it."""
    return torch.cat([h[:, :-2], h[:, -2:-1] + h[:, -1:], h[:, -1:]], 1)


class NormOverBatch(Mixed):
    def __init__(self, *arguments, **options):
        super().__init__(*arguments, **options)
        self.norm_over = nn.BatchNorm1d(H)

    def mix(self, h):
        return self.norm_over(h.mT).mT


class Shift(CausalConv):
    """Off by one: h_d sees x_d."""

    def layers(self, x, context=None):
        return super().layers(torch.cat([x[:, 1:], x[:, :1]], 1), context)


class OpenMask(Transformer):
    """An attention mask that lets every element see one ahead."""

    def layers(self, x, context=None):
        h = super().layers(x, context)
        ahead = torch.ones(x.shape[1], x.shape[1], dtype=torch.bool).tril(1)
        q = h[-1].unsqueeze(1)
        return [*h[:-1], F.scaled_dot_product_attention(q, q, q, attn_mask=ahead).squeeze(1)]


class LateStep(CausalConv):
    """The cache forgets: after the third element, every ring is turned by one place."""

    def step(self, x_previous, state):
        if int(state.position) == 3:
            for cache in state.caches:
                cache.copy_(cache.roll(1, 0))
        return super().step(x_previous, state)


class LeakyPack(Transformer):
    """Packed examples see each other."""

    def packed(self, x, segment_ids):
        return self(x)


class StaleStep(Transformer):
    """The key of the second position is never stored."""

    def step(self, x_previous, state):
        made = super().step(x_previous, state)
        for cache in state.caches[1:]:
            cache[:, :, 1] = 0
        return made


# --- heads and scores that are not normalised ------------------------------------------------------------------------


class Scored(CategoricalHead):
    """A head whose log_prob goes through `bend`."""

    def forward(self, h):
        p = super().forward(8 * h)
        exact, bend = p.log_prob, self.bend
        p.log_prob = lambda x: bend(p, x, exact(x))
        return p


def scored(bend):
    return model(head=type("Scored", (Scored,), {"bend": staticmethod(bend)})(H, V))


def clamped(p, x, exact):
    return exact.exp().clamp(1e-5, 1 - 1e-5).log()


def floor_of_zero(p, x, exact):
    return exact.clamp(min=-2.0)


def no_normaliser(p, x, exact):
    """A sampled softmax, reported: the normaliser runs over half of the alphabet."""
    return p.logits.gather(-1, x.unsqueeze(-1)).squeeze(-1) - p.logits[..., : V // 2].logsumexp(-1)


def temperature(p, x, exact):
    return exact / 1.5


def smoothed(p, x, exact):
    return (0.9 * exact.exp() + 0.1).log()


def rounded(p, x, exact):
    return exact.bfloat16().to(exact.dtype)


class PiecewiseDensity(GaussianMixtureHead):
    """A mixture whose weights were left unnormalised: every density is twice what it may be."""

    def forward(self, h):
        p = super().forward(h)
        exact = p.log_prob
        p.log_prob = lambda x: exact(x) + np.log(2)
        return p


class HeavyColumns(ColumnsHead):
    """The last column's probabilities are a tenth too large."""

    def forward(self, h):
        made = super().forward(h)
        made.cells[-1] = heavy(made.cells[-1])
        return made

    def at(self, d, h, x):
        cell = super().at(d, h, x)
        return heavy(cell) if d == len(self.heads) - 1 else cell


def heavy(cell):
    exact = cell.log_prob
    cell.log_prob = lambda x: exact(x) + np.log(1.1)
    return cell


def columns(kind, last):
    heads = [CategoricalHead(H, V), MissingHead(GaussianMixtureHead(H, resolution=0.5)), CountHead(H), last]
    return model(CausalConv(None, 4, H, depth=2), kind(heads))


class Dropped(AutoregressiveModel):
    """element_log_prob goes through `drop`."""

    def element_log_prob(self, batch):
        batch = batch if isinstance(batch, Batch) else Batch(batch)
        return self.drop(super().element_log_prob(batch), batch)


def dropped(drop):
    return model(kind=type("Dropped", (Dropped,), {"drop": lambda self, log_prob, batch: drop(log_prob, batch)}))


def end_unscored(log_prob, batch):
    last = batch.mask.shape[1] - 1 - batch.mask.flip(1).int().argmax(1)
    return log_prob.scatter(1, last[:, None], 0.0)


def start_unscored(log_prob, batch):
    return torch.cat([torch.zeros_like(log_prob[:, :1]), log_prob[:, 1:]], 1)


def pad_is_a_symbol(log_prob, batch):
    return torch.where(batch.x == 0, 0.0, log_prob)


def impossible_dropped(log_prob, batch):
    return torch.where(log_prob < -3, 0.0, log_prob)


def shared(log_prob, batch):
    """The mean over the batch is given to everybody."""
    return log_prob.mean(0, keepdim=True).expand_as(log_prob)


def length_matters(log_prob, batch):
    """Divided by the padded length, in which the padding counts."""
    return log_prob * (batch.x.sum(1, keepdim=True) / (1 + batch.x.sum(1, keepdim=True)))


class PrefixUnread(AutoregressiveModel):
    """What is given and not scored is taken for padding on the left."""

    def element_log_prob(self, batch):
        return super().element_log_prob(Batch(torch.where(batch.mask, batch.x, 0), batch.mask))


class MeanForSum(AutoregressiveModel):
    """ln p of an example divided by its elements, as a loss that is called one."""

    def log_prob(self, batch):
        batch = batch if isinstance(batch, Batch) else Batch(batch)
        return super().log_prob(batch) / batch.elements


class CoarseTotal(AutoregressiveModel):
    def log_prob(self, batch):
        return super().log_prob(batch).bfloat16().float()


class TopKLeftOn(AutoregressiveModel):
    def sample(self, n, **options):
        return super().sample(n, **(options | {"top_k": 2}))


class WarmSampler(AutoregressiveModel):
    def sample(self, n, **options):
        return super().sample(n, **(options | {"temperature": 1.3}))


class Unseeded(AutoregressiveModel):
    def sample(self, n, *, seed=None, **options):
        return super().sample(n, **options)


class Noisy(AutoregressiveModel):
    """Dropout that stays on in evaluation."""

    def element_log_prob(self, batch):
        return super().element_log_prob(batch) * (1 + 1e-3 * torch.rand(()))


# --- modules of users ------------------------------------------------------------------------------------------------


class Recurrent(nn.Module):
    """Embedding, shift, GRU, linear: sound unless told otherwise."""

    def __init__(self, shift=True, bidirectional=False):
        super().__init__()
        self.table, self.start = nn.Embedding(V, H), nn.Parameter(torch.randn(H))
        self.recurrent = nn.GRU(H, H, batch_first=True, bidirectional=bidirectional)
        self.out, self.shift = nn.Linear(H * (1 + bidirectional), V), shift

    def forward(self, x):
        h = self.table(x)
        if self.shift:
            h = torch.cat([self.start.expand(len(x), 1, -1), h[:, :-1]], 1)
        return self.out(self.recurrent(h)[0])


class Spectral(nn.Module):
    """Mixing by a Fourier transform over the elements, around the end; or, padded, a causal long convolution."""

    def __init__(self, padded):
        super().__init__()
        self.table, self.kernel, self.out = nn.Embedding(V, H), nn.Parameter(torch.randn(D, H)), nn.Linear(H, V)
        self.size = 2 * D if padded else D

    def forward(self, x):
        h = F.pad(self.table(x), (0, 0, 1, 0))[:, :-1]
        spectrum = torch.fft.rfft(h, self.size, dim=1) * torch.fft.rfft(self.kernel, self.size, dim=0)
        return self.out(torch.fft.irfft(spectrum, self.size, dim=1)[:, : x.shape[1]])


class MaskedLinear(nn.Module):
    """A one-layer MADE in a given order of the elements."""

    def __init__(self, order):
        super().__init__()
        rank = torch.tensor(order).argsort()
        self.weight, self.bias = nn.Parameter(torch.randn(D, V, D, V)), nn.Parameter(torch.randn(D, V))
        self.register_buffer("mask", (rank[:, None] > rank[None, :]).float()[:, None, :, None])

    def forward(self, x):
        return torch.einsum("dvek,bek->bdv", self.weight * self.mask, F.one_hot(x, V).to(self.weight)) + self.bias


class OrderAverage(nn.Module):
    """The mean of the logits over orders: the figure of 79.3 nats on MNIST, and no likelihood."""

    def __init__(self):
        super().__init__()
        self.orders = nn.ModuleList(MaskedLinear(o) for o in (list(range(D)), list(range(D))[::-1]))

    def forward(self, x):
        return torch.stack([order(x) for order in self.orders]).mean(0)


class Standardised(nn.Module):
    """Instance normalisation over the elements, of each example."""

    def __init__(self, inner):
        super().__init__()
        self.inner = inner

    def forward(self, x):
        logits = self.inner(x)
        return (logits - logits.mean(1, keepdim=True)) / logits.std(1, keepdim=True, correction=0).clamp(min=1e-3)


class LogitsClamped(LogitsModel):
    def element_log_prob(self, batch):
        return super().element_log_prob(batch).exp().clamp(0.2, 0.8).log()


# --- functions of prefixes -------------------------------------------------------------------------------------------


def ngram(prefix):
    """A sound back-off: counts of what followed the last symbol in the prefix, plus one."""
    counts = np.ones(V)
    for before, after in pairwise(prefix):
        counts[after] += 4.0 * (before == prefix[-1])
    return counts / counts.sum()


def partial_cache(prefix):
    """A hashed n-gram cache mixed over the symbols that it has seen, and not over the alphabet."""
    p, seen = ngram(prefix), set(prefix)
    cache = np.array([0.9 if k in seen else 0.0 for k in range(V)])
    return np.where(cache > 0, 0.5 * p + 0.5 * cache, p)


def negative(prefix):
    p = ngram(prefix)
    return p + np.array([0.5, -0.5, 0, 0])


class Remembering:
    """Counts what it was asked: the answer depends on the question before."""

    num_symbols, length = V, D

    def __init__(self):
        self.counts = np.ones(V)

    def __call__(self, prefix):
        if prefix:
            self.counts[prefix[-1]] += 1
        return self.counts / self.counts.sum()


# --- data ------------------------------------------------------------------------------------------------------------


class Rows:
    """Examples of variable length whose last symbol, 3, is the end."""

    domain = Domain(shape=(D,), num_symbols=V, variable_length=True, end=3)

    def __init__(self, count=5, *, score_end=True, score_start=True, drop=0):
        self.count, self.score_end, self.score_start, self.drop = count, score_end, score_start, drop

    def __len__(self):
        return self.count

    def batch(self, rows):
        batch = Batch.of([[0] * (1 + r % 4) + [3] for r in rows.tolist()[: len(rows) - self.drop]])
        mask = batch.mask.clone()
        if not self.score_end:
            mask[:, :-1] &= mask[:, 1:]
            mask[:, -1] = False
        mask[:, 0] &= self.score_start
        return Batch(batch.x, mask)


def options(**more):
    return {"num_symbols": V, "length": D} | more


# name: (build, options of verify, the check that has to fail)
FAULTS = {
    "off by one": (lambda: model(Shift(V, D, H, depth=2)), {}, "causality.suffix.evaluation"),
    "bidirectional layer": (
        lambda: randomly(lambda: Recurrent(bidirectional=True)),
        options(),
        "causality.suffix.evaluation",
    ),
    "no shift": (lambda: randomly(lambda: Recurrent(shift=False)), options(), "causality.suffix.evaluation"),
    "mean over the elements": (
        lambda: mixed(lambda self, h: h + 1e-3 * h.mean(1, keepdim=True)),
        {},
        "causality.suffix.evaluation",
    ),
    "mask that leaks in training only": (lambda: mixed(training_only), {}, "causality.suffix.training"),
    "batch norm over time": (lambda: model(NormOverBatch(V, D, H, depth=3)), {}, "causality.suffix.training"),
    "block leak": (lambda: mixed(block_leak), {}, "causality.suffix.evaluation"),
    "block leak that one replacement misses": (
        lambda: model(HiddenBlock(V, D, H, depth=3)),
        {},
        "causality.suffix.evaluation",
    ),
    "leak at the end only": (lambda: mixed(last_pair), {}, "causality.suffix.evaluation"),
    "attention sees one ahead": (lambda: model(OpenMask(V, D, H, depth=1)), {}, "causality.suffix.evaluation"),
    "FFT mixing": (lambda: randomly(lambda: Spectral(padded=False)), options(), "causality.suffix.evaluation"),
    "logits averaged over orders": (lambda: randomly(OrderAverage), options(), "normalisation.enumeration"),
    "normalised over the elements": (
        lambda: randomly(lambda: Standardised(Recurrent())),
        options(),
        "causality.suffix.evaluation",
    ),
    "mean over the elements, by its gradient": (
        lambda: mixed(lambda self, h: h + 0.1 * h.mean(1, keepdim=True)),
        {},
        "causality.gradient",
    ),
    "the length shows": (lambda: mixed(lambda self, h: h + h.shape[1] / 10), {}, "causality.truncation"),
    "the place in the batch shows": (lambda: mixed(row_numbers), {}, "invariance.order"),
    "long examples scored too high": (
        lambda: model(CausalConv(V, 40, H, depth=3), kind=Inflated),
        {},
        "normalisation.steps",
    ),
    "cache a place off": (lambda: model(LateStep(V, D, H, depth=2)), {}, "sampling.step"),
    "cache that forgets a key": (lambda: model(StaleStep(V, D, H, depth=2)), {}, "sampling.step"),
    "probabilities clamped": (lambda: scored(clamped), {}, "normalisation.steps"),
    "log-probabilities with a floor": (lambda: scored(floor_of_zero), {}, "normalisation.steps"),
    "normaliser over a sample": (lambda: scored(no_normaliser), {}, "normalisation.steps"),
    "temperature in the score": (lambda: scored(temperature), {}, "normalisation.steps"),
    "smoothing that adds up to more": (lambda: scored(smoothed), {}, "normalisation.enumeration"),
    "scores rounded to bfloat16": (lambda: scored(rounded), {}, "accounting.elements"),
    "user's clamp": (lambda: LogitsClamped(randomly(Recurrent)), options(), "normalisation.steps"),
    "density of mass two": (
        lambda: model(CausalConv(None, D, H, depth=3), PiecewiseDensity(H)),
        {},
        "normalisation.support",
    ),
    "a column of symbols that sums to more": (
        lambda: columns(HeavyColumns, CategoricalHead(H, 3)),
        {},
        "normalisation.support",
    ),
    "a column of counts that sums to more": (
        lambda: columns(HeavyColumns, CountHead(H)),
        {},
        "normalisation.support",
    ),
    "packed examples see each other": (lambda: model(LeakyPack(V, D, H, depth=2)), {}, "invariance.packing"),
    "what is given is taken for padding": (lambda: model(kind=PrefixUnread), {}, "invariance.padding"),
    "the mean over the elements for the sum": (lambda: model(kind=MeanForSum), {}, "accounting.total"),
    "the total in bfloat16": (lambda: model(kind=CoarseTotal), {}, "accounting.total"),
    "a head of logits without a normaliser": (
        lambda: randomised(type("Scored", (Scored,), {"bend": staticmethod(no_normaliser)})(H, V)),
        {},
        "normalisation.steps",
    ),
    "end never scored": (lambda: dropped(end_unscored), {}, "accounting.elements"),
    "start never scored": (lambda: dropped(start_unscored), {}, "accounting.elements"),
    "pad id equal to a symbol": (lambda: dropped(pad_is_a_symbol), {}, "accounting.elements"),
    "impossible examples dropped": (lambda: dropped(impossible_dropped), {}, "accounting.elements"),
    "a score shared by the batch": (lambda: dropped(shared), {}, "invariance.batch"),
    "padding changes the score": (lambda: dropped(length_matters), {}, "invariance.padding"),
    "noise in evaluation": (lambda: model(kind=Noisy), {}, "determinism.repeat"),
    "seed ignored": (lambda: model(kind=Unseeded), {}, "determinism.repeat"),
    "top-k left on": (lambda: model(kind=TopKLeftOn), {}, "sampling.fits"),
    "top-k left on, enumerated": (lambda: model(CausalConv(V, 4, H), kind=TopKLeftOn), {}, "sampling.fits"),
    "temperature left on": (lambda: model(kind=WarmSampler), {}, "sampling.fits"),
    "n-gram cache over part of the alphabet": (lambda: partial_cache, options(length=5), "normalisation.steps"),
    "a negative probability": (lambda: negative, options(length=5), "normalisation.steps"),
    "a memory between calls": (Remembering, {}, "determinism.repeat"),
    "data whose end is not scored": (
        model,
        {"examples": Rows(score_end=False), "domain": Rows.domain},
        "accounting.examples",
    ),
    "data whose start is not scored": (
        model,
        {"examples": Rows(score_start=False), "domain": Rows.domain},
        "accounting.examples",
    ),
    "last example dropped": (model, {"examples": Rows(drop=1), "domain": Rows.domain}, "accounting.examples"),
}

SOUND = {
    "rounded to bfloat16 inside": (lambda: mixed(half_inside), {}),
    "a gradient to the future and no value from it": (
        lambda: mixed(lambda self, h: h + h.flip(1) - h.flip(1).detach()),
        {},
    ),
    "causal convolutions": (model, {"examples": Rows(), "domain": Rows.domain}),
    "transformer": (lambda: model(Transformer(V, D, H, depth=2, dropout=0.2)), {}),
    "long examples": (lambda: model(CausalConv(V, 40, H, depth=3)), {}),
    "density": (lambda: model(CausalConv(None, D, H, depth=3), GaussianMixtureHead(H)), {}),
    "columns of every kind": (lambda: columns(ColumnsHead, CategoricalHead(H, 3)), {}),
    "a head": (lambda: randomised(CategoricalHead(H, V)), {}),
    "a network": (lambda: randomised(Transformer(V, D, H, depth=2)), {}),
    "recurrent module": (lambda: randomly(Recurrent), options()),
    "padded spectral convolution": (lambda: randomly(lambda: Spectral(padded=True)), options()),
    "one order": (lambda: randomly(lambda: MaskedLinear(list(range(D)))), options()),
    "n-gram": (lambda: ngram, options(length=5)),
    "quarter": (lambda: lambda prefix: [0.25] * 4, options(length=5)),
}
