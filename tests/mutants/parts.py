"""What the cases are made of: small models whose parts can be replaced."""

from __future__ import annotations

from collections import Counter, defaultdict

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from chainrule import AutoregressiveModel, Batch, CategoricalHead, CausalConv
from chainrule.domain import Domain
from chainrule.heads.gaussian_mixture import GaussianMixtureHead
from chainrule.models.base import Sample
from chainrule.verification.laws import randomised


def seeded(build, *arguments, scale=0.3, **options):
    torch.manual_seed(0)
    return randomised(build(*arguments, **options), scale=scale)


def of(v, d):
    return {"num_symbols": v, "length": d}


# --- a small transformer of our own, whose parts can be replaced -----------------------------------------------------


class Tiny(nn.Module):
    """Start, embedding, blocks of causal attention and a feed-forward layer, logits; every method can be replaced."""

    def __init__(self, v=16, d=32, h=16, depth=2, heads=2, learned=True):
        super().__init__()
        self.v, self.d, self.h, self.heads = v, d, h, heads
        self.table, self.start = nn.Embedding(v, h), nn.Parameter(torch.randn(h))
        self.place = nn.Parameter(0.3 * torch.randn(d, h)) if learned else None
        self.qkv = nn.ModuleList(nn.Linear(h, 3 * h) for _ in range(depth))
        self.up, self.down = (nn.ModuleList(nn.Linear(*s) for _ in range(depth)) for s in ((h, 2 * h), (2 * h, h)))
        self.norm = nn.LayerNorm(h)
        self.out = nn.Linear(h, v)

    def embed(self, x):
        e = self.table(x)
        e = torch.cat([self.start.expand(len(x), 1, -1), e[:, :-1]], 1)
        return e if self.place is None else e + self.positions(x.shape[1])

    def positions(self, t):
        return self.place[:t]

    def mask(self, t, x, layer):
        return torch.ones(t, t, dtype=torch.bool).tril()

    def attend(self, q, k, v, mask):
        return F.scaled_dot_product_attention(q, k, v, attn_mask=mask)

    def mix(self, h, x, layer):
        return h

    def logits_of(self, h, x):
        return self.out(self.norm(h))

    def forward(self, x):
        h = self.embed(x)
        b, t, _ = h.shape
        for layer, (qkv, up, down) in enumerate(zip(self.qkv, self.up, self.down, strict=True)):
            q, k, v = (z.view(b, t, self.heads, -1).transpose(1, 2) for z in qkv(self.norm(h)).chunk(3, -1))
            mask = self.mask(t, x, layer)
            mask = mask.unsqueeze(1) if mask.ndim == 3 else mask
            h = h + self.attend(q, k, v, mask).transpose(1, 2).reshape(b, t, -1)
            h = h + down(F.gelu(up(self.norm(h))))
            h = self.mix(h, x, layer)
        return self.logits_of(h, x)


class Lengths(AutoregressiveModel):
    def element_log_prob(self, batch):
        batch = batch if isinstance(batch, Batch) else Batch(batch)
        return self.bend(super().element_log_prob(batch), batch)


def by_length(bend):
    kind = type("Bent", (Lengths,), {"bend": lambda self, a, b: bend(a, b)})
    return seeded(lambda: kind(CausalConv(8, 24, 16, depth=2), CategoricalHead(16, 8)))


class Bent(CategoricalHead):
    def forward(self, h):
        p = super().forward(h)
        exact, bend = p.log_prob, self.bend
        p.log_prob = lambda x: bend(p, x, exact(x))
        return p


def bent(bend, v=16, d=16, width=16, scale=0.3):
    head = type("Bent", (Bent,), {"bend": staticmethod(bend)})
    return seeded(lambda: AutoregressiveModel(CausalConv(v, d, width, depth=2), head(width, v)), scale=scale)


def drawn_by(bend, v=64, d=64, scale=0.3):
    """A model of ours whose sampler draws x_d = bend(d, p, u, x_<d) from uniform numbers u."""

    class Drawn(AutoregressiveModel):
        def sample(self, n, *, seed=None, length=None, context=None, prefix=None, **options):
            length = length or self.network.length
            generator = torch.Generator().manual_seed(0 if seed is None else seed)
            u = torch.rand(n, length, generator=generator, dtype=torch.float64)
            before, log_p = [], []

            def draw(i, p):
                x = bend(i, p, u, before)
                before.append(x)
                log_p.append(p.log_prob(x))
                return x

            x = self.unroll(draw, n, length, context)
            total = torch.stack(log_p, 1).sum(1, dtype=torch.float64)
            return Sample(x, torch.ones_like(x, dtype=torch.bool), total, None)

    return seeded(lambda: Drawn(CausalConv(v, d, 16, depth=3), CategoricalHead(16, v)), scale=scale)


def inverse(pmf, u):
    running = pmf.double().cumsum(-1)
    return (
        torch.searchsorted(running, (u * running[..., -1]).unsqueeze(-1), right=True)
        .squeeze(-1)
        .clamp(max=pmf.shape[-1] - 1)
    )


def top_p(pmf, mass):
    value, order = pmf.sort(-1, descending=True)
    kept = value.cumsum(-1) - value < mass
    return torch.zeros_like(pmf).scatter(-1, order, value * kept)


TEXT = (
    "a model gives every symbol a probability. a certificate asks whether they sum to one, whether the future "
    "is hidden, whether the sampler draws what the score says, and whether each symbol is counted once. "
) * 4
LETTERS = sorted(set(TEXT))
CODES = [LETTERS.index(c) for c in TEXT]


def counted(order):
    counts = defaultdict(Counter)
    for i in range(order, len(CODES)):
        counts[tuple(CODES[i - order : i])][CODES[i]] += 1
    return counts


class Rows:
    """Examples of variable length whose last symbol, 7, is the end."""

    domain = Domain(shape=(24,), num_symbols=8, variable_length=True, end=7)

    def __len__(self):
        return 60

    def rows(self, numbers):
        return [[(3 * r + k) % 7 for k in range(2 + r % 20)] + [7] for r in numbers]

    def batch(self, numbers):
        batch = Batch.of(self.rows(np.asarray(numbers).tolist()))
        return Batch(batch.x, self.bend(batch.mask.clone(), batch.x, np.asarray(numbers)))

    def bend(self, mask, x, numbers):
        return mask


def data(kind):
    def build():
        made = seeded(lambda: AutoregressiveModel(CausalConv(8, 24, 16, depth=3), CategoricalHead(16, 8)))
        return made, {"examples": kind(), "domain": Rows.domain}

    return build


def gaussian(build=None, scale=0.05, d=6, **options):
    def make():
        made = AutoregressiveModel(CausalConv(None, d, 16, depth=2), GaussianMixtureHead(16, **options))
        if build is not None:
            made.initialise(build(torch.Generator().manual_seed(1)))
        return made

    return seeded(make, scale=scale)


def language_model(kind, **options):
    """A small one with random weights, large enough to matter."""
    import transformers

    base = dict(
        vocab_size=40,
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        intermediate_size=48,
        max_position_embeddings=64,
        bos_token_id=0,
        eos_token_id=0,
        pad_token_id=0,
    )
    config = transformers.AutoConfig.for_model(kind, **(base | options))
    torch.manual_seed(0)
    return randomised(transformers.AutoModelForCausalLM.from_config(config), scale=0.1)


GPT2 = dict(n_embd=32, n_layer=2, n_head=4, n_positions=160, max_position_embeddings=160)
