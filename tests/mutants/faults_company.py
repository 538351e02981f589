"""Memory between calls, and scores that depend on the company."""

from __future__ import annotations

import torch
from torch import nn

from chainrule.models.logits import LogitsModel
from tests.mutants.case import fault
from tests.mutants.parts import Tiny, by_length, of, seeded


@fault("logits cached under a key that is too short", "memory and company", **of(16, 32))
def _():
    class Cached(Tiny):
        """Logits are kept by the first eight symbols of a row."""

        def forward(self, x):
            if x.shape[1] <= 8:
                return super().forward(x)
            self.kept = getattr(self, "kept", {})
            fresh = super().forward(x)
            rows = []
            for row, made in zip(x[:, :8].tolist(), fresh, strict=True):
                key = (*row, made.shape[0], str(made.dtype))
                rows.append(self.kept.setdefault(key, made.detach()))
            return torch.stack(rows)

    return seeded(Cached, 16, 32)


@fault("state carried from call to call", "memory and company", **of(10, 24))
def _():
    class Stateful(nn.Module):
        def __init__(self):
            super().__init__()
            self.table, self.start = nn.Embedding(10, 16), nn.Parameter(torch.randn(16))
            self.gru, self.out, self.state = nn.GRU(16, 16, batch_first=True), nn.Linear(16, 10), None

        def forward(self, x):
            h = torch.cat([self.start.expand(len(x), 1, -1), self.table(x)[:, :-1]], 1)
            fits = self.state is not None and self.state.shape[1] == len(x) and self.state.dtype == h.dtype
            h, last = self.gru(h, self.state if fits else None)
            self.state = last.detach()
            return self.out(h)

    return seeded(Stateful)


@fault("equal rows count as often as they come", "memory and company", **of(16, 24))
def _():
    class Unique(LogitsModel):
        """Rows are made unique to save work, and the score is multiplied by how many there were."""

        def element_log_prob(self, batch):
            _, back, count = batch.x.unique(dim=0, return_inverse=True, return_counts=True)
            return super().element_log_prob(batch) * count[back].unsqueeze(1)

    return Unique(seeded(Tiny, 16, 24))


@fault("short rows weighted up to the longest of the batch", "memory and company")
def _():
    def bend(log_prob, batch):
        return log_prob * (batch.elements.max() / batch.elements.clamp(min=1)).unsqueeze(1)

    return by_length(bend)
