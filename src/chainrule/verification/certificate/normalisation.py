"""Normalisation: the probabilities of all that can happen sum to one."""

from __future__ import annotations

from itertools import product
from math import sqrt

import torch
from torch import Tensor

from chainrule.heads.base import Distribution
from chainrule.verification.certificate.check import Check, skipped
from chainrule.verification.certificate.subject import Subject

__all__ = ["enumeration", "every_example", "importance", "steps"]

WORK = 1 << 17  # elements that one check may score
PIECE = 1 << 16  # elements that are scored at a time


def every_example(num_symbols: int, length: int) -> Tensor:
    """All V^D examples, shape (V^D, D)."""
    return torch.tensor(list(product(range(num_symbols), repeat=length))).reshape(-1, length)


def steps(subject: Subject, positions: int, bound: float, work: int = WORK) -> Check:
    """sum_k p(x_d = k | x_<d) = 1 by the path that is scored: x_d runs through the alphabet, the rest stays.

    subject: what is checked.
    positions: number of positions that are tried.
    bound: largest deviation from 1 that is rounding.
    work: the elements that may be scored. For an alphabet that is too large for that see `sampled_steps`.
    """
    name, v = "normalisation.steps", subject.num_symbols
    if subject.scores is None or v is None:
        return skipped(name, "no finite alphabet to sum over")
    if v * subject.length > work:
        return sampled_steps(subject, bound, work)
    worst, where = 0.0, ""
    rows = min(2, subject.examples) if v * subject.length <= 4096 else 1
    x = subject.elements(0)[:rows]
    c = None if subject.context is None else subject.context[:rows].repeat_interleave(v, 0)
    chosen = subject.positions(min(positions, max(1, work // (rows * v * subject.length))))
    for d in chosen:
        tried = x.repeat_interleave(v, 0)
        tried[:, d] = torch.arange(v).repeat(rows)
        mass = _pieces(subject, tried, c)[:, d].exp().view(rows, v).sum(1)
        figure = float((mass - 1).abs().nan_to_num(nan=torch.inf).max())
        if figure > worst:
            worst, where = figure, f"p(. | x_<{d}) sums to {float(mass[(mass - 1).abs().argmax()]):.6g}"
    return Check.of(name, worst, bound, f"{len(chosen)} elements, all {v} symbols", where)


def sampled_steps(subject: Subject, bound: float, work: int) -> Check:
    """sum_k p(k | x_<d) = 1 over the whole alphabet, and the score of some symbols is ln of their share in that sum."""
    name, v = "normalisation.steps", subject.num_symbols
    if subject.scores is None or subject.pmf is None or v is None:
        return skipped(name, f"{v} symbols are too many to score one by one")
    x, d = subject.elements(0)[:1], subject.positions(1)[0]
    c = None if subject.context is None else subject.context[:1]
    pmf = subject.pmf(x, c)[0, d].double()
    symbols = torch.randperm(v, generator=torch.Generator().manual_seed(1))[: min(256, max(8, work // subject.length))]
    tried = x.repeat_interleave(len(symbols), 0)
    tried[:, d] = symbols
    scored = _pieces(subject, tried, None if c is None else c.expand(len(tried), *c.shape[1:]))[:, d]
    apart = float((scored - pmf[symbols].log()).abs().max())
    figure = max(abs(float(pmf.sum()) - 1), apart)
    where = f"p(. | x_<{d}) sums to {float(pmf.sum()):.6g}, and scores lie up to {apart:.2g} nats from it"
    return Check.of(name, figure, bound, f"the sum over {v} symbols, and {len(symbols)} scores beside it", where)


def _pieces(subject: Subject, x: Tensor, c: Tensor | None) -> Tensor:
    """The scores of many examples, in float64, a piece at a time."""
    size = max(1, PIECE // (x.shape[1] * max(1, (subject.num_symbols or 1) // 64)))
    rows = [slice(start, start + size) for start in range(0, len(x), size)]
    scored = [subject.scores(x[here], None if c is None else c[here]).double() for here in rows]  # type: ignore[misc]
    return torch.cat(scored)


def enumeration(subject: Subject, largest: int, bound: float) -> Check:
    """sum_x p(x) = 1 over every example, or over all first elements where the examples are too many."""
    name, v = "normalisation.enumeration", subject.num_symbols
    if subject.scores is None or v is None:
        return skipped(name, "no finite alphabet to enumerate")
    first = next((d for d in range(subject.length, 0, -1) if v**d <= min(largest, WORK // subject.length)), 0)
    if not first:
        return skipped(name, f"more than {largest} states from the first element on")
    mass = total_mass(subject, first)
    which = "every example" if first == subject.length else f"the first {first} of {subject.length} elements"
    return Check.of(name, abs(mass - 1), bound, f"{v}^{first} states, {which}", f"the total mass is {mass:.9g}")


def total_mass(subject: Subject, first: int) -> float:
    """sum over all x_1, ..., x_first of their probability, in float64."""
    starts = every_example(subject.num_symbols or 1, first)
    x = torch.cat([starts, subject.elements(0)[:1, first:].expand(len(starts), -1)], 1)
    c = None if subject.context is None else subject.context[:1].expand(len(x), *subject.context.shape[1:])
    return float(_pieces(subject, x, c)[:, :first].sum(1).exp().sum())


def importance(subject: Subject, draws: int) -> Check:
    """The total mass as the mean of p(x)/q(x) over x ~ q, where the examples are too many to enumerate.

    q draws each element from (1 - e) p + e/V with e = 1/(2D), normalised here: q is positive wherever p is, and the
    ratio stays below sqrt(e), so the mean obeys the central limit theorem.
    """
    name, v, n = "normalisation.importance", subject.num_symbols, draws
    if subject.walk is None or subject.scores is None or subject.pmf is None or v is None:
        return skipped(name, "no step to draw from, or no finite alphabet")
    log_q = torch.zeros(n, dtype=torch.float64)
    mixed = 1 / (2 * subject.length)
    generator = torch.Generator().manual_seed(11)

    def draw(d: int, p: Distribution) -> Tensor:
        mass = p.pmf().double()
        q = (1 - mixed) * mass / mass.sum(-1, keepdim=True) + mixed / v
        x = torch.multinomial(q, 1, generator=generator)
        log_q.add_(q.gather(-1, x).squeeze(-1).log())
        return x.squeeze(-1)

    c = None if subject.context is None else subject.context[:1].expand(n, *subject.context.shape[1:])
    x = subject.walk(draw, n, subject.length, c)
    ratio = (subject.scores(x, c).double().sum(1) - log_q).exp()
    mass, error = float(ratio.mean()), float(ratio.std()) / sqrt(n)
    bound = 5 * error + 1e-3
    return Check.of(name, abs(mass - 1), bound, f"{n} draws", f"the total mass is {mass:.4g} ± {error:.2g}")
