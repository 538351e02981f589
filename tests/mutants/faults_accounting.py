"""Scores that are not ln p: of elements, of symbols, of whole examples; and data that is counted wrongly."""

from __future__ import annotations

import math

import numpy as np
import torch

from chainrule import AutoregressiveModel, Batch, CategoricalHead, CausalConv
from tests.mutants.case import fault
from tests.mutants.parts import Rows, bent, by_length, data, of, seeded

SCORES = {
    "in bits": lambda p, x, exact: exact / math.log(2),
    "with the temperature 1.02": lambda p, x, exact: exact / 1.02,
    "with another sign": lambda p, x, exact: -exact,
    "of the symbol before": lambda p, x, exact: p.log_pmf().gather(-1, ((x - 1) % 16).unsqueeze(-1)).squeeze(-1) + 0.01,
    "the last symbol as the last but one": lambda p, x, exact: torch.where(x == 15, p.log_pmf()[..., 14], exact),
    "logits without a normaliser": lambda p, x, exact: p.logits.gather(-1, x.unsqueeze(-1)).squeeze(-1),
    "a normaliser without the last symbol": lambda p, x, exact: (
        exact + p.logits.logsumexp(-1) - p.logits[..., :-1].logsumexp(-1)
    ),
    "a normaliser of the five likeliest": lambda p, x, exact: (
        exact + p.logits.logsumexp(-1) - p.logits.topk(5).values.logsumexp(-1)
    ),
    "a floor of -6": lambda p, x, exact: exact.clamp(min=-6),
    "a ceiling of -0.5": lambda p, x, exact: exact.clamp(max=-0.5),
    "with 1e-3 added to p": lambda p, x, exact: (exact.exp() + 1e-3).log(),
    "clamped to [1e-3, 1]": lambda p, x, exact: exact.exp().clamp(1e-3, 1).log(),
    "smoothed by a tenth": lambda p, x, exact: 0.9 * exact + 0.1 * p.log_pmf().mean(-1),
    "symbol 0 not counted": lambda p, x, exact: torch.where(x == 0, 0.0, exact),
    "symbol 1 counted twice": lambda p, x, exact: torch.where(x == 1, 2 * exact, exact),
    "rare symbols not counted": lambda p, x, exact: torch.where(exact < -5, 0.0, exact),
    "to two places": lambda p, x, exact: (exact * 100).round() / 100,
    "in half precision": lambda p, x, exact: exact.half().to(exact.dtype),
    "a bonus for the likeliest symbol": lambda p, x, exact: exact + 0.01 * (x == p.logits.argmax(-1)),
    "focal weights": lambda p, x, exact: exact * (1 - exact.exp()),
    "the mean of the batch subtracted": lambda p, x, exact: exact - exact.mean(0, keepdim=True) + exact.mean(),
    "weights by class": lambda p, x, exact: exact * (1 + 0.1 * (x % 2)),
}
for _name, _bend in SCORES.items():
    fault(f"score: {_name}", "heads and scores")(lambda bend=_bend: bent(bend, scale=0.5))

LENGTHS = {
    "the mean over the elements": lambda a, b: a / b.elements.unsqueeze(1).clamp(min=1),
    "the root of the length": lambda a, b: a / b.elements.unsqueeze(1).clamp(min=1).sqrt(),
    "padding scored too": lambda a, b: torch.where(b.mask, a, -0.1),
    "the first element not scored": lambda a, b: torch.cat([torch.zeros_like(a[:, :1]), a[:, 1:]], 1),
    "the last column not scored": lambda a, b: torch.cat([a[:, :-1], torch.zeros_like(a[:, :1])], 1),
    "the last element of each not scored": lambda a, b: a * ((b.mask.flip(1).cumsum(1).flip(1)) != 1) + 0.0 * a,
    "the last element counted twice": lambda a, b: a * (1 + ((b.mask.flip(1).cumsum(1).flip(1)) == 1) * b.mask),
    "every second element not scored": lambda a, b: a * (torch.arange(a.shape[1]) % 2 == 0),
    "elements before are added": lambda a, b: a + 0.1 * torch.cat([torch.zeros_like(a[:, :1]), a[:, :-1]], 1) * b.mask,
    "elements stand one place off": lambda a, b: torch.where(b.mask, a.roll(1, 1), 0.0),
    "the longest example sets the scale": lambda a, b: a * b.elements.max() / a.shape[1],
    "the batch sets the scale": lambda a, b: a * (1 + 0.1 * len(a)),
    "the first example only": lambda a, b: a * (torch.arange(len(a)) == 0).unsqueeze(1),
    "the batch is turned": lambda a, b: a.roll(1, 0),
    "short examples left out": lambda a, b: a * (b.elements > 4).unsqueeze(1),
    "long examples cut at twenty": lambda a, b: a * (torch.arange(a.shape[1]) < 20),
    "sorted by length and not back": lambda a, b: a[b.elements.argsort(descending=True, stable=True)],
    "equal rows share their score": lambda a, b: (
        a / (b.x.unsqueeze(0) == b.x.unsqueeze(1)).all(-1).sum(1, keepdim=True)
    ),
    "a row's sum of symbols sets the scale": lambda a, b: a * (1 + 0.01 * (b.x * b.mask).sum(1, keepdim=True)),
}
for _name, _bend in LENGTHS.items():
    _kind = "memory and company" if any(w in _name for w in ("batch", "longest", "equal", "sorted")) else "accounting"
    fault(f"sum: {_name}", _kind)(lambda bend=_bend: by_length(bend))


