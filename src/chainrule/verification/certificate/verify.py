"""`verify`: is the number that this model reports a log-likelihood?"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from time import perf_counter
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from chainrule.domain import Domain
from chainrule.models.base import Model
from chainrule.verification.certificate import (
    accounting,
    causality,
    invariance,
    normalisation,
    orders,
    sampling,
    supports,
)
from chainrule.verification.certificate.check import Certificate, Check, skipped
from chainrule.verification.certificate.subject import Subject, fewer, shorter, subject_of, wide
from chainrule.verification.certificate.time_budget import Pace

if TYPE_CHECKING:
    from chainrule.data.examples.base import Examples

__all__ = ["verify"]

QUICK_SECONDS = 1.7
Checks = list[tuple[str, Callable[[], Check]]]


def verify(
    thing: Any,
    *,
    num_symbols: int | None = None,
    length: int | None = None,
    context: Tensor | None = None,
    examples: Examples | None = None,
    domain: Domain | None = None,
    quick: bool = False,
) -> Certificate:
    """A certificate of named checks, each with what was tried, the worst figure and its bound.

    thing: an AutoregressiveModel, one of another order (`PermutedModel`), a mean over orders (`OrderMixture`), a
    network, a module from elements (B, D) to logits (B, D, V) (logits[:, d] belong to x_d; see `NextToken` for language
    models), or a function from a prefix, a list of symbols, to V probabilities.
    num_symbols, length: V and D, where the thing does not know them. context: of four examples, for conditional
    models; by default classes in turn, or random vectors. examples, domain: data whose accounting is to be checked.
    quick: the checks that matter most, in the model's own precision, on as many elements as 1.7 seconds allow.

    >>> certificate = verify(lambda prefix: [0.5, 0.25, 0.25], num_symbols=3, length=4)
    >>> certificate.passed
    True
    >>> verify(lambda prefix: [0.5, 0.5, 0.5], num_symbols=3, length=4).failed[0]
    'normalisation.steps'
    """
    start = perf_counter()
    if isinstance(thing, Model) and thing.permuted_chains:
        of_chain = partial(verify, context=context, quick=quick)
        data = accounting.counted(examples, domain)
        checks = [check for check in orders.of_orders(thing, of_chain, context, quick) if check.name != data.name]
        return Certificate(type(thing).__name__, (*checks, data), perf_counter() - start)
    subject = subject_of(thing, num_symbols, length, context)
    modes = [] if subject.module is None else [(part, part.training) for part in subject.module.modules()]
    if subject.module is not None:
        subject.module.eval()
    made: list[Check] = []
    try:
        every = _quick(subject) if quick else _thorough(subject)
        for name, check in [*every, ("accounting.examples", lambda: accounting.counted(examples, domain))]:
            if quick and perf_counter() - start > QUICK_SECONDS:
                made.append(skipped(name, "no time left in the quick form"))
                continue
            if name == "causality.gradient":
                made.append(check())
            else:
                with torch.no_grad():
                    made.append(check())
    finally:
        for part, mode in modes:
            part.training = mode
    return Certificate(subject.name, tuple(made), perf_counter() - start)


def _quick(subject: Subject) -> Checks:
    """The checks in the order of their importance, their work measured in passes of this very model.

    Leaks are looked for in as much of an example as is scored in 80 ms, all else in as much as is scored in 10 ms.
    """
    pace = Pace(fewer(subject, 1), limit=0.08)
    whole = fewer(shorter(subject, pace.length(0.08)), 1 if subject.length > 128 else 2)
    near = shorter(subject, min(32, pace.length(0.01)))
    work = pace.elements(0.2)
    return [
        ("causality.suffix.evaluation", lambda: causality.suffix(whole, False, 3, 1, 1e-5, seconds=0.25)),
        ("causality.suffix.training", lambda: causality.suffix(whole, True, 3, 1, 1e-5, seconds=0.25)),
        ("normalisation.steps", lambda: normalisation.steps(near, 2, 1e-4, work)),
        ("accounting.elements", lambda: accounting.elements(near, 1e-4)),
        ("sampling.step", lambda: sampling.step(near, 8, 1e-4)),
        ("normalisation.enumeration", lambda: normalisation.enumeration(near, min(256, work // near.length), 1e-4)),
        ("normalisation.support", lambda: supports.support(near, 5, 1e-3, 201)),
        ("causality.truncation", lambda: causality.truncation(near, 3, 1e-4)),
        ("causality.gradient", lambda: causality.gradient(near, 3, 1e-5)),
        ("invariance.batch", lambda: invariance.batch(near, 1e-4)),
        ("invariance.order", lambda: invariance.order(near, 1e-4)),
        ("invariance.padding", lambda: invariance.padding(near, 1e-4)),
        ("invariance.packing", lambda: invariance.packing(near, 1e-4)),
        ("accounting.total", lambda: accounting.total(near, 1e-4)),
        ("determinism.repeat", lambda: invariance.determinism(near)),
    ]


def _thorough(subject: Subject) -> Checks:
    """Every check on whole examples, on a float64 copy where there is one."""
    exact, is_wide = wide(subject, subject.elements(0))
    tight, loose = (1e-6, 1e-5) if is_wide else (1e-5, 1e-4)
    draws = min(256, max(32, (1 << 15) // subject.length))
    return [
        ("causality.suffix.evaluation", lambda: causality.suffix(exact, False, 16, 2, tight, seconds=10)),
        ("causality.suffix.training", lambda: causality.suffix(exact, True, 16, 2, tight, seconds=10)),
        ("normalisation.steps", lambda: normalisation.steps(exact, 12, 1e-5 if is_wide else 1e-4)),
        ("accounting.elements", lambda: accounting.elements(exact, loose)),
        ("sampling.step", lambda: sampling.step(exact, 64, loose)),
        ("normalisation.enumeration", lambda: normalisation.enumeration(exact, 16_384, 1e-6 if is_wide else 1e-4)),
        ("normalisation.support", lambda: supports.support(subject, 32, 1e-3, 2001)),
        ("causality.truncation", lambda: causality.truncation(exact, 16, loose)),
        ("causality.gradient", lambda: causality.gradient(exact, 16, tight)),
        ("invariance.batch", lambda: invariance.batch(exact, loose)),
        ("invariance.order", lambda: invariance.order(exact, loose)),
        ("invariance.padding", lambda: invariance.padding(exact, loose)),
        ("invariance.packing", lambda: invariance.packing(exact, loose)),
        ("accounting.total", lambda: accounting.total(subject, 1e-4)),
        ("determinism.repeat", lambda: invariance.determinism(subject)),
        ("invariance.precision", lambda: invariance.precision(subject, exact, is_wide, 1e-3)),
        ("normalisation.importance", lambda: normalisation.importance(exact, draws)),
        ("sampling.fits", lambda: sampling.fits(subject, 2000, 64)),
    ]
