"""Mixtures over orders: one member of many is wrong, or what is made of them."""

from __future__ import annotations

from dataclasses import replace
from math import log

import torch

from chainrule import AutoregressiveModel, CategoricalHead, CausalConv
from chainrule.batch import Batch
from chainrule.heads.base import Head
from chainrule.heads.categorical import Categorical
from chainrule.models.order_mixture import OrderMixture
from chainrule.models.permuted import PermutedModel, random_orders
from chainrule.verification.laws import randomised
from tests.mutants.case import fault

V, D = 4, 16


class Own(CausalConv):
    """The element is in its own features."""

    def layers(self, x, context=None):
        h = super().layers(x, context)
        return [*h[:-1], h[-1] + 2 * self.embedding.elements(x)]


class Late(CausalConv):
    """The last element is in all features."""

    def layers(self, x, context=None):
        h = super().layers(x, context)
        return [*h[:-1], h[-1] + 0.3 * self.embedding.elements(x)[:, -1:]]


class Training(CausalConv):
    """In training, the features see the next element."""

    def layers(self, x, context=None):
        h = super().layers(x, context)
        return [*h[:-1], h[-1] + 0.3 * h[-1].roll(-1, 1)] if self.training else h


class Heavy(CategoricalHead):
    """The probabilities sum to 1.01."""

    def forward(self, h):
        p = super().forward(h)
        exact = p.log_prob
        p.log_prob = lambda x: exact(x) + 0.01
        return p


class Noisy(CausalConv):
    def layers(self, x, context=None):
        h = super().layers(x, context)
        return [*h[:-1], h[-1] + 1e-2 * torch.rand(())]


class Company(CausalConv):
    def layers(self, x, context=None):
        h = super().layers(x, context)
        return [*h[:-1], h[-1] - 0.3 * h[-1].mean(0, keepdim=True)]


class Forgets(CausalConv):
    def step(self, x_previous, state):
        if int(state.position) == 5:
            for cache in state.caches:
                cache.zero_()
        return super().step(x_previous, state)


def members(wrong, orders, network=CausalConv, head=CategoricalHead, kind=OrderMixture, length=D):
    """A mixture of which the members `wrong` have another network or head."""

    def chain(o):
        make, top = (network, head) if o in wrong else (CausalConv, CategoricalHead)
        return randomised(AutoregressiveModel(make(V, length, 16, depth=2), top(16, V)), seed=o)

    torch.manual_seed(0)
    return kind([chain(o) for o in range(orders)], random_orders(length, orders))


WRONG = {
    "one order of nine sees its own element": ((3,), 9, {"network": Own}),
    "the last order of twenty sees its own element": ((19,), 20, {"network": Own}),
    "one order of five sees the last element": ((2,), 5, {"network": Late}),
    "one order of six looks ahead in training": ((4,), 6, {"network": Training}),
    "one order of seven sums to 1.01": ((5,), 7, {"head": Heavy}),
    "the first order of four sums to 1.01": ((0,), 4, {"head": Heavy}),
    "one order of eight has noise": ((6,), 8, {"network": Noisy}),
    "one order of five is centred over the batch": ((1,), 5, {"network": Company}),
    "one order of five has a cache that forgets": ((3,), 5, {"network": Forgets}),
}
for _name, (_wrong, _orders, _options) in WRONG.items():
    fault(_name, "orders")(lambda w=_wrong, o=_orders, more=_options: members(w, o, **more))


class Weighted(OrderMixture):
    """The first order counts twice, and the mean is over one too few."""

    def log_prob(self, batch):
        each = self.order_log_prob(batch)
        return torch.cat([each, each[:1]]).logsumexp(0) - log(len(each))


class Named(OrderMixture):
    """What evaluation sums is right, what users call is in bits."""

    def forward(self, batch):
        return super().forward(batch) / log(2)


class Drawn(OrderMixture):
    """Draws come with the ln p of the best order."""

    def sample(self, n, **options):
        sample = super().sample(n, **options)
        return replace(sample, log_prob=self.order_log_prob(sample.x).max(0).values)


class Drawing(OrderMixture):
    """Draws are from other conditionals than those that are scored; their ln p is that of the score."""

    bent = None

    def member(self, o):
        member = super().member(o)
        if self.bent is None:
            return member
        return PermutedModel(
            AutoregressiveModel(member.model.network, Bent(member.model.head, self.bent)), member.order
        )

    def sample(self, n, **options):
        self.bent = self.bend
        try:
            sample = super().sample(n, **options)
        finally:
            self.bent = None
        return replace(sample, log_prob=self.log_prob(Batch(sample.x, context=options.get("context"))))


class Bent(Head):
    def __init__(self, head, bend):
        super().__init__(head.features, head.num_symbols)
        self.head, self.bend = head, bend

    def forward(self, h):
        return self.head(h)

    def at(self, d, h, x):
        return Categorical(self.bend(self.head.at(d, h, x).pmf().log(), d, x))


class Cold(Drawing):
    def bend(self, log_p, d, x):
        return log_p / 0.8


class Cut(Drawing):
    """The least probable symbol is never drawn."""

    def bend(self, log_p, d, x):
        return log_p.masked_fill(log_p == log_p.amin(-1, keepdim=True), -torch.inf)


class Greedy(Drawing):
    """The last element in each order is the most probable one."""

    def bend(self, log_p, d, x):
        return log_p * (50.0 if d == self.length - 1 else 1.0)


class Turned(OrderMixture):
    def sample(self, n, **options):
        sample = super().sample(n, **options)
        return replace(sample, x=sample.x.roll(1, 1))


MIXTURES = {
    "the first order counts twice": Weighted,
    "forward is in bits": Named,
    "draws come with the ln p of the best order": Drawn,
    "draws are colder than the score": Cold,
    "draws have no least probable symbol": Cut,
    "draws end with the most probable symbol": Greedy,
    "draws are turned by one place": Turned,
}
for _name, _kind in MIXTURES.items():
    fault(f"mixture: {_name}", "orders")(lambda kind=_kind: members((), 4, kind=kind, length=6))
for _name, _kind in {"colder": Cold, "without the least probable symbol": Cut}.items():
    fault(f"mixture of more examples than can be counted: draws are {_name}", "orders")(
        lambda kind=_kind: members((), 4, kind=kind, length=12)
    )
