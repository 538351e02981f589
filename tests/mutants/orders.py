"""Planted faults of means over orders, and of one order: what is averaged, what is drawn, what stands where."""

from __future__ import annotations

from math import log

import torch

from chainrule.heads.categorical import CategoricalHead
from chainrule.heads.gaussian_mixture import GaussianMixtureHead
from chainrule.models.base import Sample
from chainrule.models.chain import AutoregressiveModel
from chainrule.models.order_mixture import OrderMixture
from chainrule.models.permuted import PermutedModel, random_orders
from chainrule.networks.causal_conv import CausalConv
from chainrule.networks.made import MADE
from chainrule.verification.laws import randomised

V, D, ORDERS = 3, 5, 3


def over(kind=OrderMixture, network=MADE, length=D, orders=ORDERS, **options):
    torch.manual_seed(0)
    chain = AutoregressiveModel(network(V, length, hidden=16, **options), CategoricalHead(2, V))
    return kind(randomised(chain), random_orders(length, orders))


def separate():
    torch.manual_seed(0)
    chains = [
        randomised(AutoregressiveModel(CausalConv(V, D, 8), CategoricalHead(8, V)), seed=o) for o in range(ORDERS)
    ]
    return OrderMixture(chains, random_orders(D, ORDERS))


def reals():
    torch.manual_seed(0)
    chain = AutoregressiveModel(MADE(None, D, 8, hidden=16), GaussianMixtureHead(8))
    return OrderMixture(randomised(chain, scale=0.1), random_orders(D, 2))


def ordered(kind=PermutedModel):
    torch.manual_seed(0)
    return kind(
        randomised(AutoregressiveModel(CausalConv(V, D, 8), CategoricalHead(8, V))), torch.tensor([3, 0, 4, 2, 1])
    )


# --- what is averaged ------------------------------------------------------------------------------------------------


class MeanOfLogs(OrderMixture):
    """A bound that is reported as the value."""

    def log_prob(self, batch):
        return self.order_log_prob(batch).mean(0)


class SumOfProbabilities(OrderMixture):
    """ln O is forgotten."""

    def log_prob(self, batch):
        return self.order_log_prob(batch).logsumexp(0)


class MeanOfConditionals(OrderMixture):
    """Each element by the mean of its conditionals, which have other elements behind their bars."""

    def element_log_prob(self, batch):
        each = torch.stack([self.member(o).element_log_prob(batch) for o in range(len(self.orders))])
        return each.logsumexp(0) - log(len(self.orders))

    def log_prob(self, batch):
        return self.element_log_prob(batch).sum(1, dtype=torch.float64)


class BestOrder(OrderMixture):
    """The order that likes an example most."""

    def log_prob(self, batch):
        return self.order_log_prob(batch).max(0).values


class AnyOrder(OrderMixture):
    """An order by chance for each example, in evaluation as in training."""

    def log_prob(self, batch):
        each = self.order_log_prob(batch)
        return each.gather(0, torch.randint(len(each), each.shape[1:])[None])[0]


class WeightedByTheBatch(OrderMixture):
    """Orders count by how well they fit the batch that is scored."""

    def log_prob(self, batch):
        each = self.order_log_prob(batch)
        return (each + each.mean(1, keepdim=True).log_softmax(0)).logsumexp(0)


class FewOrders(OrderMixture):
    """The mean is over all orders but one."""

    def log_prob(self, batch):
        return self.order_log_prob(batch)[:-1].logsumexp(0) - log(len(self.orders) - 1)


# --- what is drawn ---------------------------------------------------------------------------------------------------


class OneOrderDrawn(OrderMixture):
    """Every example in the first order, scored by all."""

    def sample(self, n, *, seed=None, context=None, **options):
        x = self.member(0).model.sample(n, seed=seed).x[:, self.orders[0].argsort()]
        return Sample(x, torch.ones_like(x, dtype=torch.bool), self.log_prob(x), None)


class ScoredByItsOrder(OneOrderDrawn):
    """A draw comes with ln p of the order that it was drawn in."""

    def sample(self, n, **options):
        sample = super().sample(n, **options)
        return Sample(sample.x, sample.mask, self.member(0).log_prob(sample.x), None)


class SeedIgnored(OrderMixture):
    def sample(self, n, *, seed=None, **options):
        return super().sample(n, **options)


# --- what stands where -----------------------------------------------------------------------------------------------


class NotPutBack(PermutedModel):
    """The scores of the elements stay in the order in which they were read; their sum is right."""

    def element_log_prob(self, batch):
        return super().element_log_prob(batch)[:, self.order]


