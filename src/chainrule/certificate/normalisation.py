"""Normalisation: the probabilities of all that can happen sum to one."""

from __future__ import annotations

from itertools import product
from math import sqrt

import torch
from torch import Tensor

from chainrule.batch import Batch
from chainrule.certificate.check import Check, skipped
from chainrule.certificate.subject import Subject
from chainrule.heads.base import Distribution
from chainrule.model import AutoregressiveModel

__all__ = ["density", "density_mass", "enumeration", "every_example", "importance", "steps"]

WORK = 200_000  # elements that one check may score


def every_example(num_symbols: int, length: int) -> Tensor:
    """All V^D examples, shape (V^D, D)."""
    return torch.tensor(list(product(range(num_symbols), repeat=length))).reshape(-1, length)


def steps(subject: Subject, positions: int, bound: float) -> Check:
    """sum_k p(x_d = k | x_<d) = 1 by the path that is scored: x_d runs through the alphabet, the rest stays."""
    name, v = "normalisation.steps", subject.num_symbols
    if subject.scores is None or v is None:
        return skipped(name, "no finite alphabet to sum over")
    worst, where = 0.0, ""
    rows = min(2, subject.examples) if v * subject.length <= 4096 else 1
    affordable = max(2, WORK // (rows * v * subject.length))
    x = subject.elements(0)[:rows]
    c = None if subject.context is None else subject.context[:rows].repeat_interleave(v, 0)
    chosen = subject.positions(min(positions, affordable))
    for d in chosen:
        tried = x.repeat_interleave(v, 0)
        tried[:, d] = torch.arange(v).repeat(rows)
        mass = subject.scores(tried, c)[:, d].double().exp().view(rows, v).sum(1)
        figure = float((mass - 1).abs().nan_to_num(nan=torch.inf).max())
        if figure > worst:
            worst, where = figure, f"p(. | x_<{d}) sums to {float(mass[(mass - 1).abs().argmax()]):.6g}"
    return Check.of(name, worst, bound, f"{len(chosen)} elements, all {v} symbols", where)


def enumeration(subject: Subject, largest: int, bound: float) -> Check:
    """sum_x p(x) = 1 over every example, or over all first elements where the examples are too many."""
    name, v = "normalisation.enumeration", subject.num_symbols
    if subject.scores is None or v is None:
        return skipped(name, "no finite alphabet to enumerate")
    first = next((d for d in range(subject.length, 0, -1) if v**d <= largest), 0)
    if not first:
        return skipped(name, f"more than {largest} states from the first element on")
    mass = total_mass(subject, first)
    which = "every example" if first == subject.length else f"the first {first} of {subject.length} elements"
    return Check.of(name, abs(mass - 1), bound, f"{v}^{first} states, {which}", f"the total mass is {mass:.9g}")


def total_mass(subject: Subject, first: int, size: int = 4096) -> float:
    """sum over all x_1, ..., x_first of their probability, in float64."""
    starts = every_example(subject.num_symbols or 1, first)
    filling = subject.elements(0)[:1, first:]
    total = torch.zeros((), dtype=torch.float64)
    for start in range(0, len(starts), size):
        piece = starts[start : start + size]
        x = torch.cat([piece, filling.expand(len(piece), -1)], 1)
        c = None if subject.context is None else subject.context[:1].expand(len(x), *subject.context.shape[1:])
        total += subject.scores(x, c)[:, :first].double().sum(1).exp().sum()  # type: ignore[misc]
    return float(total)


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


def density_mass(p: Distribution, dtype: torch.dtype, points: int = 20_001) -> Tensor:
    """The integral of each density, by the trapezoid rule between extreme quantiles, of the batch shape."""
    ends = torch.tensor([1e-9, 1 - 1e-9], dtype=torch.float64)
    low, high = (p.icdf(u.expand(p.batch_shape)) for u in ends)
    mass = torch.zeros(p.batch_shape, dtype=torch.float64)
    width = (high - low).double() / (points - 1)
    for i, t in enumerate(torch.linspace(0, 1, points, dtype=torch.float64)):
        weight = 0.5 if i in (0, points - 1) else 1.0
        mass += weight * width * p.log_prob((low + t * (high - low)).to(dtype)).double().exp()
    return mass


def density(subject: Subject, bound: float, points: int = 2001) -> Check:
    """The density of each element integrates to one, by quadrature."""
    name, model = "normalisation.density", subject.thing
    if not isinstance(model, AutoregressiveModel) or model.head.num_symbols is not None or not model.head.elementwise:
        return skipped(name, "no density of the same kind at every element")
    x = subject.elements(0)
    h = model.network(x, subject.context)
    p = model.head(h)
    if p.is_mass:
        return skipped(name, "a probability on a grid, not a density")
    mass = density_mass(p, h.dtype, points)
    scored = model.element_log_prob(Batch(x, context=subject.context))
    apart = float((scored - p.log_prob(x)).abs().max())
    figure = max(float((mass - 1).abs().max()), apart)
    return Check.of(name, figure, bound, f"{mass.numel()} densities on {points} points", "a density's mass is not one")
