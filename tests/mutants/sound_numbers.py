"""Sound densities, grids and counts; functions; orders."""

from __future__ import annotations

import numpy as np
import torch

from chainrule import AutoregressiveModel, CategoricalHead, CausalConv
from chainrule.heads.count import CountHead
from chainrule.heads.gaussian_mixture import GaussianMixtureHead
from chainrule.heads.missing import MissingHead
from chainrule.models.order_mixture import OrderMixture
from chainrule.models.permuted import random_orders
from chainrule.verification.laws import randomised
from tests.mutants.case import sound
from tests.mutants.parts import LETTERS, counted, drawn_by, gaussian, inverse, of, seeded

# densities and numbers


def all_missing(head, missing=MissingHead):
    """A model in which the probability that a value is there is nothing."""
    made = seeded(lambda: AutoregressiveModel(CausalConv(None, 6, 16, depth=2), missing(head())), scale=0.05)
    with torch.no_grad():
        made.head.linear.bias.fill_(-900.0)
    return made


@sound("density of data far from zero", "numbers and functions")
def _():
    return gaussian(lambda g: 1.7e9 + 1e4 * torch.randn(500, 6, generator=g).double())


@sound("density with components of very different widths", "numbers and functions")
def _():
    made = gaussian(lambda g: torch.randn(500, 6, generator=g))
    with torch.no_grad():
        _, _, r = made.head.mixture.linear.bias.view(3, -1)
        r.copy_(torch.tensor([-6.0, -4.0, -2.0, 0.0, 3.0]))
    return made


@sound("numbers on a grid that is coarse against their spread", "numbers and functions")
def _():
    return gaussian(lambda g: torch.rand(500, 6, generator=g).round() * 10, resolution=10.0)


@sound("counts in the billions", "numbers and functions")
def _():
    made = seeded(lambda: AutoregressiveModel(CausalConv(None, 6, 16, depth=2), CountHead(16)), scale=0.05)
    with torch.no_grad():
        _, mean, r = made.head.mixture.linear.bias.view(3, -1)
        mean += 21
        r.fill_(-1.0)
    return made


@sound("counts beyond those that a number can hold", "numbers and functions")
def _():
    made = seeded(lambda: AutoregressiveModel(CausalConv(None, 6, 16, depth=2), CountHead(16)), scale=0.05)
    with torch.no_grad():
        made.head.mixture.linear.bias.view(3, -1)[1] += 36  # on the scale of ln x; 2^53 is at 36.7
    return made


for _name, _head in (
    ("a density", lambda: GaussianMixtureHead(16)),
    ("a grid", lambda: GaussianMixtureHead(16, resolution=0.5)),
):

    @sound(f"{_name} of which every value is missing", "numbers and functions")
    def _(head=_head):
        return all_missing(head)


# functions of prefixes


@sound("Kneser-Ney over letters", "numbers and functions", **of(len(LETTERS), 30))
def _():
    tables, v = [counted(n) for n in range(6)], len(LETTERS)

    def p(prefix):
        made = np.full(v, 1 / v)
        for order, table in enumerate(tables):
            seen = table.get(tuple(prefix[len(prefix) - order :])) if len(prefix) >= order else None
            if seen:
                total = sum(seen.values())
                made = (
                    np.maximum(np.array([seen.get(k, 0) for k in range(v)]) - 0.75, 0) / total
                    + 0.75 * len(seen) / total * made
                )
        return made

    return p


@sound("a function that remembers, rightly", "numbers and functions", **of(7, 20))
def _():
    kept = {}

    def p(prefix):
        key = tuple(prefix)
        if key not in kept:
            logits = torch.cos(torch.arange(7) * (1.0 + sum(prefix)))
            kept[key] = logits.softmax(-1)
        return kept[key]

    return p


@sound("an ensemble of five orders", "numbers and functions")
def _():
    torch.manual_seed(0)
    chains = [
        randomised(AutoregressiveModel(CausalConv(4, 12, 16, depth=2), CategoricalHead(16, 4)), seed=o)
        for o in range(5)
    ]
    return OrderMixture(chains, random_orders(12, 5))


for _v, _d in ((3, 7),):

    @sound(f"a sampler of our own, {_d} elements of {_v} symbols", "numbers and functions")
    def _(v=_v, d=_d):
        return drawn_by(lambda d, p, u, x: inverse(p.pmf(), u[:, d]), v, d)