class DrawsNotPutBack(PermutedModel):
    def sample(self, n, **options):
        sample = super().sample(n, **options)
        return Sample(sample.x[:, self.order], sample.mask, sample.log_prob, None)


class MaskOfTheNaturalOrder(MADE):
    """The direct connections follow the natural order, whatever the order is."""

    def read(self, u, vectors, context):
        natural = torch.arange(self.length)
        h = super().read(u, vectors, context)
        leak = (self.pairs * (natural < natural.unsqueeze(1))) @ self.direct(vectors)
        return h + leak[:, self.order]


class SeesItself(CausalConv):
    """The features of an element show the element."""

    def layers(self, x, context=None):
        h = super().layers(x, context)
        return [*h[:-1], h[-1] + 2 * self.embedding.elements(x)]


def one_of_nine():
    torch.manual_seed(0)
    kinds = [SeesItself if o == 3 else CausalConv for o in range(9)]
    chains = [
        randomised(AutoregressiveModel(kind(V, D, 8, depth=2), CategoricalHead(8, V)), seed=o)
        for o, kind in enumerate(kinds)
    ]
    return OrderMixture(chains, random_orders(D, 9))


class Heavy(CategoricalHead):
    """The probabilities sum to 1.01."""

    def forward(self, h):
        p = super().forward(h)
        exact = p.log_prob
        p.log_prob = lambda x: exact(x) + 0.01
        return p


def heavy_one_of_seven():
    torch.manual_seed(0)
    heads = [Heavy if o == 5 else CategoricalHead for o in range(7)]
    chains = [
        randomised(AutoregressiveModel(CausalConv(V, D, 8, depth=2), head(8, V)), seed=o)
        for o, head in enumerate(heads)
    ]
    return OrderMixture(chains, random_orders(D, 7))


# name: (build, options of verify, the check that has to fail)
FAULTS = {
    "one order of seven sums to 1.01, named": (heavy_one_of_seven, {"quick": True}, "orders.every"),
    "one order of nine sees itself": (one_of_nine, {"quick": True}, "orders.future"),
    "ln p averaged over orders": (lambda: over(MeanOfLogs), {"quick": True}, "orders.mean"),
    "ln O forgotten": (lambda: over(SumOfProbabilities), {"quick": True}, "orders.mass"),
    "ln O forgotten, too many examples to sum": (
        lambda: over(SumOfProbabilities, length=12),
        {"quick": True},
        "orders.mean",
    ),
    "conditionals averaged over orders": (lambda: over(MeanOfConditionals), {"quick": True}, "orders.mean"),
    "conditionals averaged over orders have another mass": (
        lambda: over(MeanOfConditionals),
        {"quick": True},
        "orders.mass",
    ),
    "the best order of each example": (lambda: over(BestOrder), {"quick": True}, "orders.mass"),
    "an order by chance in evaluation": (lambda: over(AnyOrder), {"quick": True}, "orders.repeat"),
    "orders weighted by the batch": (lambda: over(WeightedByTheBatch), {"quick": True}, "orders.company"),
    "one order left out": (lambda: over(FewOrders), {"quick": True}, "orders.mean"),
    "every draw in one order": (lambda: over(OneOrderDrawn), {}, "orders.fits"),
    "every draw in one order, too many examples to count": (
        lambda: over(OneOrderDrawn, length=12),
        {},
        "orders.choice",
    ),
    "draws scored by their order": (lambda: over(ScoredByItsOrder), {"quick": True}, "orders.sample"),
    "seed of an ensemble ignored": (lambda: over(SeedIgnored), {"quick": True}, "orders.repeat"),
    "scores not put back from an order": (lambda: ordered(NotPutBack), {"quick": True}, "orders.places"),
    "draws not put back from an order": (lambda: ordered(DrawsNotPutBack), {"quick": True}, "orders.sample"),
    "the mask of another order": (
        lambda: over(network=MaskOfTheNaturalOrder),
        {"quick": True},
        "causality.suffix.evaluation",
    ),
}

SOUND = {
    "orders that share weights": (lambda: over(dropout=0.3), {}),
    "orders that share weights, quickly": (lambda: over(length=12, orders=8), {"quick": True}),
    "a model for each order": (separate, {"quick": True}),
    "another order": (ordered, {}),
    "conditional orders": (lambda: over(num_classes=3), {"quick": True}),
    "orders of reals": (reals, {}),
}
