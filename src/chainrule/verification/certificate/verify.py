"""`verify`: is the number that this model reports a log-likelihood?"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from time import perf_counter
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from chainrule.domain import Domain
from chainrule.models.base import Model
from chainrule.verification.certificate import accounting, orders
from chainrule.verification.certificate.check import NO_TIME, Certificate, Check, skipped
from chainrule.verification.certificate.subject import Subject, subject_of
from chainrule.verification.certificate.table import CHECKS
from chainrule.verification.certificate.views import QuickViews, ThoroughViews

if TYPE_CHECKING:
    from chainrule.data.examples.base import Examples

__all__ = ["verify"]

QUICK_SECONDS = 1.7


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

    thing: an AutoregressiveModel, one of another order (`PermutedModel`), a mixture over orders (`OrderMixture`), a
        network, a head, a module from elements (B, D) to logits (B, D, V) (logits[:, d] belong to x_d; see `wrap` for
        language models), or a function from a prefix, a list of symbols, to V probabilities.
    num_symbols: V, where the thing does not know it.
    length: D, where the thing does not know it.
    context: contexts of four examples, for conditional models; by default classes in turn, or random vectors.
    examples: data whose accounting is checked.
    domain: the domain of these data.
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
        of_orders = [check for check in orders.of_orders(thing, of_chain, context, quick) if check.name != data.name]
        return Certificate(type(thing).__name__, (*of_orders, data), perf_counter() - start)
    subject = subject_of(thing, num_symbols, length, context)
    with evaluation_mode(subject.module):
        checks = _quick(subject, examples, domain, start) if quick else _thorough(subject, examples, domain)
    return Certificate(subject.name, checks, perf_counter() - start)


def _quick(subject: Subject, examples: Examples | None, domain: Domain | None, start: float) -> tuple[Check, ...]:
    """The checks of the quick form, those skipped for which no time is left."""
    views = QuickViews.of(subject, examples, domain)
    checks: list[Check] = []
    for row in CHECKS:
        if row.quick is None:
            continue
        if perf_counter() - start > QUICK_SECONDS:
            checks.append(skipped(row.name, NO_TIME))
            continue
        with torch.set_grad_enabled(row.gradients):
            checks.append(row.quick(views))
    return tuple(checks)


def _thorough(subject: Subject, examples: Examples | None, domain: Domain | None) -> tuple[Check, ...]:
    """All checks."""
    views = ThoroughViews.of(subject, examples, domain)
    checks: list[Check] = []
    for row in CHECKS:
        with torch.set_grad_enabled(row.gradients):
            checks.append(row.thorough(views))
    return tuple(checks)


@contextmanager
def evaluation_mode(module: nn.Module | None) -> Iterator[None]:
    """Inside, a module is in evaluation mode; afterwards each of its parts has the mode that it had before."""
    modes = [] if module is None else [(part, part.training) for part in module.modules()]
    if module is not None:
        module.eval()
    try:
        yield
    finally:
        for part, mode in modes:
            part.training = mode
