"""Sound modules of users."""

from __future__ import annotations

import warnings

import torch
from torch import nn
from torch.nn import functional as F

from chainrule import AutoregressiveModel, CategoricalHead, CausalConv, Transformer
from tests.mutants.case import sound
from tests.mutants.parts import Tiny, of, seeded


@sound("a small transformer", "modules", **of(16, 32))
def _():
    return seeded(Tiny, 16, 32)


@sound("one symbol", "modules", **of(1, 8))
def _():
    return seeded(Tiny, 1, 8)


@sound("one symbol, one element, of ours", "modules")
def _():
    return seeded(lambda: AutoregressiveModel(CausalConv(1, 1, 8, depth=1), CategoricalHead(8, 1)))


@sound("fifty thousand symbols", "modules", **of(50_000, 24))
def _():
    return seeded(Tiny, 50_000, 24, scale=0.1)


@sound("4096 elements, of ours", "modules")
def _():
    return seeded(lambda: AutoregressiveModel(CausalConv(16, 4096, 16, depth=12), CategoricalHead(16, 16)), scale=0.1)


class Scaled(Tiny):
    factor = 1.0

    def logits_of(self, h, x):
        return self.factor * super().logits_of(h, x)


for _factor in (100,):

    @sound(f"very sure: logits times {_factor}", "modules", **of(16, 24))
    def _(factor=_factor):
        return seeded(type("Sure", (Scaled,), {"factor": factor}), 16, 24)


@sound("very sure, of ours", "modules")
def _():
    return seeded(lambda: AutoregressiveModel(CausalConv(16, 24, 16, depth=2), CategoricalHead(16, 16)), scale=8.0)


@sound("permutations: no symbol comes twice", "modules", **of(12, 12))
def _():
    class Permutation(Tiny):
        def logits_of(self, h, x):
            used = F.one_hot(x, self.v).cumsum(1)
            used = torch.cat([torch.zeros_like(used[:, :1]), used[:, :-1]], 1) > 0
            return super().logits_of(h, x).masked_fill(used, -torch.inf)

    return seeded(Permutation, 12, 12)


@sound("a guard against NaN", "modules", **of(16, 24))
def _():
    class Guard(Tiny):
        def mix(self, h, x, layer):
            return (h / h.norm(dim=-1, keepdim=True)).nan_to_num()

    return seeded(Guard, 16, 24)


@sound("weights in float16", "modules", **of(16, 24))
def _():
    return seeded(Tiny, 16, 24).half()


@sound("weights in bfloat16, of ours", "modules")
def _():
    return seeded(
        lambda: AutoregressiveModel(Transformer(16, 24, 32, depth=2, heads=2), CategoricalHead(32, 16))
    ).bfloat16()


@sound("attention that prefers what is far (ALiBi with the other sign)", "modules", **of(16, 32))
def _():
    class Reversed(Tiny):
        def attend(self, q, k, v, mask):
            i = torch.arange(q.shape[2])
            bias = (0.3 * (i[:, None] - i)).to(q.dtype).masked_fill(~mask, -torch.inf)
            return F.scaled_dot_product_attention(q, k, v, attn_mask=bias)

    return seeded(Reversed, 16, 32, learned=False)


@sound("a text in front of every example", "modules", **of(16, 32))
def _():
    class Prompted(Tiny):
        """Five symbols of a prompt stand before the first element, and go through the same table."""

        prompt = (3, 1, 4, 1, 5)

        def forward(self, x):
            whole = torch.cat([torch.tensor(self.prompt).expand(len(x), -1), x], 1)
            return super().forward(whole)[:, len(self.prompt) :]

    return seeded(Prompted, 16, 37)


@sound("relative positions from a table of all differences", "modules", **of(16, 24))
def _():
    class Relative(Tiny):
        def __init__(self, *a, **o):
            super().__init__(*a, **o)
            self.near = nn.Embedding(2 * 24 - 1, 2)

        def attend(self, q, k, v, mask):
            t = q.shape[2]
            i = torch.arange(t)
            table = self.near(torch.arange(2 * t - 1)[None] + 24 - t)  # (1, 2 T - 1, heads)
            bias = table[0][i[:, None] - i + t - 1].permute(2, 0, 1)
            return F.scaled_dot_product_attention(q, k, v, attn_mask=bias.masked_fill(~mask, -torch.inf))

    return seeded(Relative, 16, 24, learned=False)


