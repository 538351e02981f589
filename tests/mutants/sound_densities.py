"""Sound densities, grids, counts and columns of unusual size and place; functions of prefixes of several types."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import torch

from chainrule import AutoregressiveModel, CausalConv
from chainrule.heads.columns import ColumnsHead
from chainrule.heads.count import CountHead
from chainrule.heads.gaussian_mixture import GaussianMixtureHead
from chainrule.heads.logistic_mixture import LogisticMixtureHead
from chainrule.heads.missing import MissingHead
from tests.mutants.case import sound
from tests.mutants.parts import drawn_by, gaussian, inverse, of, seeded

KIND = "numbers and functions"

STARTS = {
    "a column at 1.7e9 with a spread of 40": lambda g: 1.7e9 + 40 * torch.randn(500, 6, generator=g).double(),
    "a column at -3e6 with a spread of 1": lambda g: -3e6 + torch.randn(500, 6, generator=g).double(),
    "values around 1e-9": lambda g: 1e-9 * torch.randn(500, 6, generator=g).double(),
    "values around 1e12": lambda g: 1e12 * torch.randn(500, 6, generator=g).double(),
    "values of a heavy tail": lambda g: torch.randn(500, 6, generator=g).double() ** 5,
    "values of which half are 0": lambda g: torch.randn(500, 6, generator=g) * (torch.rand(500, 6, generator=g) > 0.5),
    "two clusters far apart": lambda g: (
        1000.0 * (torch.rand(500, 6, generator=g) > 0.5) + torch.randn(500, 6, generator=g)
    ),
    "columns of very different sizes": lambda g: 10.0 ** torch.arange(-3, 3) * torch.randn(500, 6, generator=g),
    "log-normal values": lambda g: (3 * torch.randn(500, 6, generator=g)).exp().double(),
}
for _name, _start in STARTS.items():
    sound(f"density: {_name}", KIND)(lambda start=_start: gaussian(start))


def scaled(r, **options):
    """A density whose components have these ln of their scales."""
    made = gaussian(lambda g: torch.randn(500, 6, generator=g), **options)
    with torch.no_grad():
        made.head.mixture.linear.bias.view(3, -1)[2].copy_(torch.tensor(r))
    return made


sound("density: a peak of the scale 0.002", KIND)(lambda: scaled([-6.2] * 5))
sound("density: one peak of the scale 0.002 among wide ones", KIND)(lambda: scaled([-6.2, 0.0, 0.0, 1.0, 1.0]))
sound("density: components as wide as they get", KIND)(lambda: scaled([9.0] * 5))
sound("density: a floor of 1e-6", KIND)(lambda: scaled([-20.0, -5.0, 0.0, 0.0, 2.0], floor=1e-6))
for _step in (0.01, 0.1, 1.0, 1 / 3, 1000.0):
    sound(f"grid: numbers at the resolution {_step:.3g}", KIND)(
        lambda step=_step: gaussian(
            lambda g: (torch.randn(500, 6, generator=g).double() * 10).round() * step, resolution=step
        )
    )


def counts(mean, r):
    made = seeded(lambda: AutoregressiveModel(CausalConv(None, 6, 16, depth=2), CountHead(16)), scale=0.05)
    with torch.no_grad():
        _, m, s = made.head.mixture.linear.bias.view(3, -1)
        m += mean
        s.fill_(r)
    return made


for _mean, _r in ((-3.0, 0.0), (2.0, -4.0), (8.0, 0.5), (14.0, -2.0), (28.0, -3.0)):
    sound(f"counts around e^{_mean:g} of the log-scale {_r:g}", KIND)(lambda m=_mean, r=_r: counts(m, r))


@sound("columns of numbers far from zero, counts and what may be missing", KIND)
def _():
    heads = [
        MissingHead(GaussianMixtureHead(16)),
        CountHead(16),
        MissingHead(LogisticMixtureHead(16, 7)),
        GaussianMixtureHead(16, resolution=0.25),
    ]
    made = AutoregressiveModel(CausalConv(None, 4, 16, depth=2), ColumnsHead(heads, mixed=True))
    g = torch.Generator().manual_seed(0)
    rows = torch.stack(
        [
            1e8 + torch.randn(200, generator=g).double(),
            (100 * torch.rand(200, generator=g)).floor(),
            (8 * torch.rand(200, generator=g)).floor(),
            (4 * torch.randn(200, generator=g)).round() / 4,
        ],
        1,
    )
    rows[::5, 0] = torch.nan
    made.initialise(rows)
    return seeded(lambda: made, scale=0.05)


for _v, _d in ((3, 7), (64, 64), (2, 20)):
    sound(f"a sampler of our own by inversion, {_d} elements of {_v} symbols", KIND)(
        lambda v=_v, d=_d: drawn_by(lambda d, p, u, x: inverse(p.pmf(), u[:, d]), v, d)
    )


def answers(how):
    """Sound probabilities of seven symbols in a type of their own."""

    def p(prefix):
        weights = [1 + (3 * k + sum(prefix) + len(prefix)) % 5 for k in range(7)]
        return how(weights)

    return p


TYPES = {
    "a list": lambda w: [k / sum(w) for k in w],
    "numpy's float32": lambda w: (np.array(w) / sum(w)).astype(np.float32),
    "numpy's float64": lambda w: np.array(w) / sum(w),
    "a tensor": lambda w: torch.tensor(w, dtype=torch.float64).div(sum(w)),
    "a tensor with a gradient": lambda w: torch.tensor(w, dtype=torch.float32, requires_grad=True).softmax(0),
    "fractions": lambda w: [float(Fraction(k, sum(w))) for k in w],
    "a tuple": lambda w: tuple(k / sum(w) for k in w),
    "one symbol is certain": lambda w: [float(k == w.index(max(w))) for k in range(7)],
}
for _name, _how in TYPES.items():
    sound(f"prefixes: {_name}", KIND, **of(7, 12))(lambda how=_how: answers(how))
