"""Accounting of scores: every element once, by its own conditional, and the total is their sum."""

from __future__ import annotations

import torch
from torch import Tensor

from chainrule.batch import Batch
from chainrule.verification.certificate.check import Check, difference, skipped
from chainrule.verification.certificate.special import special_symbols
from chainrule.verification.certificate.tested import LEAST, ModelUnderTest, possible

__all__ = ["elements", "mixed_lengths", "total"]


def elements(tested: ModelUnderTest, rows: Tensor, bound: float, sweep: int = 0) -> Check:
    """The score of each element is ln of its conditional: the start's, the end's, and -inf where that is zero.

    tested: the model.
    rows: rows to try, shape (R, D); rows of each symbol that has a meaning of its own are added.
    bound: largest difference that is rounding.
    sweep: largest number of rows of other symbols that are added, until every symbol came.
    """
    name = "accounting.elements"
    if tested.scores is None or tested.log_pmf is None:
        return skipped(name, "no conditionals to compare the scores with")
    worst, where = 0.0, ""
    v = tested.num_symbols or 1
    every = torch.cat([rows, *_of_symbols(tested, sweep)])
    for part in torch.split(every, min(8, tested.rows_at_once())):
        c = tested.contexts(len(part))
        log_pmf = tested.log_pmf(part, c)
        if log_pmf.shape[-1] != v:
            where = f"the model makes {log_pmf.shape[-1]} logits for {v} symbols; cut the others off"
            return Check.of(name, torch.inf, bound, "the width of the logits", where)
        expected = possible(log_pmf.gather(-1, part.unsqueeze(-1)).squeeze(-1).double()).clamp(min=LEAST)
        apart = difference(expected, possible(tested.scores(part, c).double()).clamp(min=LEAST))
        apart = torch.where(expected.isnan(), torch.inf, apart)
        if not float(apart.max()) <= worst:
            worst, d = float(apart.max()), int(apart.max(0).values.argmax())
            row = int(apart[:, d].argmax())
            where = f"x_{d} = {int(part[row, d])} is not scored by its conditional"
    symbols = len(set(every.flatten().tolist()))
    tried = f"every element of {len(every)} rows, {symbols} of {v} symbols, next to its conditional"
    return Check.of(name, worst, bound, tried, where)


def _of_symbols(tested: ModelUnderTest, sweep: int) -> list[Tensor]:
    """Rows of the symbols that have a meaning of their own, and of consecutive symbols until every symbol came."""
    special, d, v = torch.tensor(special_symbols(tested)), tested.length, tested.num_symbols or 1
    place = torch.arange(d)
    rows = [special[(place + k * d) % len(special)] for k in range(-(-len(special) // d))]
    rows += [row.flip(0) for row in rows]
    needed = -(-v // d)
    chosen = range(needed) if needed <= sweep else (needed * k // sweep for k in range(sweep))
    rows += [(place + k * d) % v for k in chosen]
    return [torch.stack(rows)]


def mixed_lengths(tested: ModelUnderTest, rows: Tensor) -> Batch:
    """The rows with masks of many lengths, not sorted by length, as one batch."""
    n, length = len(rows), tested.length
    turn = torch.randperm(n, generator=torch.Generator().manual_seed(1))  # not its own inverse
    lengths = ((turn + 1) * length // n).clamp(min=1)
    return Batch(rows, torch.arange(length) < lengths[:, None], tested.contexts(n))


def total(tested: ModelUnderTest, rows: Tensor, bound: float) -> Check:
    """ln p of an example is the sum over its elements that count, by every name that the model has for it.

    tested: the model.
    rows: rows to try, shape (R, D), taken at mixed lengths.
    bound: largest difference that is rounding.
    """
    name, model = "accounting.total", tested.model
    if model is None:
        return skipped(name, "it has no total of its own")
    worst, where = 0.0, ""
    for batch in (mixed_lengths(tested, rows), Batch(rows, context=tested.contexts(len(rows)))):
        sums = model.element_log_prob(batch).double().sum(1)
        for word, found in (("forward", model(batch)), ("log_prob", model.log_prob(batch))):
            figure = float(difference(sums, found.double()).max())
            if not figure <= worst:
                worst, where = figure, f"{word} is not the sum of element_log_prob"
    return Check.of(name, worst, bound, f"forward and log_prob of {len(rows)} examples, whole and cut short", where)
