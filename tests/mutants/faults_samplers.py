"""Samplers that draw from something else."""

from __future__ import annotations

import torch

from chainrule import AutoregressiveModel, CategoricalHead, CausalConv
from chainrule.models.base import Sample
from tests.mutants.case import fault
from tests.mutants.parts import drawn_by, inverse, seeded, top_p

SAMPLERS = {
    "temperature 0.98": lambda d, p, u, x: inverse(p.log_pmf().div(0.98).softmax(-1), u[:, d]),
    "temperature 0.7": lambda d, p, u, x: inverse(p.log_pmf().div(0.7).softmax(-1), u[:, d]),
    "top-p 0.9": lambda d, p, u, x: inverse(top_p(p.pmf(), 0.9), u[:, d]),
    "greedy once in twenty": lambda d, p, u, x: torch.where(
        (u[:, d] * 1e6) % 1 < 0.05, p.pmf().argmax(-1), inverse(p.pmf(), u[:, d])
    ),
    "uniform numbers of period 32": lambda d, p, u, x: inverse(p.pmf(), u[:, d % 32]),
    "antithetic pairs": lambda d, p, u, x: inverse(
        p.pmf(), torch.cat([u[: len(u) // 2 + len(u) % 2, d], 1 - u[: len(u) // 2, d]])
    ),
}


def repetition(d, p, u, x):
    """Logits of the last eight symbols are made smaller by the factor 1.2."""
    logits = p.logits.clone()
    if x:
        recent = torch.stack(x[-8:], 1)
        value = logits.gather(-1, recent)
        logits = logits.scatter(-1, recent, torch.where(value > 0, value / 1.2, value * 1.2))
    return inverse(logits.softmax(-1), u[:, d])


SAMPLERS |= {"repetition penalty 1.2": repetition}
for _name, _bend in list(SAMPLERS.items()):
    fault(f"sampler: {_name}", "samplers")(lambda bend=_bend: drawn_by(bend))


def filtered(keep):
    """Draws from the probabilities that `keep` leaves, renormalised."""
    return lambda d, p, u, x: inverse(keep(p.pmf()), u[:, d])


def biased(change):
    """Draws from logits that are changed by what came before."""

    def draw(d, p, u, x):
        logits = p.logits.clone()
        if x:
            change(logits, torch.stack(x, 1))
        return inverse(logits.softmax(-1), u[:, d])

    return draw


def _penalty(amount, by_count):
    def change(logits, before):
        count = torch.nn.functional.one_hot(before, logits.shape[-1]).sum(1)
        logits -= amount * (count if by_count else count.clamp(max=1))

    return change


def _no_repeat(logits, before):
    logits.scatter_(-1, before[:, -1:], -torch.inf)


SAMPLERS |= {
    "temperature 0.9": lambda d, p, u, x: inverse(p.log_pmf().div(0.9).softmax(-1), u[:, d]),
    "temperature 1.1": lambda d, p, u, x: inverse(p.log_pmf().div(1.1).softmax(-1), u[:, d]),
    "top-k 32": filtered(lambda p: p * (p >= p.topk(32).values[..., -1:])),
    "top-p 0.98": filtered(lambda p: top_p(p, 0.98)),
    "min-p 0.05": filtered(lambda p: p * (p >= 0.05 * p.amax(-1, keepdim=True))),
    "symbol 0 is never drawn": filtered(lambda p: p * (torch.arange(p.shape[-1]) > 0)),
    "symbols 3 and 4 are swapped": lambda d, p, u, x: torch.tensor([0, 1, 2, 4, 3, *range(5, 64)])[
        inverse(p.pmf(), u[:, d])
    ],
    "greedy at the start": lambda d, p, u, x: p.pmf().argmax(-1) if d == 0 else inverse(p.pmf(), u[:, d]),
    "greedy after forty elements": lambda d, p, u, x: p.pmf().argmax(-1) if d > 40 else inverse(p.pmf(), u[:, d]),
    "one number for all places": lambda d, p, u, x: inverse(p.pmf(), u[:, 0]),
    "one number for pairs of draws": lambda d, p, u, x: inverse(p.pmf(), u[torch.arange(len(u)) // 2, d]),
    "numbers of period 16": lambda d, p, u, x: inverse(p.pmf(), u[:, d % 16]),
    "mirrored places": lambda d, p, u, x: inverse(p.pmf(), u[:, d] if d % 2 == 0 else 1 - u[:, d - 1]),
    "stratified over the draws": lambda d, p, u, x: inverse(p.pmf(), (torch.arange(len(u)) + u[:, d]) / len(u)),
    "numbers rounded to 1/50": lambda d, p, u, x: inverse(p.pmf(), (u[:, d] * 50).floor() / 50),
    "numbers squared": lambda d, p, u, x: inverse(p.pmf(), u[:, d] ** 1.1),
    "presence penalty": biased(_penalty(0.3, False)),
    "frequency penalty": biased(_penalty(0.1, True)),
    "no symbol twice in a row": biased(_no_repeat),
    "the first draw repeated": lambda d, p, u, x: inverse(p.pmf(), u[torch.arange(len(u)) % max(len(u) // 2, 1), d]),
}
for _name, _bend in list(SAMPLERS.items())[7:]:
    fault(f"sampler: {_name}", "samplers")(lambda bend=_bend: drawn_by(bend))
for _name in ("repetition penalty 1.2", "temperature 0.9", "presence penalty", "one number for pairs of draws"):
    fault(f"sampler, 7 elements of 3 symbols: {_name}", "samplers")(lambda bend=SAMPLERS[_name]: drawn_by(bend, 3, 7))


@fault("sampler: the end is forced at the last of 100 elements", "samplers")
def _():
    return drawn_by(lambda d, p, u, x: torch.full((len(u),), 7) if d == 99 else inverse(p.pmf(), u[:, d]), 8, 100)


@fault("sampler: what is given is read without its last element", "samplers")
def _():
    class Forgets(AutoregressiveModel):
        def sample(self, n, *, prefix=None, **options):
            if prefix is None:
                return super().sample(n, **options)
            prefix = torch.as_tensor(prefix).expand(n, -1)
            changed = torch.cat([prefix[:, :-1], torch.zeros_like(prefix[:, :1])], 1)
            s = super().sample(n, prefix=changed, **options)
            x = torch.cat([prefix, s.x[:, prefix.shape[1] :]], 1)
            return Sample(x, s.mask, s.log_prob, s.log_q)

    return seeded(lambda: Forgets(CausalConv(16, 24, 16, depth=2), CategoricalHead(16, 16)))


@fault("sampler: the cache turns after 96 elements", "samplers")
def _():
    class Ring(CausalConv):
        def step(self, x_previous, state):
            if int(state.position) == 96:
                for cache in state.caches:
                    cache.copy_(cache.roll(1, 0))
            return super().step(x_previous, state)

    return seeded(lambda: AutoregressiveModel(Ring(16, 128, 16, depth=6), CategoricalHead(16, 16)))
