"""Samplers whose cache, prefix, class, length or ln p is wrong, and filters that nobody asked for."""

from __future__ import annotations

from dataclasses import replace

import torch

from chainrule import AutoregressiveModel, CategoricalHead, CausalConv, Transformer
from chainrule.heads.gaussian_mixture import GaussianMixtureHead
from chainrule.heads.logistic_mixture import LogisticMixtureHead
from chainrule.models.base import Sample
from tests.mutants.case import fault
from tests.mutants.parts import drawn_by, inverse, seeded, top_p

KIND = "samplers"


def typical(pmf, mass):
    """Symbols whose surprise is close to the entropy, up to a mass."""
    log_p = pmf.clamp(min=1e-30).log()
    far = (log_p + (-(pmf * log_p).sum(-1, keepdim=True))).abs()
    order = far.argsort(-1)
    value = pmf.gather(-1, order)
    return torch.zeros_like(pmf).scatter(-1, order, value * (value.cumsum(-1) - value < mass))


FILTERS = {
    "temperature 0.95": lambda d, p, u, x: inverse(p.log_pmf().div(0.95).softmax(-1), u[:, d]),
    "temperature 1.05": lambda d, p, u, x: inverse(p.log_pmf().div(1.05).softmax(-1), u[:, d]),
    "temperature 0.8 from the second half on": lambda d, p, u, x: inverse(
        p.log_pmf().div(0.8 if d >= 32 else 1.0).softmax(-1), u[:, d]
    ),
    "temperature falls along the row": lambda d, p, u, x: inverse(p.log_pmf().div(1 - d / 256).softmax(-1), u[:, d]),
    "typical 0.9": lambda d, p, u, x: inverse(typical(p.pmf(), 0.9), u[:, d]),
    "symbols below 0.005 are cut": lambda d, p, u, x: inverse(p.pmf() * (p.pmf() > 0.005), u[:, d]),
    "top-k 10": lambda d, p, u, x: inverse(p.pmf() * (p.pmf() >= p.pmf().topk(10).values[:, -1:]), u[:, d]),
    "top-p 0.95": lambda d, p, u, x: inverse(top_p(p.pmf(), 0.95), u[:, d]),
    "greedy once in fifty": lambda d, p, u, x: torch.where(
        (u[:, d] * 1e6) % 1 < 0.02, p.pmf().argmax(-1), inverse(p.pmf(), u[:, d])
    ),
    "uniform once in fifty": lambda d, p, u, x: torch.where(
        (u[:, d] * 1e6) % 1 < 0.02, ((u[:, d] * 1e8) % 64).long(), inverse(p.pmf(), u[:, d])
    ),
    "the last symbol is never drawn": lambda d, p, u, x: inverse(p.pmf() * (torch.arange(64) < 63), u[:, d]),
    "the end 0 is not drawn in the first eight": lambda d, p, u, x: inverse(
        p.pmf() * (torch.arange(64) > 0) if d < 8 else p.pmf(), u[:, d]
    ),
    "one symbol has a bias of a fifth": lambda d, p, u, x: inverse(
        (p.logits + 0.2 * (torch.arange(64) == 7)).softmax(-1), u[:, d]
    ),
    "logits in bits": lambda d, p, u, x: inverse((p.logits * 0.693).softmax(-1), u[:, d]),
    "logits rounded to whole numbers": lambda d, p, u, x: inverse(p.logits.round().softmax(-1), u[:, d]),
    "the symbol after the one drawn": lambda d, p, u, x: (inverse(p.pmf(), u[:, d]) + 1) % 64,
    "the better of two": lambda d, p, u, x: (
        (c := torch.stack([inverse(p.pmf(), u[:, d]), inverse(p.pmf(), (u[:, d] * 1e5) % 1)], -1))
        .gather(-1, p.pmf().gather(-1, c).argmax(-1, keepdim=True))
        .squeeze(-1)
    ),
    "the second element repeats the first": lambda d, p, u, x: x[0] if d == 1 else inverse(p.pmf(), u[:, d]),
    "uniform numbers of period 48": lambda d, p, u, x: inverse(p.pmf(), u[:, d % 48]),
    "uniform numbers of period 8": lambda d, p, u, x: inverse(p.pmf(), u[:, d % 8]),
    "antithetic neighbours": lambda d, p, u, x: inverse(
        p.pmf(), torch.where(torch.arange(len(u)) % 2 == 0, u[:, d], 1 - u[:, d].roll(1))
    ),
    "every fourth draw is the one before": lambda d, p, u, x: inverse(
        p.pmf(), u[torch.arange(len(u)) - (torch.arange(len(u)) % 4 == 3).long(), d]
    ),
    "draws come in blocks of eight": lambda d, p, u, x: inverse(p.pmf(), u[torch.arange(len(u)) // 8, d]),
    "one number moved on by a golden step": lambda d, p, u, x: inverse(p.pmf(), (u[:, 0] + 0.618 * d) % 1),
    "numbers of the draw before, one place on": lambda d, p, u, x: inverse(
        p.pmf(), u.roll(1, 0)[:, d - 1] if d % 2 else u[:, d]
    ),
    "numbers rounded to 1/200": lambda d, p, u, x: inverse(p.pmf(), (u[:, d] * 200).floor() / 200),
    "numbers below a hundredth are drawn again": lambda d, p, u, x: inverse(p.pmf(), 0.01 + 0.99 * u[:, d]),
    "a shift of the numbers by a hundredth": lambda d, p, u, x: inverse(p.pmf(), (u[:, d] + 0.01).clamp(max=1 - 1e-9)),
    "the mean of two numbers": lambda d, p, u, x: inverse(p.pmf(), (u[:, d] + (u[:, d] * 1e5) % 1) / 2),
}
for _name, _bend in FILTERS.items():
    fault(f"sampler: {_name}", KIND)(lambda bend=_bend: drawn_by(bend))
SMALL = {
    "temperature 0.8": lambda d, p, u, x: inverse(p.log_pmf().div(0.8).softmax(-1), u[:, d]),
    "top-k 2": lambda d, p, u, x: inverse(p.pmf() * (p.pmf() > p.pmf().amin(-1, keepdim=True)), u[:, d]),
    "greedy once in twenty": lambda d, p, u, x: torch.where(
        (u[:, d] * 1e6) % 1 < 0.05, p.pmf().argmax(-1), inverse(p.pmf(), u[:, d])
    ),
    "antithetic pairs": lambda d, p, u, x: inverse(
        p.pmf(), torch.cat([u[: len(u) - len(u) // 2, d], 1 - u[: len(u) // 2, d]])
    ),
    "the last element as the first": lambda d, p, u, x: x[0] if d == 6 else inverse(p.pmf(), u[:, d]),
}
for _name, _bend in SMALL.items():
    fault(f"sampler, 7 elements of 3 symbols: {_name}", KIND)(lambda bend=_bend: drawn_by(bend, 3, 7))
    fault(f"sampler, 20 elements of 2 symbols: {_name}", KIND)(
        lambda bend=_bend: drawn_by(lambda d, p, u, x: bend(d, p, u, x), 2, 20)
    )


def sampling(change, network=None, head=None, context=None):
    """A model whose draws are changed afterwards; change: from the model, the sample and the options to the sample."""

    class Changed(AutoregressiveModel):
        def sample(self, n, **options):
            return change(super(), n, options)

    return seeded(lambda: Changed((network or CausalConv)(16, 24, 16, depth=2), (head or CategoricalHead)(16, 16)))


def _in_bits(own, n, options):
    s = own.sample(n, **options)
    return replace(s, log_prob=s.log_prob / 0.693)


def _without_first(own, n, options):
    s = own.sample(n, **options)
    return replace(s, log_prob=s.log_prob * (1 - 1 / s.x.shape[1]))


def _of_other_rows(own, n, options):
    s = own.sample(n, **options)
    return replace(s, log_prob=s.log_prob.roll(1))


def _rolled(own, n, options):
    s = own.sample(n, **options)
    return replace(s, x=s.x.roll(1, 1))


def _reversed(own, n, options):
    s = own.sample(n, **options)
    return replace(s, x=s.x.flip(1))


def _prefix_moved(own, n, options):
    prefix = options.pop("prefix", None)
    if prefix is None:
        return own.sample(n, **options)
    prefix = torch.as_tensor(prefix).expand(n, -1)
    s = own.sample(n, prefix=prefix.roll(1, 1), **options)
    return Sample(torch.cat([prefix, s.x[:, prefix.shape[1] :]], 1), s.mask, s.log_prob, s.log_q)


def _prefix_of_the_first(own, n, options):
    prefix = options.pop("prefix", None)
    if prefix is None:
        return own.sample(n, **options)
    prefix = torch.as_tensor(prefix).expand(n, -1)
    s = own.sample(n, prefix=prefix[:1].expand(n, -1).clone(), **options)
    return Sample(torch.cat([prefix, s.x[:, prefix.shape[1] :]], 1), s.mask, s.log_prob, s.log_q)


def _prefix_ignored(own, n, options):
    prefix = options.pop("prefix", None)
    s = own.sample(n, **options)
    if prefix is None:
        return s
    prefix = torch.as_tensor(prefix).expand(n, -1)
    return Sample(torch.cat([prefix, s.x[:, prefix.shape[1] :]], 1), s.mask, s.log_prob, s.log_q)


CHANGED = {
    "ln p in bits": _in_bits,
    "ln p without one element": _without_first,
    "ln p of other draws": _of_other_rows,
    "draws are rolled": _rolled,
    "draws come backwards": _reversed,
    "what is given is moved by one": _prefix_moved,
    "all go on from what the first was given": _prefix_of_the_first,
    "what is given is not read": _prefix_ignored,
}
for _name, _change in CHANGED.items():
    fault(f"sampler: {_name}", KIND)(lambda change=_change: sampling(change))


def stepping(name, broken, depth=4, length=256, network=CausalConv):
    """A cache that is wrong from some place on; broken: changes the caches at a position."""

    class Broken(network):
        def step(self, x_previous, state):
            made = super().step(x_previous, state)
            broken(state, int(state.position))
            return made

    fault(f"sampler: {name}", KIND)(
        lambda: seeded(lambda: AutoregressiveModel(Broken(16, length, 16, depth=depth), CategoricalHead(16, 16)))
    )


def _zero(at):
    def broken(state, position):
        if position == at:
            for cache in state.caches:
                cache.zero_()

    return broken


for _at in (2, 30, 81, 129, 200):
    stepping(f"the cache is empty after {_at} elements", _zero(_at))


def _first_row(state, position):
    if position == 12:
        for cache in state.caches:
            cache.copy_(cache[:1].expand_as(cache))


def _last_rows_turned(state, position):
    if position == 20:
        for cache in state.caches:
            cache.copy_(cache.roll(1, 0))


def _alone(state, position):
    if position == 5 and state.caches[0].shape[1] == 1:
        for cache in state.caches:
            cache.zero_()


stepping("the cache of one row alone is empty after 5 elements", _alone, length=64)
stepping("the cache of the first row is that of all", _first_row, length=64)
stepping("the caches of the rows are turned", _last_rows_turned, length=64)
stepping("the cache is empty after 40 elements, attention", _zero(40), depth=2, length=64, network=Transformer)


class OfClass(CausalConv):
    """Wrong for some classes in the step."""

    wrong = ()

    def initial_state(self, batch_size, context=None):
        if context is not None:
            context = torch.where(torch.isin(context, torch.tensor(self.wrong)), 0, context)
        return super().initial_state(batch_size, context)


for _wrong in ((3,), (7,), (1, 2, 3, 4, 5, 6, 7, 8, 9)):

    @fault(f"sampler: the classes {_wrong} are drawn as class 0", KIND)
    def _(wrong=_wrong):
        kind = type("OfClass", (OfClass,), {"wrong": wrong})
        return seeded(
            lambda: AutoregressiveModel(kind(16, 24, 16, depth=2, num_classes=10), CategoricalHead(16, 16)), scale=0.5
        )


def drawing(head, change, d=16):
    """Real numbers or ordered symbols whose draws come from a changed u."""

    class Head(head):
        pass

    class Drawn(AutoregressiveModel):
        def sample(self, n, *, seed=None, length=None, context=None, prefix=None, **options):
            length = length or self.network.length
            u = torch.rand(n, length, generator=torch.Generator().manual_seed(seed or 0), dtype=torch.float64)
            log_p = []

            def draw(i, p):
                x = p.icdf(change(u[:, i]))
                log_p.append(p.log_prob(x))
                return x

            x = self.unroll(draw, n, length, context)
            total = torch.stack(log_p, 1).sum(1, dtype=torch.float64)
            return Sample(x, torch.ones_like(x, dtype=torch.bool), total, None)

    if issubclass(head, GaussianMixtureHead):
        return seeded(lambda: Drawn(CausalConv(None, d, 16, depth=2), Head(16)), scale=0.1)
    return seeded(lambda: Drawn(CausalConv(32, d, 16, depth=2), Head(16, 32)), scale=0.1)


UNIFORM = {
    "from the middle nine tenths": lambda u: 0.05 + 0.9 * u,
    "of a smaller spread": lambda u: torch.special.ndtr(0.9 * torch.special.ndtri(u)),
    "always the median": lambda u: 0 * u + 0.5,
    "without the last hundredth": lambda u: 0.99 * u,
    "above the median": lambda u: 0.5 + u / 2,
}
for _name, _change in UNIFORM.items():
    fault(f"sampler, reals: {_name}", KIND)(lambda change=_change: drawing(GaussianMixtureHead, change))
    fault(f"sampler, logistics: {_name}", KIND)(lambda change=_change: drawing(LogisticMixtureHead, change))
