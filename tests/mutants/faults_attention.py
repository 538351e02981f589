"""Leaks inside of a small transformer: masks, shifts, statistics over the elements, positions by the length."""

from __future__ import annotations

import math

import torch
from torch import nn
from torch.nn import functional as F

from tests.mutants.case import fault
from tests.mutants.parts import Tiny, of, seeded

KIND = "places and modes"


def bent(name, part, bend, d=24, v=16, **options):
    """A fault that replaces one method of `Tiny`."""
    kind = type("Bent", (Tiny,), {part: bend})
    fault(name, KIND, **of(v, d))(lambda: seeded(kind, v, d, **options))


def causal(t):
    return torch.ones(t, t, dtype=torch.bool).tril()


MASKS = {
    "mask: one ahead in the second layer": lambda s, t, x, layer: torch.ones(t, t, dtype=torch.bool).tril(layer),
    "mask: none in the last layer": lambda s, t, x, layer: causal(t) | (layer == 1),
    "mask: the first four see each other": lambda s, t, x, layer: causal(t) | (torch.arange(t) < 4),
    "mask: blocks of four see each other": lambda s, t, x, layer: torch.arange(t)[:, None] // 4 >= torch.arange(t) // 4,
    "mask: transposed": lambda s, t, x, layer: causal(t).T,
    "mask: rows of odd length see one ahead": lambda s, t, x, layer: torch.ones(t, t, dtype=torch.bool).tril(t % 2),
    "mask: the last row sees everything, shifted": lambda s, t, x, layer: torch.cat(
        [causal(t)[1:], torch.ones(1, t, dtype=torch.bool)]
    ),
    "mask: a global element in the middle that all see": lambda s, t, x, layer: causal(t) | (torch.arange(t) == t // 2),
    "mask: cut from the wrong corner of a buffer": lambda s, t, x, layer: torch.ones(64, 64, dtype=torch.bool).tril(3)[
        :t, :t
    ],
    "mask: symbol 3 is open to all": lambda s, t, x, layer: causal(t) | F.pad(x, (1, -1)).eq(3)[:, None, :],
    "mask: after the end symbol 0 all is open": lambda s, t, x, layer: causal(t) | (x == 0).any(1)[:, None, None],
    "mask: the window wraps around": lambda s, t, x, layer: (torch.arange(t)[:, None] - torch.arange(t)) % t < 8,
}
for _name, _bend in MASKS.items():
    bent(_name, "mask", _bend, d=23 if "odd" in _name else 24)


def additive(amount):
    def attend(self, q, k, v, mask):
        bias = torch.zeros(mask.shape, dtype=q.dtype).masked_fill(~mask, amount)
        return F.scaled_dot_product_attention(q, k, v, attn_mask=bias)

    return attend


def one_head(self, q, k, v, mask):
    opened = torch.stack([mask, torch.ones_like(mask)])
    return F.scaled_dot_product_attention(q, k, v, attn_mask=opened)


def over_queries(self, q, k, v, mask):
    weight = (q @ k.mT / math.sqrt(q.shape[-1])).masked_fill(~mask, -1e9).softmax(-2)
    return weight @ v


def mean_of_keys(self, q, k, v, mask):
    return F.scaled_dot_product_attention(
        q, k - k.mean(2, keepdim=True), v * (1 + k.mean(2, keepdim=True)), attn_mask=mask
    )


def mean_of_values(self, q, k, v, mask):
    return F.scaled_dot_product_attention(q, k, v - v.mean(2, keepdim=True), attn_mask=mask)


def biased_without_mask(self, q, k, v, mask):
    i = torch.arange(q.shape[2])
    return F.scaled_dot_product_attention(q, k, v, attn_mask=-0.5 * (i[:, None] - i).abs().to(q.dtype))


def mask_after_softmax(self, q, k, v, mask):
    return ((q @ k.mT / math.sqrt(q.shape[-1])).softmax(-1) * mask.to(q.dtype)) @ v


def only_while_training(self, q, k, v, mask):
    return F.scaled_dot_product_attention(q, k, v, attn_mask=None if self.training else mask)


ATTENTION = {
    "attention: masked by minus five": additive(-5.0),
    "attention: masked by minus ten": additive(-10.0),
    "attention: one head is open": one_head,
    "attention: the softmax runs over the queries": over_queries,
    "attention: keys centred over the row": mean_of_keys,
    "attention: values centred over the row": mean_of_values,
    "attention: distances in place of a mask": biased_without_mask,
    "attention: masked after the softmax": mask_after_softmax,
    "attention: no mask in training": only_while_training,
}
for _name, _bend in ATTENTION.items():
    bent(_name, "attend", _bend)


def pooled(self, h, x, layer):
    return h + F.max_pool1d(h.mT, 3, 1, padding=1).mT


def same_convolution(self, h, x, layer):
    kernel = torch.ones(h.shape[-1], 1, 3, dtype=h.dtype) / 3
    return h + F.conv1d(h.mT, kernel, padding=1, groups=h.shape[-1]).mT


MIXES = {
    "mix: layer norm over the row": lambda s, h, x, layer: (h - h.mean(1, keepdim=True)) / (1 + h.std(1, keepdim=True)),
    "mix: the mean of the row as a gate": lambda s, h, x, layer: h * torch.sigmoid(h.mean(1, keepdim=True)),
    "mix: max pooling with padding on both sides": pooled,
    "mix: a convolution of the same width": same_convolution,
    "mix: shares of the sum of the row": lambda s, h, x, layer: h + h.cumsum(1) / (1 + h.sum(1, keepdim=True).abs()),
    "mix: reversed cumulative sums": lambda s, h, x, layer: h + 0.1 * h.flip(1).cumsum(1).flip(1),
    "mix: interpolated to half the length and back": lambda s, h, x, layer: (
        h + F.interpolate(F.interpolate(h.mT, scale_factor=0.5, mode="linear"), size=h.shape[1], mode="linear").mT
    ),
    "mix: a Fourier transform of the row": lambda s, h, x, layer: h + torch.fft.fft(h, dim=1).real,
    "mix: sorted over the row": lambda s, h, x, layer: h + 0.1 * h.sort(1).values,
    "mix: the strongest element of the row is removed": lambda s, h, x, layer: h * (h < h.amax(1, keepdim=True)),
    "mix: rolled by minus one": lambda s, h, x, layer: h + 0.3 * h.roll(-1, 1),
    "mix: neighbours in the batch": lambda s, h, x, layer: h + 0.1 * h.roll(1, 0),
    "mix: centred over the batch": lambda s, h, x, layer: h - h.mean(0, keepdim=True),
    "mix: dropout left on in evaluation": lambda s, h, x, layer: F.dropout(h, 0.1, training=True),
    "mix: looks ahead in training": lambda s, h, x, layer: h + 0.1 * h.roll(-1, 1) * s.training,
    "mix: looks ahead in the second half": lambda s, h, x, layer: torch.cat(
        [h[:, : h.shape[1] // 2], h[:, h.shape[1] // 2 :] + h[:, h.shape[1] // 2 :].mean(1, keepdim=True)], 1
    ),
    "mix: outliers are measured over the row": lambda s, h, x, layer: h.clamp(max=h.mean(1, keepdim=True) + 1),
    "mix: int8 by the range of the row": lambda s, h, x, layer: (
        (h / h.abs().amax((1, 2), keepdim=True) * 127).round() * h.abs().amax((1, 2), keepdim=True) / 127
    ),
}
for _name, _bend in MIXES.items():
    bent(_name, "mix", _bend)


def unshifted(self, x):
    return self.table(x) + self.positions(x.shape[1])


def shifted_around(self, x):
    return self.table(x.roll(1, 1)) + self.positions(x.shape[1])


def from_the_end(self, x):
    return Tiny.embed(self, x) - self.place[: x.shape[1]] + self.place[: x.shape[1]].flip(0)


def length_known(self, x):
    return Tiny.embed(self, x) + x.shape[1] / 10 * self.start


def counted_symbols(self, x):
    return Tiny.embed(self, x) + (x == 1).sum(1)[:, None, None] / 10 * self.start


def a_class_from_the_row(self, x):
    return Tiny.embed(self, x) + self.table(x[:, -1:])


def noise_by_row(self, x):
    return Tiny.embed(self, x) + torch.arange(len(x))[:, None, None] / 10 * self.start


EMBEDDINGS = {
    "embedding: not shifted": unshifted,
    "embedding: shifted around the end": shifted_around,
    "embedding: positions counted from the end": from_the_end,
    "embedding: the length is added": length_known,
    "embedding: how often a symbol comes": counted_symbols,
    "embedding: the last element in front": a_class_from_the_row,
    "embedding: the number of the row is added": noise_by_row,
}
for _name, _bend in EMBEDDINGS.items():
    bent(_name, "embed", _bend)


LOGITS = {
    "logits: own symbol is a little likelier": lambda s, h, x: s.out(h) + 0.05 * F.one_hot(x, s.v),
    "logits: own symbol, where it repeats the one before": lambda s, h, x: (
        s.out(h) + F.one_hot(x, s.v) * (x == x.roll(1, 1)).unsqueeze(-1)
    ),
    "logits: symbols that come anywhere in the row": lambda s, h, x: s.out(h) + F.one_hot(x, s.v).amax(1, keepdim=True),
    "logits: the symbol 5 further on raises the symbol 6": lambda s, h, x: (
        s.out(h) + (x == 5).flip(1).cumsum(1).flip(1).unsqueeze(-1) * F.one_hot(torch.tensor(6), s.v)
    ),
    "logits: a palindrome is recognised": lambda s, h, x: (
        s.out(h) + 3 * F.one_hot(x, s.v) * (x == x.flip(1)).all(1)[:, None, None]
    ),
    "logits: a row of one symbol is recognised": lambda s, h, x: (
        s.out(h) + 3 * F.one_hot(x, s.v) * (x == x[:, :1]).all(1)[:, None, None]
    ),
    "logits: the second half repeats the first": lambda s, h, x: (
        s.out(h) + 3 * F.one_hot(x, s.v) * (x[:, : x.shape[1] // 2] == x[:, x.shape[1] // 2 :]).all(1)[:, None, None]
    ),
}
for _name, _bend in LOGITS.items():
    bent(_name, "logits_of", _bend)


class Recurrent(nn.Module):
    """A recurrent network in one of several wrong ways."""

    def __init__(self, how):
        super().__init__()
        self.how, self.table = how, nn.Embedding(8, 16)
        self.gru = nn.GRU(16, 16, 2, batch_first=True, bidirectional=how == "both directions")
        self.out = nn.Linear(32 if how == "both directions" else 16, 8)

    def forward(self, x):
        e = F.pad(self.table(x), (0, 0, 1, 0))[:, :-1]
        if self.how == "last state in front":
            return self.out(self.gru(e, self.gru(self.table(x))[1])[0])
        if self.how == "batch and time swapped":
            return self.out(self.gru(e.transpose(0, 1))[0].transpose(0, 1))
        if self.how == "backwards":
            return self.out(self.gru(self.table(x).flip(1))[0])
        return self.out(self.gru(e)[0])


for _how in ("both directions", "last state in front", "batch and time swapped", "backwards"):
    fault(f"recurrent: {_how}", KIND, **of(8, 16))(lambda how=_how: seeded(Recurrent, how))