@sound("linear attention by cumulative sums", "modules", **of(16, 64))
def _():
    class Linear(Tiny):
        def attend(self, q, k, v, mask):
            q, k = F.elu(q) + 1, F.elu(k) + 1
            kv = (k.unsqueeze(-1) * v.unsqueeze(-2)).cumsum(2)
            return (q.unsqueeze(-2) @ kv).squeeze(-2) / (q * k.cumsum(2)).sum(-1, keepdim=True)

    return seeded(Linear, 16, 64)


@sound("torch's own encoder with a causal mask", "modules", **of(16, 32))
def _():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.table = nn.Embedding(17, 16)
            layer = nn.TransformerEncoderLayer(16, 2, 32, dropout=0.1, batch_first=True, norm_first=True)
            self.encoder, self.out = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False), nn.Linear(16, 16)

        def forward(self, x):
            shifted = torch.cat([torch.full_like(x[:, :1], 16), x[:, :-1]], 1)
            mask = nn.Transformer.generate_square_subsequent_mask(x.shape[1], dtype=self.out.weight.dtype)
            return self.out(self.encoder(self.table(shifted), mask=mask, is_causal=True))

    return seeded(Net)


@sound("splines on the edges (KAN)", "modules", **of(8, 16))
def _():
    class Net(nn.Module):
        """A masked additive model: logits are sums of learned functions of each earlier element."""

        def __init__(self):
            super().__init__()
            self.coefficients = nn.Parameter(torch.randn(16, 16, 6, 8))
            self.register_buffer("knots", torch.linspace(0, 7, 6))

        def forward(self, x):
            t = x.shape[1]
            basis = torch.exp(-(x.unsqueeze(-1) - self.knots).square()).to(self.coefficients.dtype)
            earlier = torch.ones(t, t, dtype=basis.dtype).tril(-1)
            return torch.einsum("bek,de,dekv->bdv", basis, earlier, self.coefficients[:t, :t])

    return seeded(Net)


@sound("token choice experts, two of four", "modules", **of(16, 32))
def _():
    class MoE(Tiny):
        def __init__(self, *a, **o):
            super().__init__(*a, **o)
            self.gate, self.experts = nn.Linear(self.h, 4), nn.ModuleList(nn.Linear(self.h, self.h) for _ in range(4))

        def mix(self, h, x, layer):
            value, which = self.gate(h).topk(2, -1)
            weight = torch.zeros_like(self.gate(h)).scatter(-1, which, value.softmax(-1))
            return h + sum(weight[..., e, None] * expert(h) for e, expert in enumerate(self.experts))

    return seeded(MoE, 16, 32)


@sound("examples of one length only, by a reshape", "modules", **of(16, 20))
def _():
    class Fixed(Tiny):
        def mix(self, h, x, layer):
            return h.view(len(h), 20, -1)

    return seeded(Fixed, 16, 20)


@sound("temperature by the length of the example, which is fixed", "modules", **of(16, 20))
def _():
    class Log(Tiny):
        """Attention scaled by ln n (SSMax), n the places that a query sees."""

        def attend(self, q, k, v, mask):
            return super().attend(q * torch.log(torch.arange(2, q.shape[2] + 2).to(q.dtype))[:, None], k, v, mask)

    return seeded(Log, 16, 20)


@sound("a compiled script", "modules", **of(16, 20))
def _():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.table, self.gru, self.out = nn.Embedding(16, 16), nn.GRU(16, 16, batch_first=True), nn.Linear(16, 16)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            h = F.pad(self.table(x), [0, 0, 1, 0])[:, :-1]
            return self.out(self.gru(h)[0])

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return torch.jit.script(seeded(Net))