def named(name, **methods):
    """A model whose methods for whole examples are bent."""
    kind = type("Bent", (AutoregressiveModel,), methods)
    fault(f"total: {name}", "accounting")(
        lambda: seeded(lambda: kind(CausalConv(8, 24, 16, depth=3), CategoricalHead(16, 8)))
    )


def _as_batch(batch):
    return batch if isinstance(batch, Batch) else Batch(batch)


exact_log_prob = AutoregressiveModel.log_prob
named("forward is the mean", forward=lambda s, b: exact_log_prob(s, b) / _as_batch(b).elements)
named("forward is negative", forward=lambda s, b: -exact_log_prob(s, b))
named("log_prob in bits", log_prob=lambda s, b: exact_log_prob(s, b) / math.log(2))
named("log_prob has an offset", log_prob=lambda s, b: exact_log_prob(s, b) + 1.0)
named("log_prob in half precision", log_prob=lambda s, b: exact_log_prob(s, b).half().float())
named("log_prob without the first", log_prob=lambda s, b: s.element_log_prob(b)[:, 1:].sum(1))
named("log_prob over the whole width", log_prob=lambda s, b: s.element_log_prob(Batch(_as_batch(b).x)).sum(1))
named("log_prob of the batch", log_prob=lambda s, b: exact_log_prob(s, b).mean().expand(len(_as_batch(b))))


def rows(name, **methods):
    kind = type("Bent", (Rows,), methods)
    fault(f"data: {name}", "data")(data(kind))


class Whole(Rows):
    """What the rows are without a fault."""


def _without(at):
    def bend(self, mask, x, numbers):
        mask[:, at] = False
        return mask

    return bend


def _end_of_long(self, mask, x, numbers):
    last = mask.sum(1) - 1
    mask[torch.arange(len(mask))[last > 10], last[last > 10]] = False
    return mask


def _other(change):
    def batch(self, numbers):
        return change(Rows.batch(self, numbers), np.asarray(numbers))

    return batch


rows("a hole in every mask", bend=_without(1))
rows("no first element", bend=_without(0))
rows("long rows without their end", bend=_end_of_long)
rows("the last row is left out", batch=_other(lambda b, n: b[: len(b) - (59 in n)]))
rows("the last batch is left out", __len__=lambda self: 62, batch=_other(lambda b, n: b[: int((n < 60).sum())]))
rows("rows are turned in a batch", batch=_other(lambda b, n: b[torch.arange(len(b)).roll(1)]))
rows("one row comes twice", batch=_other(lambda b, n: b[torch.arange(len(b)).clamp(max=30)]))
rows("bytes of the batch", batch=_other(lambda b, n: Batch(b.x, b.mask, bytes=b.elements.sum().expand(len(b)))))
rows("dims of the longest", batch=_other(lambda b, n: Batch(b.x, b.mask, dims=b.elements.max().expand(len(b)))))
rows(
    "symbols by the place in the batch",
    batch=_other(lambda b, n: Batch((b.x + torch.arange(len(b))[:, None]) % 8, b.mask)),
)
rows("rows are cut to the shortest", batch=_other(lambda b, n: Batch(b.x[:, :3], b.mask[:, :3])))
rows(
    "crops by chance",
    batch=_other(lambda b, n: Batch(b.x.roll(int(np.random.default_rng(len(b)).integers(1, 5)), 1), b.mask)),
)

PREFIXES = {
    "sums to 1.001": lambda p: [0.5005, 0.25025, 0.25025],
    "sums to 0.999": lambda p: [0.4995, 0.24975, 0.24975],
    "sums to more after the symbol 2": lambda p: [0.5, 0.3, 0.3] if p and p[-1] == 2 else [0.4, 0.3, 0.3],
    "sums to more after two equal symbols": lambda p: [0.4, 0.3, 0.3 + 0.1 * (len(p) > 1 and p[-1] == p[-2])],
    "sums to more after five elements": lambda p: [0.4, 0.3, 0.3 + 0.05 * (len(p) > 5)],
    "sums to more at the start": lambda p: [0.4, 0.3, 0.3 + 0.05 * (not p)],
    "sums to more at the end": lambda p: [0.4, 0.3, 0.3 + 0.05 * (len(p) == 11)],
    "is not a number after 0, 0": lambda p: [math.nan, 0.5, 0.5] if p[-2:] == [0, 0] else [0.4, 0.3, 0.3],
    "is negative": lambda p: [1.2, -0.1, -0.1],
    "is of the logits": lambda p: [0.4, -0.3, 0.9],
    "is rounded to two places": lambda p: [round(v, 2) for v in (np.exp(np.sin(np.arange(3) + sum(p))) / 4)],
}
for _name, _function in PREFIXES.items():
    fault(f"prefixes: {_name}", "functions of prefixes", **of(3, 12))(lambda function=_function: function)


def remembering(how):
    """A function whose answer depends on what it was asked before."""
    seen = {"calls": 0, "kept": {}}

    def p(prefix):
        seen["calls"] += 1
        fresh = [0.5, 0.3, 0.2] if sum(prefix) % 2 else [0.2, 0.3, 0.5]
        if how == "counts its calls":
            return [0.4, 0.3, 0.3] if seen["calls"] % 7 else [0.3, 0.3, 0.4]
        if how == "keeps answers by the length":
            return seen["kept"].setdefault(len(prefix), fresh)
        return seen["kept"].setdefault(tuple(prefix[-1:]), fresh)

    return p


for _how in ("counts its calls", "keeps answers by the length", "keeps answers by the last symbol"):
    fault(f"prefixes: {_how}", "functions of prefixes", **of(3, 12))(lambda how=_how: remembering(how))
