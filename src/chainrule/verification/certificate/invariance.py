"""Invariance: an example's score depends on that example alone, not on its company, its padding or the precision."""

from __future__ import annotations

from copy import deepcopy

import torch
from torch import Tensor

from chainrule.batch import Batch
from chainrule.errors import InputError
from chainrule.models.base import Model
from chainrule.verification.certificate.check import Check, difference, skipped
from chainrule.verification.certificate.subject import Subject

__all__ = ["batch", "determinism", "order", "packing", "padding", "precision"]


def _score(subject: Subject, x: Tensor, rows: Tensor) -> Tensor:
    """Outputs and scores of some examples, flattened to (n, everything)."""
    c = None if subject.context is None else subject.context[rows]
    made = [subject.outputs(x[rows], c).flatten(1)]
    if subject.scores is not None:
        made.append(subject.scores(x[rows], c))
    return torch.cat([part.double() for part in made], 1)


def batch(subject: Subject, bound: float) -> Check:
    """Every example alone is scored as in the batch."""
    x = subject.elements(0)
    everyone = torch.arange(len(x))
    together = _score(subject, x, everyone)
    alone = torch.cat([_score(subject, x, everyone[n : n + 1]) for n in range(len(x))])
    figure = float(difference(together, alone).max())
    return Check.of("invariance.batch", figure, bound, f"{len(x)} examples alone and together", "company matters")


def order(subject: Subject, bound: float) -> Check:
    """The examples in another order have the same scores in that order."""
    x = subject.elements(0)
    turned = torch.arange(len(x)).roll(1)
    figure = float(difference(_score(subject, x, torch.arange(len(x)))[turned], _score(subject, x, turned)).max())
    return Check.of("invariance.order", figure, bound, "the batch rolled by one", "the order of the examples matters")


def padding(subject: Subject, bound: float) -> Check:
    """Neither what stands in the padding nor how much of it there is changes a score."""
    name, model = "invariance.padding", subject.model
    if model is None or subject.length < 2:
        return skipped(name, "it takes no mask")
    x, c = subject.elements(0), subject.context
    worst, where = 0.0, ""
    for length in sorted({1, subject.length // 2, subject.length - 1}):
        mask = (torch.arange(subject.length) < length).expand(x.shape)
        fillings = [torch.cat([x[:, :length], other[:, length:]], 1) for other in map(subject.elements, (0, 1, 2))]
        scores = [_masked(model, Batch(filled, mask, c)) for filled in fillings]
        try:
            short = Batch(x[:, :length], context=c)
            scores.append(_masked(model, short))
        except (RuntimeError, ValueError, IndexError):
            pass  # it reads the whole length only
        for other in scores[1:]:
            figure = float(difference(scores[0], other).max())
            if figure > worst:
                worst, where = figure, f"with {length} of {subject.length} elements"
        rest = ~mask  # on the other side: what is given before them is read, and is not scored
        apart = difference(
            _elements(model, Batch(x, rest, c)), torch.where(rest, _elements(model, Batch(x, context=c)), 0)
        )
        if float(apart.max()) > worst:
            worst, where = float(apart.max()), f"with {length} elements given and not scored"
    return Check.of(name, worst, bound, "padding of three lengths, several fillings, none, and as many given", where)


def _elements(model: Model, batch: Batch) -> Tensor:
    return model.element_log_prob(batch).double()


def _masked(model: Model, batch: Batch) -> Tensor:
    return _elements(model, batch).sum(1)


def packing(subject: Subject, bound: float) -> Check:
    """Two examples side by side in one row are scored as each of them alone."""
    name, model = "invariance.packing", subject.chain
    if model is None or subject.context is not None or subject.length < 2:
        return skipped(name, "no examples without a context are packed")
    x, first = subject.elements(0), (subject.length + 1) // 2
    segment_ids = (torch.arange(subject.length) >= first).long().expand(x.shape)
    try:
        packed = _elements(model, Batch(x, segment_ids=segment_ids))
    except InputError as error:
        return skipped(name, f"{error}")
    alone = torch.cat([_elements(model, Batch(part)) for part in (x[:, :first], x[:, first:])], 1)
    apart = difference(packed, alone)
    where = f"x_{int(apart.max(0).values.argmax())} of a row whose second example begins at {first}"
    return Check.of(name, float(apart.max()), bound, f"{len(x)} rows of two examples", where)


def precision(subject: Subject, wide: Subject, is_wide: bool, bound: float) -> Check:
    """ln p in the model's own precision is that of a float64 copy."""
    name = "invariance.precision"
    if not is_wide or subject.scores is None or wide.scores is None or wide is subject:
        return skipped(name, "there is no float64 copy")
    x = subject.elements(0)
    y, c = (x.double() if x.is_floating_point() else x), wide.context
    figure = float(difference(wide.scores(y, c), subject.scores(x, subject.context).double()).max())
    return Check.of(name, figure, bound, "ln p in float64 beside it", "rounding decides")


def determinism(subject: Subject) -> Check:
    """Twice the same question, twice the same bits; between the two, another one."""
    x = subject.elements(0)
    everyone = torch.arange(len(x))
    first = _score(subject, x, everyone)
    _score(subject, subject.elements(1), everyone)
    figure = float(difference(first, _score(subject, x, everyone)).max())
    if subject.chain is not None and subject.context is None:
        a, b = (deepcopy(subject.chain.sample(3, seed=1, length=min(subject.length, 8))) for _ in range(2))
        figure = max(figure, float(not torch.equal(a.x.nan_to_num(), b.x.nan_to_num())))
    return Check.of("determinism.repeat", figure, 0.0, "the same scores and samples twice", "it has a memory or noise")
