"""Leaks at one place, over a seam, at one size of the batch, in one type."""

from __future__ import annotations

import warnings

import torch
from torch import nn
from torch.nn import functional as F

from chainrule import AutoregressiveModel, CategoricalHead, Transformer
from tests.mutants.case import fault
from tests.mutants.parts import Tiny, of, seeded


def sees(places, amount=1.0):
    """x_p itself is shown at the places p."""

    class Shown(Tiny):
        def logits_of(self, h, x):
            logits = super().logits_of(h, x)
            own = amount * F.one_hot(x, self.v).to(logits.dtype)
            at = torch.zeros(x.shape[1], 1)
            at[[p for p in places if p < x.shape[1]]] = 1
            return logits + own * at.to(logits.dtype)

    return Shown


@fault("one element of 512 sees itself", "places and modes", **of(16, 512))
def _():
    return seeded(sees([301], 3.0), 16, 512)


@fault("every 128th element of 512 sees itself (a seam of chunks)", "places and modes", **of(16, 512))
def _():
    return seeded(sees([127, 255, 383], 3.0), 16, 512)


@fault("local attention whose chunk ends see one ahead", "places and modes", **of(16, 64))
def _():
    class Chunks(Tiny):
        def mask(self, t, x, layer):
            mask = super().mask(t, x, layer).clone()
            for end in range(15, t - 1, 16):
                mask[end, end + 1] = True
            return mask

    return seeded(Chunks, 16, 64)


@fault("a window that wraps around", "places and modes", **of(16, 48))
def _():
    class Rolled(Tiny):
        """The mean of the last eight, by rolling: the first see the end."""

        def mix(self, h, x, layer):
            return h + torch.stack([h.roll(k, 1) for k in range(8)]).mean(0)

    return seeded(Rolled, 16, 48)


@fault("normed by a quantile over time", "places and modes", **of(16, 32))
def _():
    class Quantile(Tiny):
        def mix(self, h, x, layer):
            return h / h.abs().quantile(0.95, dim=1, keepdim=True).clamp(min=1.0)

    return seeded(Quantile, 16, 32)


@fault("large batches go through a kernel without the mask", "places and modes", **of(16, 24))
def _():
    class Kernel(Tiny):
        def mask(self, t, x, layer):
            whole = torch.ones(t, t, dtype=torch.bool)
            return whole if 8 <= len(x) < 1000 else whole.tril()

    return seeded(Kernel, 16, 24)


@fault("in training the kernel of single precision has no mask", "places and modes", **of(16, 32))
def _():
    class Flash(Tiny):
        def attend(self, q, k, v, mask):
            fast = self.training and q.dtype != torch.float64
            return F.scaled_dot_product_attention(q, k, v, attn_mask=None if fast else mask)

    return seeded(Flash, 16, 32)


@fault("dropout seeded by the content, in evaluation too", "places and modes", **of(16, 32))
def _():
    class Keyed(Tiny):
        def mix(self, h, x, layer):
            generator = torch.Generator().manual_seed(int(x.sum()) % 97)
            return h * (torch.rand(h.shape[1:], generator=generator) > 0.1).to(h.dtype)

    return seeded(Keyed, 16, 32)


@fault("rotary base by the length of the row (dynamic NTK)", "places and modes", **of(16, 64))
def _():
    class Dynamic(Tiny):
        def attend(self, q, k, v, mask):
            t, size = q.shape[2], q.shape[3]
            base = 100.0 * max(1.0, t / 32)
            angle = torch.arange(t)[:, None] * base ** (-torch.arange(0, size, 2) / size)
            cos, sin = angle.cos().to(q.dtype), angle.sin().to(q.dtype)

            def turn(z):
                even, odd = z[..., 0::2], z[..., 1::2]
                return torch.cat([even * cos - odd * sin, even * sin + odd * cos], -1)

            return F.scaled_dot_product_attention(turn(q), turn(k), v, attn_mask=mask)

    return seeded(Dynamic, 16, 64, learned=False)


@fault("PyTorch's own dynamic quantisation", "places and modes", **of(16, 32))
def _():
    class Linears(nn.Module):
        def __init__(self):
            super().__init__()
            self.table, self.start = nn.Embedding(16, 32), nn.Parameter(torch.randn(32))
            self.gru = nn.GRU(32, 32, batch_first=True)
            self.mlp = nn.Sequential(nn.Linear(32, 64), nn.GELU(), nn.Linear(64, 16))

        def forward(self, x):
            h = torch.cat([self.start.expand(len(x), 1, -1), self.table(x)[:, :-1]], 1)
            return self.mlp(self.gru(h)[0])

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return torch.ao.quantization.quantize_dynamic(seeded(Linears), {nn.Linear}, dtype=torch.qint8)


@fault("a third packed document sees the first", "places and modes")
def _():
    class Third(Transformer):
        def packed(self, x, segment_ids):
            document = segment_ids
            return super().packed(x, document) + (document >= 2).unsqueeze(-1) * self.embedding.elements(x)[:, :1]

    return seeded(lambda: AutoregressiveModel(Third(8, 24, 16, depth=2, heads=2), CategoricalHead(16, 8)))
