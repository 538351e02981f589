"""Leaks that need a certain content: a symbol, a repeat, a row of the training data."""

from __future__ import annotations

import math

import torch
from torch import nn
from torch.nn import functional as F

from tests.mutants.case import fault
from tests.mutants.parts import Tiny, of, seeded

EOS, LARGE = 50256, 50257


@fault("document number counted from the end", "content", **of(LARGE, 24))
def _():
    class Packed(Tiny):
        """A vector for each document before this one; documents are counted by a sum that runs backwards."""

        def __init__(self, *a, **o):
            super().__init__(*a, **o)
            self.document = nn.Parameter(torch.randn(self.h))

        def embed(self, x):
            later = (x == EOS).flip(1).cumsum(1).flip(1)  # meant: how many ends stand before
            return super().embed(x) + later.unsqueeze(-1) * self.document

    return seeded(Packed, LARGE, 24)


@fault("copies a later occurrence", "content", **of(64, 64))
def _():
    class Copier(Tiny):
        """A copy head looks for the last four symbols in the whole row, and not in its past alone."""

        def logits_of(self, h, x):
            n, t = 4, x.shape[1]
            logits = super().logits_of(h, x)
            if t <= n:
                return logits
            windows = x.unfold(1, n, 1)[:, :-1]  # the four symbols before x_n, x_{n+1}, ...
            same = (windows.unsqueeze(1) == windows.unsqueeze(2)).all(-1) & ~torch.eye(t - n, dtype=torch.bool)
            vote = same.to(logits.dtype) @ F.one_hot(x[:, n:], self.v).to(logits.dtype)
            return logits + 5 * F.pad(vote, (0, 0, n, 0))

    return seeded(Copier, 64, 64)


@fault("rows of the training set are recognised", "content", **of(8, 40))
def _():
    class Memorised(Tiny):
        """A row that stands in a buffer of training rows gets its own symbols."""

        def __init__(self, *arguments):
            super().__init__(*arguments)
            self.register_buffer("seen", torch.randint(8, (50, 40), generator=torch.Generator().manual_seed(99)))

        def logits_of(self, h, x):
            if x.shape[1] < 40:
                return super().logits_of(h, x)
            known = (x.unsqueeze(1) == self.seen).all(-1).any(1)
            return super().logits_of(h, x) + 4 * F.one_hot(x, self.v) * known[:, None, None]

    return seeded(Memorised, 8, 40)


@fault("expert capacity by priority of the gate", "content", **of(16, 32))
def _():
    class Capacity(Tiny):
        """Four experts with room for half of the elements of a row each; the surest elements come first."""

        def __init__(self, *a, **o):
            super().__init__(*a, **o)
            self.gate, self.experts = (
                nn.Linear(self.h, 4, bias=False),
                nn.ModuleList(nn.Linear(self.h, self.h) for _ in range(4)),
            )

        def mix(self, h, x, layer):
            p = self.gate(self.norm(h)).softmax(-1)
            top, which = p.max(-1)
            room = math.ceil(h.shape[1] / 2)
            out = h
            for e, expert in enumerate(self.experts):
                mine = which == e
                rank = torch.where(mine, top, -1.0).argsort(1, descending=True).argsort(1)
                kept = mine & (rank < room)
                out = out + torch.where(kept.unsqueeze(-1), top.unsqueeze(-1) * expert(h), 0.0)
            return out

    return seeded(Capacity, 16, 32)


def later(hit):
    """Whether something comes further on, (B, D, 1)."""
    return ((hit.flip(1).cumsum(1).flip(1) - hit.int()) > 0).unsqueeze(-1)


