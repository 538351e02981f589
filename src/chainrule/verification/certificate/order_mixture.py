"""The mixture over orders: ln p(x) = logsumexp_o ln p_o(x) - ln O is what is reported, sums to one and is drawn from.

That each p_o is a likelihood is tested by the other checks, on the chains.
"""

from __future__ import annotations

from copy import deepcopy
from dataclasses import dataclass
from functools import cached_property
from math import log

import torch
from torch import Tensor

from chainrule.batch import Batch
from chainrule.evaluation.evaluate import summed
from chainrule.models.base import Model, Sample
from chainrule.models.permuted import PermutedModel
from chainrule.verification.certificate import accounting, normalisation, sampling
from chainrule.verification.certificate.causality import described, worst_leak
from chainrule.verification.certificate.check import Check, difference, skipped
from chainrule.verification.certificate.comparison import in_mode
from chainrule.verification.certificate.determinism import IMPROBABLE
from chainrule.verification.certificate.draws import Shown, look_at
from chainrule.verification.certificate.normalisation import every_example
from chainrule.verification.certificate.probes import replacements
from chainrule.verification.certificate.sampling import chi_square, moved_share
from chainrule.verification.certificate.tested import ModelUnderTest, of_chain
from chainrule.verification.certificate.work import Work, cost_of_element

__all__ = [
    "OrdersUnderTest",
    "choice",
    "company",
    "every",
    "fits",
    "future",
    "mass",
    "mean",
    "places",
    "repeat",
    "sample",
]

ELEMENTS = 1 << 15  # that are drawn
QUICK_ELEMENTS = 1 << 13  # the same in the quick form
DRAWS = 4096  # the most of them
QUICK_STEPS = 1024  # of all orders, in the quick form


