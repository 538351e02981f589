"""Company: the size of a batch, its order, lengths and classes; what was asked before; precision and mode."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional as F

from chainrule import AutoregressiveModel, CategoricalHead, CausalConv, Transformer
from tests.mutants.case import fault
from tests.mutants.parts import Tiny, by_length, of, seeded

COMPANY, MODES = "memory and company", "places and modes"


def opened(name, kind, when, d=24):
    """No mask where `when` says so, of the module and the batch."""

    class Open(Tiny):
        def mask(self, t, x, layer):
            whole = torch.ones(t, t, dtype=torch.bool)
            return whole if when(self, x) else whole.tril()

    fault(name, kind, **of(16, d))(lambda: seeded(Open, 16, d))


opened("kernel: batches of an odd size have no mask", COMPANY, lambda s, x: len(x) % 2 == 1 and len(x) > 1)
opened("kernel: one row alone has no mask", COMPANY, lambda s, x: len(x) == 1)
opened("kernel: two rows have no mask", COMPANY, lambda s, x: len(x) == 2)
opened("kernel: three rows have no mask", COMPANY, lambda s, x: len(x) == 3)
opened("kernel: more than sixteen rows have no mask", COMPANY, lambda s, x: len(x) > 16)
opened("kernel: batches of a multiple of eight have no mask", COMPANY, lambda s, x: len(x) % 8 == 0)
opened("kernel: a batch of equal rows has no mask", COMPANY, lambda s, x: len(x) > 1 and bool((x == x[:1]).all()))
opened("kernel: in half of the training passes no mask", MODES, lambda s, x: s.training and bool(torch.rand(()) < 0.5))
opened(
    "kernel: in a fifth of the training passes no mask", MODES, lambda s, x: s.training and bool(torch.rand(()) < 0.2)
)
opened("kernel: no mask where gradients are kept", MODES, lambda s, x: s.training and torch.is_grad_enabled())
opened("kernel: no mask in float32", MODES, lambda s, x: s.start.dtype == torch.float32)
opened("kernel: no mask in float64", MODES, lambda s, x: s.start.dtype == torch.float64)
opened("kernel: no mask for rows that are not contiguous", MODES, lambda s, x: not x.is_contiguous())
opened("kernel: no mask from 64 elements on", MODES, lambda s, x: x.shape[1] >= 64, d=80)


class Half(Tiny):
    """In bfloat16, keys of the whole row are centred."""

    def attend(self, q, k, v, mask):
        if q.dtype == torch.bfloat16:
            v = v - v.mean(2, keepdim=True)
        return F.scaled_dot_product_attention(q, k, v, attn_mask=mask)


fault("kernel: bfloat16 centres over the row", MODES, **of(16, 24))(lambda: seeded(Half, 16, 24).bfloat16())


def remembered(name, key, d=24):
    """Logits are kept under a key of the row that is too short; key: from a row, a list, to what is looked up."""

    class Kept(Tiny):
        def forward(self, x):
            self.kept = getattr(self, "kept", {})
            fresh = super().forward(x)
            rows = []
            for row, made in zip(x.tolist(), fresh, strict=True):
                rows.append(self.kept.setdefault((key(row), len(row), str(made.dtype)), made.detach()))
            return torch.stack(rows)

    fault(f"memory: logits are kept by {name}", COMPANY, **of(16, d))(lambda: seeded(Kept, 16, d))


remembered("the sum of the row", sum)
remembered("the symbols that occur", lambda row: tuple(sorted(row)))
remembered("the first half", lambda row: tuple(row[: len(row) // 2]))
remembered("the last four elements", lambda row: tuple(row[-4:]))
remembered("both ends", lambda row: (*row[:3], *row[-3:]))
remembered("every second element", lambda row: tuple(row[::2]))
remembered("all but the last element", lambda row: tuple(row[:-2]))


def counting(name, change):
    """What was asked before changes the answer; change: from the module, the logits and x to the logits."""

    class Counting(Tiny):
        calls, last = 0, None

        def forward(self, x):
            out = change(self, super().forward(x), x)
            self.calls, self.last = self.calls + 1, out.detach()
            return out

    fault(f"memory: {name}", COMPANY, **of(16, 24))(lambda: seeded(Counting, 16, 24))


counting("the first call is another one", lambda s, out, x: out * (1.0 if s.calls else 1.1))
counting("every third call is another one", lambda s, out, x: out * (1.1 if s.calls % 3 == 2 else 1.0))
counting("it warms up over fifty calls", lambda s, out, x: out * min(1.0, 0.5 + s.calls / 100))
counting(
    "a moving mean of what it has seen",
    lambda s, out, x: out if s.last is None or s.last.shape != out.shape else 0.9 * out + 0.1 * s.last.to(out.dtype),
)


class Statistics(Tiny):
    """Batch statistics are updated in evaluation, too."""

    def __init__(self, *a, **o):
        super().__init__(*a, **o)
        self.register_buffer("mean", torch.zeros(self.h))

    def mix(self, h, x, layer):
        self.mean = (0.9 * self.mean + 0.1 * h.detach().mean((0, 1))).to(h.dtype)
        return h - self.mean


fault("memory: running statistics move in evaluation", COMPANY, **of(16, 24))(lambda: seeded(Statistics, 16, 24))


def together(name, mix):
    class Together(Tiny):
        def mix(self, h, x, layer):
            return mix(self, h, x)

    fault(f"company: {name}", COMPANY, **of(16, 24))(lambda: seeded(Together, 16, 24))


def _shared_prefix(s, h, x):
    """The first half is taken from the first row that begins with the same symbol."""
    same = (x[:, :1] == x[:, :1].T).int().argmax(1)
    return torch.cat([h[same][:, :8], h[:, 8:]], 1)


def _unsorted(s, h, x):
    """Rows are sorted by their number of zeros, for packing, and not put back."""
    return h[(x == 0).sum(1).argsort(stable=True)]


together("rows that begin alike share their beginning", _shared_prefix)
together("rows are sorted by content and not put back", _unsorted)
together("the first row is added to all", lambda s, h, x: h + 0.1 * h[:1] * (len(h) > 1))
together("the scale of the largest row", lambda s, h, x: h / h.abs().amax().clamp(min=1e-3))
together("the last row of a batch is not finished", lambda s, h, x: torch.cat([h[:-1], h[-1:] * (len(h) == 1)]))
together("rows beyond the fourth are not mixed", lambda s, h, x: torch.cat([h[:4], 0.9 * h[4:]]))
together(
    "neighbours are mixed where they are equal",
    lambda s, h, x: h * (1 + 0.1 * (x == x.roll(1, 0)).all(1)[:, None, None] * (len(x) > 1)),
)

LENGTHS = {
    "sorted by length and put back wrongly": lambda a, b: a[b.elements.argsort(stable=True)][
        b.elements.argsort(stable=True)
    ],
    "short rows are weighted by the mean length": lambda a, b: (
        a * (b.elements.float().mean() / b.elements.clamp(min=1)).unsqueeze(1)
    ),
    "the shortest row cuts all": lambda a, b: a * (torch.arange(a.shape[1]) < b.elements.min()),
    "rows of one element are not counted": lambda a, b: a * (b.elements > 1).unsqueeze(1),
    "the padded width is in the scale": lambda a, b: a * (1 + 0.01 * (~b.mask).sum(1, keepdim=True)),
    "two equal rows count as one": lambda a, b: (
        a * torch.tensor([row not in b.x.tolist()[:n] for n, row in enumerate(b.x.tolist())]).unsqueeze(1)
    ),
    "the first row is counted for all, in pairs": lambda a, b: a[:1].expand_as(a) if len(a) == 2 else a,
    "a third of a batch of three is lost": lambda a, b: a * (torch.arange(len(a)) != 2).unsqueeze(1),
}
for _name, _bend in LENGTHS.items():
    fault(f"company: {_name}", COMPANY)(lambda bend=_bend: by_length(bend))


def of_classes(name, change):
    """change: from the classes of a batch to the classes that are read."""

    class Classes(CausalConv):
        def layers(self, x, context=None):
            return super().layers(x, change(context))

    fault(f"company: {name}", COMPANY)(
        lambda: seeded(
            lambda: AutoregressiveModel(Classes(8, 24, 16, depth=2, num_classes=10), CategoricalHead(16, 8)), scale=0.5
        )
    )


of_classes("all have the class of the first", lambda c: c[:1].expand_as(c))
of_classes("classes are sorted", lambda c: c.sort().values)
of_classes("classes are turned by one row", lambda c: c.roll(1))
of_classes("the commonest class is that of all", lambda c: c.mode().values.expand_as(c))


class LeakyClass(CausalConv):
    """One class of ten sees its own element."""

    which = 9

    def layers(self, x, context=None):
        h = super().layers(x, context)
        own = self.embedding.elements(x) * (context == self.which).view(-1, 1, 1)
        return [*h[:-1], h[-1] + own]


for _which in (0, 4, 9):

    @fault(f"company: the class {_which} of ten sees its own element", COMPANY)
    def _(which=_which):
        kind = type("LeakyClass", (LeakyClass,), {"which": which})
        return seeded(
            lambda: AutoregressiveModel(kind(8, 24, 16, depth=2, num_classes=10), CategoricalHead(16, 8)), scale=0.5
        )


def packed(name, change):
    class Packed(Transformer):
        def packed(self, x, segment_ids):
            return change(super(), self, x, segment_ids)

    fault(f"packing: {name}", MODES)(
        lambda: seeded(lambda: AutoregressiveModel(Packed(8, 24, 16, depth=2, heads=2), CategoricalHead(16, 8)))
    )


packed("the second document sees the first", lambda own, s, x, g: own.packed(x, torch.where(g == 1, 0, g)))
packed("the fourth document sees the third", lambda own, s, x, g: own.packed(x, torch.where(g == 3, 2, g)))
packed(
    "documents of one element are joined",
    lambda own, s, x, g: own.packed(x, g - (g >= 1).int() * (g[:, :1] != g[:, 1:2]).int()),
)
packed("positions go on in the second document", lambda own, s, x, g: own.packed(x, g) + 0.1 * (g > 0).unsqueeze(-1))


class Carried(nn.Module):
    """A recurrent module whose state stays between calls of one size, where the rows begin with the symbol 0."""

    def __init__(self):
        super().__init__()
        self.table, self.start = nn.Embedding(10, 16), nn.Parameter(torch.randn(16))
        self.gru, self.out, self.state = nn.GRU(16, 16, batch_first=True), nn.Linear(16, 10), None

    def forward(self, x):
        h = torch.cat([self.start.expand(len(x), 1, -1), self.table(x)[:, :-1]], 1)
        fits = self.state is not None and self.state.shape[1] == len(x) and self.state.dtype == h.dtype
        h, last = self.gru(h, self.state if fits and len(x) == 1 else None)
        self.state = last.detach()
        return self.out(h)


fault("memory: the state is carried on in batches of one", COMPANY, **of(10, 24))(lambda: seeded(Carried))
