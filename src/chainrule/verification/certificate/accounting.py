"""Accounting: every element of every example is scored once, by its own conditional."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from chainrule.batch import Batch
from chainrule.data.examples.in_batches import in_batches
from chainrule.domain import Domain
from chainrule.verification.certificate.check import Check, difference, skipped
from chainrule.verification.certificate.subject import Subject

if TYPE_CHECKING:
    from chainrule.data.examples.base import Examples

__all__ = ["counted", "elements", "total"]


def elements(subject: Subject, bound: float) -> Check:
    """The score of each element is ln of its conditional: the start's, the end's, and -inf where that is zero."""
    name = "accounting.elements"
    if subject.scores is None or subject.pmf is None:
        return skipped(name, "no conditionals to hold the scores to")
    worst, where = 0.0, ""
    for seed in (0, 1):
        x = subject.elements(seed)
        if seed and subject.num_symbols is not None:
            x[:, -1] = subject.num_symbols - 1
        expected = subject.pmf(x, subject.context).gather(-1, x.unsqueeze(-1)).squeeze(-1).log()
        apart = difference(expected, subject.scores(x, subject.context))
        if float(apart.max()) > worst:
            worst, where = float(apart.max()), f"x_{int(apart.max(0).values.argmax())} is not scored by its conditional"
    return Check.of(name, worst, bound, "every element's score beside its conditional", where)


def total(subject: Subject, bound: float) -> Check:
    """What training maximises, the model's own value of a batch, is the sum over the elements that count."""
    name, model = "accounting.total", subject.model
    if model is None:
        return skipped(name, "it has no total of its own")
    x = subject.elements(0)
    lengths = (torch.arange(1, len(x) + 1) * subject.length // len(x)).clamp(min=1)
    batch = Batch(x, torch.arange(subject.length) < lengths[:, None], subject.context)
    whole, sums = model(batch).double(), model.element_log_prob(batch).double().sum(1)
    figure = float((difference(whole, sums) / sums.abs().clamp(min=1)).max())
    return Check.of(name, figure, bound, f"ln p of {len(x)} examples beside the sum over their elements", "not the sum")


def counted(examples: Examples | None, domain: Domain | None, size: int = 256) -> Check:
    """Every example comes once, its first element is there, and where an end is declared it is scored."""
    name = "accounting.examples"
    if examples is None:
        return skipped(name, "no data was given")
    faults: list[str] = []
    seen = ended = 0
    for rows, batch in in_batches(examples, size):
        seen += len(batch)
        if not bool(batch.mask.any(1).all()):
            faults.append(f"an example between {rows[0]} and {rows[-1]} has no scored element")
        if rows[0] == 0 and not bool(batch.mask[0, 0]):
            faults.append("the first element is not scored")
        if domain is not None and domain.variable_length and domain.end is not None:
            last = batch.mask.shape[1] - 1 - batch.mask.flip(1).int().argmax(1)
            ends = batch.x[torch.arange(len(batch)), last]
            ended += int((ends == domain.end).sum())
    if domain is not None and domain.variable_length and domain.end is not None and not ended:
        faults.append(f"no example ends with the end {domain.end} being scored")
    if seen != len(examples):
        faults.append(f"{seen} examples came, {len(examples)} were announced")
    return Check.of(name, float(len(faults)), 0.0, f"{len(examples)} examples", "; ".join(faults[:2]))