@dataclass(frozen=True)
class OrdersUnderTest:
    """What is reported of a mixture over orders, and its chains, each scored by itself.

    thing: the model.
    members: the model of each order.
    tested: the chain of the first order, under test.
    quick: whether this is the quick form, with fewer draws.
    """

    thing: Model
    members: list[PermutedModel]
    tested: ModelUnderTest
    quick: bool = False

    @cached_property
    def x(self) -> Tensor:
        """Examples to try, half of them random and half drawn, so that the chains agree on some and not on others."""
        random, last = self.tested.elements(0), self.members[-1]
        drawn = last.model.sample(len(random), seed=7, context=self.tested.contexts(len(random))).x
        return torch.cat([random, drawn[:, last.order.argsort()].to(random.dtype)])

    @cached_property
    def context(self) -> Tensor | None:
        """The context of each of these examples."""
        c = self.tested.contexts(len(self.x) // 2)
        return None if c is None else torch.cat([c, c])

    def first_context(self, n: int) -> Tensor | None:
        """The first context for each of n examples."""
        c = self.tested.context
        return None if c is None else c[:1].expand(n, *c.shape[1:])

    def score(self, x: Tensor, c: Tensor | None) -> Tensor:
        """ln p(x) as `evaluate` reports it, (B,), float64."""
        return summed(self.thing, Batch(x, context=c)).double()

    def by_order(self, x: Tensor, c: Tensor | None) -> Tensor:
        """ln p_o(x) of every order, by its chain and nothing else, (O, B), float64."""
        return torch.stack([in_order(member, x, c).sum(1) for member in self.members])

    @cached_property
    def scored(self) -> Tensor:
        """ln p of x."""
        return self.score(self.x, self.context)

    @cached_property
    def drawn(self) -> Sample:
        """Some draws."""
        return deepcopy(
            self.thing.sample(self.tested.examples, seed=1, context=self.tested.contexts(self.tested.examples))
        )

    @cached_property
    def many(self) -> Sample:
        """Many draws, all of the first context: in the full form at least sixteen for each order."""
        draws = max(256, 16 * len(self.members), min(DRAWS, ELEMENTS // self.tested.length))
        draws = min(draws, max(64, QUICK_ELEMENTS // self.tested.length)) if self.quick else draws
        return self.thing.sample(draws, seed=6, context=self.first_context(draws))

    @cached_property
    def chosen(self) -> Tensor:
        """The number of an order for each of these draws x, drawn from p(o | x)."""
        log_p = self.by_order(self.many.x, self.first_context(len(self.many)))
        possible = torch.where(log_p.isfinite().any(0), log_p, 0.0)  # whatever is drawn that no order has
        return torch.multinomial(possible.softmax(0).T, 1, generator=torch.Generator().manual_seed(8)).squeeze(1)


def in_order(member: PermutedModel, x: Tensor, c: Tensor | None) -> Tensor:
    """ln p of the elements in the order of a member, by its chain and nothing else, (B, D), float64."""
    return member.model.element_log_prob(Batch(x[:, member.order], context=c)).double()


def mean(mixture: OrdersUnderTest, bound: float) -> Check:
    """What is reported is ln of the mean of the probabilities that the chains give to whole examples."""
    m, orders = mixture, len(mixture.members)
    expected = m.by_order(m.x, m.context).logsumexp(0) - log(orders)
    figure = float(difference(expected, m.scored).max())
    where, batch = "ln p is not that of the mean of the orders", Batch(m.x, context=m.context)
    for name, own in (("log_prob", m.thing.log_prob(batch)), ("forward", m.thing(batch))):
        if not (apart := float(difference(expected, own.double()).max())) <= figure:
            figure, where = apart, f"{name} is not what evaluation reports"
    tried = f"ln p of {len(m.x)} examples next to the mean of p over {orders} orders"
    return Check.of("orders.mean", figure, bound, tried, where)


def future(mixture: OrdersUnderTest, bound: float, most: int = 64) -> Check:
    """In every order, in both modes, replacing later elements leaves the outputs of the earlier ones the same."""
    name, leaks, figure = "orders.future", [], 0.0
    for o, member in enumerate(mixture.members[:most]):
        tested = of_chain(member.model, None, None, mixture.tested.context)
        rows = tested.elements(0)
        places = tested.positions(8)
        tried = replacements(tested, rows, places, 8, places)
        for training in (False, True):
            with in_mode(tested, training):
                leak = worst_leak(tested, tried, bound, scored=8)
                if not leak.figure <= bound:
                    leaks.append(f"order {o}: {described(tested, tried, leak, bound)}")
            figure = max(figure, leak.figure)
    tried_orders = min(most, len(mixture.members))
    what = f"16 replaced suffixes in each of {tried_orders} of {len(mixture.members)} orders, in both modes"
    return Check.of(name, figure, bound, what, "; ".join(leaks[:2]))


def every(mixture: OrdersUnderTest, bound: float, most: int = 64) -> Check:
    """In every order, the probabilities of some elements sum to one, and the step is the pass."""
    name, worst, where = "orders.every", 0.0, ""
    for o, member in enumerate(mixture.members[:most]):
        tested = of_chain(member.model, None, None, mixture.tested.context)
        rows = tested.elements(0)[:2]
        made = [
            normalisation.steps(tested, rows, tested.positions(3), (Work(1e9, cost_of_element(tested)), 0.1), bound),
            sampling.step(tested, rows, min(tested.length, 24), bound),
            accounting.elements(tested, rows, bound),
        ]
        for check in made:
            if check.passed is False and not check.figure <= worst:
                worst, where = check.figure, f"order {o}: {check.name}: {check.where}"
    tried = f"the sum of some elements, their scores and the step in {min(most, len(mixture.members))} orders"
    return Check.of(name, worst, bound, tried, where)


def mass(mixture: OrdersUnderTest, largest: int, bound: float) -> Check:
    """sum_x p(x) = 1 over every example, where they are few enough."""
    name, v, length = "orders.mass", mixture.tested.num_symbols, mixture.tested.length
    if v is None or v**length > largest:
        return skipped(name, f"more than {largest} examples to sum over")
    x = every_example(v, length)
    total = float(mixture.score(x, mixture.first_context(len(x))).exp().sum())
    return Check.of(name, abs(total - 1), bound, f"all {len(x)} examples", f"the total mass is {total:.9g}")


def places(mixture: OrdersUnderTest, numbers: list[int], bound: float) -> Check:
    """The score of each element stands where the element stands in the example; numbers: of some orders."""
    x, c = mixture.tested.elements(1), mixture.tested.contexts(mixture.tested.examples)
    worst, where = 0.0, ""
    for o in numbers:
        member = mixture.members[o]
        placed = member.element_log_prob(Batch(x, context=c))[:, member.order]
        figure = float(difference(in_order(member, x, c), placed.double()).max())
        if figure > worst:
            worst, where = figure, f"order {o}: a score does not stand in the place of its element"
    return Check.of("orders.places", worst, bound, f"every element in {len(numbers)} orders", where)


def company(mixture: OrdersUnderTest, bound: float) -> Check:
    """Examples alone, and the batch in another order, are scored as in the batch."""
    m, ends = mixture, (0, len(mixture.x) - 1)
    alone = [m.score(m.x[[n]], None if m.context is None else m.context[[n]]) for n in ends]
    rolled = m.score(m.x.roll(1, 0), None if m.context is None else m.context.roll(1, 0)).roll(-1)
    apart = [difference(m.scored, rolled), difference(m.scored[list(ends)], torch.cat(alone))]
    figure = max(float(part.max()) for part in apart)
    return Check.of("orders.company", figure, bound, f"{len(m.x)} examples rolled, two alone", "company matters")


def repeat(mixture: OrdersUnderTest) -> Check:
    """The same input twice gives the same scores and samples, bit for bit, and another seed draws other samples."""
    m = mixture
    again, other = (m.thing.sample(len(m.drawn), seed=s, context=m.tested.contexts(len(m.drawn))).x for s in (1, 2))
    same = torch.equal(m.scored, m.score(m.x, m.context)) and torch.equal(m.drawn.x.nan_to_num(), again.nan_to_num())
    fixed = torch.equal(again.nan_to_num(), other.nan_to_num()) and float(m.drawn.log_prob.sum()) < IMPROBABLE
    where = "another seed draws the same samples" if fixed else "it has noise"
    return Check.of("orders.repeat", float(fixed or not same), 0.0, "the same scores and samples twice", where)


def sample(mixture: OrdersUnderTest, bound: float) -> Check:
    """ln p that a draw comes with is ln p of what was drawn."""
    drawn = mixture.drawn
    figure = float(
        difference(mixture.score(drawn.x, mixture.tested.contexts(len(drawn))), drawn.log_prob.double()).max()
    )
    return Check.of("orders.sample", figure, bound, f"ln p of {len(drawn)} draws, scored again", "they differ")


def fits(mixture: OrdersUnderTest, largest: int) -> Check:
    """What is drawn fits p(x): by enumeration where examples are few, and by the conditionals of the orders.

    With an order o drawn from p(o | x) for each draw x, x is a draw of p_o, so that each element of it is one from the
    conditionals of that chain.
    """
    m, v, length = mixture, mixture.tested.num_symbols, mixture.tested.length
    if m.quick and len(m.members) * length > QUICK_STEPS:
        return skipped("orders.fits", f"more than {QUICK_STEPS} steps in all orders; the full form draws them")
    sample, counts = m.many, torch.ones_like(m.many.x, dtype=torch.bool)
    c, shown = m.first_context(len(sample)), Shown()
    for o, member in enumerate(m.members):
        rows = (m.chosen == o).nonzero().squeeze(1)
        if len(rows):
            x = sample.x[rows][:, member.order]
            look_at(member.model, x, counts[rows], None if c is None else c[rows], shown)
    found = [shown.worst(whole=False)]
    tried = f"{len(sample)} draws, each after an order that is drawn from p(o | x)"
    if v is not None and v**length <= largest:
        x = every_example(v, length)
        count = torch.bincount((sample.x * v ** torch.arange(length - 1, -1, -1)).sum(1), minlength=len(x))
        statistic, bound = chi_square(count, m.score(x, m.first_context(len(x))).exp() * len(sample))
        found.append((statistic / bound, f"how often each of {len(x)} examples is drawn"))
        tried += f", and against {len(x)} probabilities"
    figure, where = max(found)
    return Check.of("orders.fits", figure, 1.0, tried, where, shown.power)


def choice(mixture: OrdersUnderTest) -> Check:
    """An order that is drawn from p(o | x) for each draw x is each order equally often."""
    name, orders = "orders.choice", len(mixture.members)
    if orders == 1:
        return skipped(name, "there is one order")
    draws = len(mixture.many)
    expected = torch.full((orders,), draws / orders, dtype=torch.float64)
    figure, bound = chi_square(mixture.chosen.bincount(minlength=orders), expected)
    power = moved_share(bound, orders, draws)
    where = "some orders are drawn more often"
    return Check.of(name, figure, bound, f"{draws} draws over {orders} orders", where, power)
