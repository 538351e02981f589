"""Normalisation over a finite alphabet: the probabilities of all symbols, and of all examples, sum to one."""

from __future__ import annotations

from itertools import product

import torch
from torch import Tensor

from chainrule.verification.certificate.check import Check, skipped
from chainrule.verification.certificate.special import special_symbols
from chainrule.verification.certificate.tested import ModelUnderTest
from chainrule.verification.certificate.work import Work

__all__ = ["enumeration", "every_example", "steps", "total_mass"]

SAMPLED = 3  # elements at which a large alphabet is summed and some of its symbols are scored


def every_example(num_symbols: int, length: int) -> Tensor:
    """All V^D examples, shape (V^D, D)."""
    return torch.tensor(list(product(range(num_symbols), repeat=length))).reshape(-1, length)


def steps(tested: ModelUnderTest, rows: Tensor, places: list[int], work: tuple[Work, float], bound: float) -> Check:
    """sum_k p(x_d = k | x_<d) = 1 by the path that is scored: x_d runs through the alphabet, the rest stays.

    tested: the model.
    rows: rows to try, shape (R, D), in turn.
    places: the elements d, the most telling first.
    work: the work of the form, and the share of it that may be spent.
    bound: largest deviation from 1 that is rounding.

    Where an alphabet is too large for that, the sum over it is taken of ln p of every symbol, and the scores of some
    symbols, those with a meaning of their own among them, are held against it.
    """
    name, v = "normalisation.steps", tested.num_symbols
    if tested.scores is None or v is None:
        return skipped(name, "no finite alphabet to sum over")
    worst, where, whole, sampled = 0.0, "", 0, 0
    if tested.module is None and tested.log_pmf is not None:
        worst, where = _of_every_prefix(tested.log_pmf(rows, None), rows)
    left = work[0].total * work[1]
    for number, d in enumerate(places):
        row = rows[number % len(rows)]
        row = row[: d + 1] if tested.any_length else row
        cost = work[0].element * len(row) * v
        if cost <= left or (not whole and not sampled and v * len(row) <= 4096):
            left -= cost
            whole += 1
            mass = _mass(tested, row, d, number)
        elif sampled < SAMPLED:
            sampled += 1
            symbols = _some_symbols(tested, int(max(8, left / 2 / (work[0].element * len(row)))))
            left -= work[0].element * len(row) * len(symbols)
            mass, said = _sampled_mass(tested, row, d, symbols)
            if not abs(mass - 1) <= worst:
                worst, where = abs(mass - 1), said
            continue
        else:
            break
        if not abs(mass - 1) <= worst:
            worst, where = abs(mass - 1), f"p(. | x_<{d}) sums to {mass:.6g}"
    tried = f"{whole} elements, all {v} symbols" + (f"; {sampled} by a sum and some scores" if sampled else "")
    return Check.of(name, worst, bound, tried, where)


def _of_every_prefix(log_pmf: Tensor, rows: Tensor) -> tuple[float, str]:
    """The worst sum that a function gives after the prefixes of some rows, and after which."""
    mass = log_pmf.exp().sum(-1)
    apart = (mass - 1).abs().nan_to_num(nan=torch.inf)
    row, d = divmod(int(apart.argmax()), rows.shape[1])
    return float(apart[row, d]), f"p(. | {rows[row, :d].tolist()[-12:]}) sums to {float(mass[row, d]):.6g}"


def _mass(tested: ModelUnderTest, row: Tensor, d: int, number: int) -> float:
    """The sum over all symbols of the probability of element d of a row."""
    tried = row.repeat(tested.num_symbols or 1, 1)
    tried[:, d] = torch.arange(len(tried))
    c = tested.contexts(number + 1)
    log_p = tested.scored(tried, None if c is None else c[-1:].expand(len(tried), *c.shape[1:]))
    if bool((log_p[0, :d] == -torch.inf).any()):
        return 1.0  # nothing follows a prefix of probability zero
    return float(log_p[:, d].exp().sum().nan_to_num(nan=torch.inf))


def _some_symbols(tested: ModelUnderTest, most: int) -> Tensor:
    """Symbols with a meaning of their own, and others at random."""
    v = tested.num_symbols or 1
    chance = torch.randperm(v, generator=torch.Generator().manual_seed(1)).tolist()
    return torch.tensor(list(dict.fromkeys([*special_symbols(tested), *chance]))[: min(v, most)])


def _sampled_mass(tested: ModelUnderTest, row: Tensor, d: int, symbols: Tensor) -> tuple[float, str]:
    """The sum of ln p of every symbol, moved by the largest deviation of a score from it, and what deviates."""
    c = tested.contexts(1)
    if tested.log_pmf is None:
        return 1.0, ""
    log_pmf = tested.log_pmf(row[None], c)[0, d].double()
    total = float(log_pmf[: tested.num_symbols].exp().sum().nan_to_num(nan=torch.inf))
    tried = row.repeat(len(symbols), 1)
    tried[:, d] = symbols
    scores = tested.scored(tried, None if c is None else c.expand(len(tried), *c.shape[1:]))
    if bool((scores[0, :d] == -torch.inf).any()):
        return 1.0, ""  # nothing follows a prefix of probability zero
    scored = scores[:, d]
    apart = (scored.exp() - log_pmf[symbols].exp()).abs().nan_to_num(nan=torch.inf)
    relative = (scored - log_pmf[symbols]).abs().where(log_pmf[symbols] > -30, 0.0).nan_to_num(nan=torch.inf)
    worst = int(relative.argmax())
    if float(relative[worst]) > abs(total - 1):
        symbol = int(symbols[worst])
        said = f"symbol {symbol} after x_<{d} has ln p = {scored[worst]:.6g}, but {log_pmf[symbol]:.6g} in the sum"
        return 1 + float(torch.maximum(relative, apart).max()), said
    return total, f"p(. | x_<{d}) sums to {total:.6g} over {len(log_pmf)} logits for {tested.num_symbols} symbols"


def enumeration(tested: ModelUnderTest, rows: Tensor, largest: int, bound: float) -> Check:
    """sum_x p(x) = 1 over every example, or over all first elements where the examples are too many.

    tested: the model.
    rows: rows whose first is the rest of the examples where only the first elements are run through.
    largest: the largest number of examples.
    bound: largest deviation from 1 that is rounding.
    """
    name, v = "normalisation.enumeration", tested.num_symbols
    if tested.scores is None or v is None:
        return skipped(name, "no finite alphabet to enumerate")
    first = next((d for d in range(tested.length, 0, -1) if v**d <= largest), 0)
    if not first:
        return skipped(name, f"more than {largest} states from the first element on")
    mass = total_mass(tested, first, rows[0])
    which = "every example" if first == tested.length else f"the first {first} of {tested.length} elements"
    return Check.of(name, abs(mass - 1), bound, f"{v}^{first} states, {which}", f"the total mass is {mass:.9g}")


def total_mass(tested: ModelUnderTest, first: int, rest: Tensor | None = None) -> float:
    """The sum over all x_1, ..., x_first of their probability, in float64.

    tested: the model.
    first: number of elements that run through all symbols.
    rest: row whose other elements follow them, shape (D,).
    """
    starts = every_example(tested.num_symbols or 1, first)
    rest = tested.elements(0, 1)[0] if rest is None else rest
    x = starts if tested.any_length else torch.cat([starts, rest[first:].expand(len(starts), -1)], 1)
    c = tested.contexts(1)
    scored = tested.scored(x, None if c is None else c.expand(len(x), *c.shape[1:]))
    return float(scored[:, :first].sum(1).exp().sum().nan_to_num(nan=torch.inf))