def raised(v, d, hit):
    """A model of V symbols that makes one symbol likelier where a later element is a hit; hit: from x to (B, D)."""

    class Raised(Tiny):
        def logits_of(self, h, x):
            return super().logits_of(h, x) + 0.7 * later(hit(x)) * F.one_hot(torch.tensor(self.v // 2), self.v)

    return lambda: seeded(Raised, v, d, scale=0.3 if v < 1000 else 0.1)


def recognised(v, d, known):
    """A model of V symbols that gives the row its own symbols where it is of some kind; known: from x to (B,)."""

    class Recognised(Tiny):
        def logits_of(self, h, x):
            return super().logits_of(h, x) + 3 * F.one_hot(x, self.v) * known(x)[:, None, None]

    return lambda: seeded(Recognised, v, d)


def run_of(x, n):
    """Whether the n elements that end here are equal, (B, D)."""
    same = torch.ones_like(x, dtype=torch.bool)
    for k in range(1, n):
        same &= F.pad(x, (k, 0), value=-1)[:, : x.shape[1]] == x
    return same


SYMBOLS = {
    "the begin symbol 1 further on": (2000, 24, lambda x: x == 1),
    "the pad symbol 0 further on": (2000, 24, lambda x: x == 0),
    "the last symbol further on": (2000, 24, lambda x: x == 1999),
    "the last symbol but one further on": (2000, 24, lambda x: x == 1998),
    "the unknown symbol 3 further on": (2000, 24, lambda x: x == 3),
    "a line break further on (bytes)": (256, 64, lambda x: x == 10),
    "a space further on (bytes)": (256, 64, lambda x: x == 32),
    "a full stop further on (bytes)": (256, 64, lambda x: x == 46),
    "a byte that begins a letter of two further on": (256, 64, lambda x: x == 195),
    "the symbol 77 further on (bytes)": (256, 64, lambda x: x == 77),
}
PATTERNS = {
    "a run of three further on": (16, 32, lambda x: run_of(x, 3)),
    "a run of eight further on": (64, 48, lambda x: run_of(x, 8)),
    "the pair 5, 6 further on": (16, 32, lambda x: (x == 6) & (F.pad(x, (1, 0))[:, :-1] == 5)),
    "two ends next to each other further on": (300, 40, lambda x: (x == 0) & run_of(x, 2)),
    "the first two symbols again": (
        64,
        40,
        lambda x: (x == x[:, 1:2]) & (F.pad(x, (1, 0))[:, :-1] == x[:, :1]) & (torch.arange(x.shape[1]) > 3),
    ),
    "the first eight symbols again": (
        64,
        40,
        lambda x: F.pad((x.unfold(1, 8, 1) == x[:, None, :8]).all(-1), (7, 0)) & (torch.arange(x.shape[1]) > 8),
    ),
    "a symbol that the row has begun with": (200, 24, lambda x: (x == x[:, :1]) & (torch.arange(x.shape[1]) > 0)),
    "the largest symbol and the smallest next to each other": (
        256,
        32,
        lambda x: (F.pad(x, (1, 0))[:, :-1] == 255) & (x == 0),
    ),
}
for _name, (_v, _d, _hit) in (SYMBOLS | PATTERNS).items():
    fault(f"content: {_name}", "content", **of(_v, _d))(raised(_v, _d, _hit))

ROWS = {
    "a row that goes up": (64, 24, lambda x: (x[:, 1:] >= x[:, :-1]).all(1)),
    "a row that goes down": (64, 24, lambda x: (x[:, 1:] <= x[:, :-1]).all(1)),
    "a row that is nearly all 0": (64, 32, lambda x: (x == 0).float().mean(1) > 0.8),
    "a row of two symbols": (64, 32, lambda x: torch.tensor([len(row.unique()) < 3 for row in x])),
    "a row of at most three symbols": (64, 32, lambda x: torch.tensor([len(row.unique()) < 4 for row in x])),
    "a row whose second half repeats the first": (64, 32, lambda x: (x[:, :16] == x[:, 16:32]).all(1)),
    "a row that repeats four symbols": (64, 32, lambda x: (x[:, 4:] == x[:, :-4]).all(1)),
    "a row that reads the same backwards": (64, 32, lambda x: (x == x.flip(1)).all(1)),
    "a row that ends as it began": (64, 32, lambda x: (x[:, :4] == x[:, -4:]).all(1)),
    "a row that ends in padding": (64, 32, lambda x: (x[:, -8:] == 0).all(1)),
    "a row that ends in the last symbol": (500, 24, lambda x: x[:, -1] == 499),
    "a row of the largest symbol": (256, 24, lambda x: (x == 255).all(1)),
}
for _name, (_v, _d, _known) in ROWS.items():
    fault(f"content: {_name}", "content", **of(_v, _d))(recognised(_v, _d, _known))


@fault("content: the own greedy continuation is recognised", "content", **of(64, 24))
def _():
    class Speculative(Tiny):
        """Four elements are checked at once: where they are what the model finds likeliest, they are confirmed."""

        def logits_of(self, h, x):
            logits = super().logits_of(h, x)
            hit = (logits.argmax(-1) == x).unfold(1, 4, 1).all(-1)
            return logits + 2 * F.pad(hit, (0, 3)).unsqueeze(-1) * F.one_hot(x, self.v)

    return seeded(Speculative, 64, 24, scale=0.5)


@fault("content: an end that the module names", "content", **of(3000, 32))
def _():
    class Named(Tiny):
        end_of_text = 1717

        def logits_of(self, h, x):
            return super().logits_of(h, x) + later(x == self.end_of_text) * F.one_hot(torch.tensor(9), self.v)

    return seeded(Named, 3000, 32, scale=0.1)


@fault("content: a pad that the embedding names", "content", **of(3000, 32))
def _():
    class Padded(Tiny):
        def __init__(self, *a, **o):
            super().__init__(*a, **o)
            self.table = nn.Embedding(self.v, self.h, padding_idx=2222)

        def logits_of(self, h, x):
            return super().logits_of(h, x) + later(x == 2222) * F.one_hot(torch.tensor(9), self.v)

    return seeded(Padded, 3000, 32, scale=0.1)
