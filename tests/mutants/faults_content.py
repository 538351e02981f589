"""Leaks that need a certain content: a symbol, a repeat, a row of the training data."""

from __future__ import annotations

import math

import torch
from torch import nn
from torch.nn import functional as F

from tests.mutants.case import fault
from tests.mutants.parts import Tiny, of, seeded

EOS, LARGE = 50256, 50257


@fault("document number counted from the end", "content", **of(LARGE, 64))
def _():
    class Packed(Tiny):
        """A vector for each document before this one; documents are counted by a sum that runs backwards."""

        def __init__(self, *a, **o):
            super().__init__(*a, **o)
            self.document = nn.Parameter(torch.randn(self.h))

        def embed(self, x):
            later = (x == EOS).flip(1).cumsum(1).flip(1)  # meant: how many ends stand before
            return super().embed(x) + later.unsqueeze(-1) * self.document

    return seeded(Packed, LARGE, 64)


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
