"""`verify`: is the number that this model reports a log-likelihood?"""

from __future__ import annotations

from collections.abc import Callable
from time import perf_counter
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from chainrule.certificate import accounting, causality, invariance, normalisation, sampling
from chainrule.certificate.check import Certificate, Check, skipped
from chainrule.certificate.subject import Subject, fewer, shorter, subject_of, wide
from chainrule.domain import Domain

if TYPE_CHECKING:
    from chainrule.data.base import Examples

__all__ = ["verify"]

QUICK_SECONDS = 1.5


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

    thing: an AutoregressiveModel, a network, a module from elements (B, D) to logits (B, D, V) (logits[:, d] belong to
    x_d; see `NextToken` for language models), or a function from a prefix, a list of symbols, to V probabilities.
    num_symbols, length: V and D, where the thing does not know them. context: of four examples, for conditional
    models; by default classes in turn, or random vectors. examples, domain: data whose accounting is to be checked.
    quick: the checks that matter most, on fewer elements, in the model's own precision, until 1.5 seconds are over.

    >>> certificate = verify(lambda prefix: [0.5, 0.25, 0.25], num_symbols=3, length=4)
    >>> certificate.passed
    True
    >>> verify(lambda prefix: [0.5, 0.5, 0.5], num_symbols=3, length=4).failed[0]
    'normalisation.steps'
    """
    start = perf_counter()
    subject = subject_of(thing, num_symbols, length, context)
    modes = [] if subject.module is None else [(part, part.training) for part in subject.module.modules()]
    if subject.module is not None:
        subject.module.eval()
    made: list[Check] = []
    try:
        for name, check in _checks(subject, examples, domain, quick):
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


def _checks(
    subject: Subject, examples: Examples | None, domain: Domain | None, quick: bool
) -> list[tuple[str, Callable[[], Check]]]:
    """The checks in the order of their importance; on a float64 copy where there is one, which is not quick."""
    exact, is_wide = (subject, False) if quick else wide(subject, subject.elements(0))
    near = shorter(subject, 32) if quick else exact
    whole = fewer(subject, 1 if subject.length > 128 else 2) if quick else exact
    tight, loose = (1e-6, 1e-5) if is_wide else (1e-5, 1e-4)
    positions, draws, states, most = (3, 1, 256, 8) if quick else (16, 2, 16_384, 64)
    checks: list[tuple[str, Callable[[], Check]]] = [
        ("causality.suffix.evaluation", lambda: causality.suffix(whole, False, positions, draws, tight)),
        ("causality.suffix.training", lambda: causality.suffix(whole, True, positions, draws, tight)),
        ("normalisation.steps", lambda: normalisation.steps(near, 2 if quick else 12, 1e-5 if is_wide else 1e-4)),
        ("accounting.elements", lambda: accounting.elements(near, loose)),
        ("sampling.step", lambda: sampling.step(near, most, loose)),
        ("normalisation.enumeration", lambda: normalisation.enumeration(near, states, 1e-6 if is_wide else 1e-4)),
        (
            "normalisation.density",
            lambda: normalisation.density(near if quick else subject, 1e-3, 201 if quick else 2001),
        ),
        ("causality.truncation", lambda: causality.truncation(near, positions, loose)),
        ("causality.gradient", lambda: causality.gradient(near, positions, tight)),
        ("invariance.batch", lambda: invariance.batch(near, loose)),
        ("invariance.order", lambda: invariance.order(near, loose)),
        ("invariance.padding", lambda: invariance.padding(near, loose)),
        ("determinism.repeat", lambda: invariance.determinism(subject)),
        ("accounting.examples", lambda: accounting.counted(examples, domain)),
    ]
    if not quick:
        checks += [
            ("invariance.precision", lambda: invariance.precision(subject, exact, is_wide, 1e-3)),
            ("normalisation.importance", lambda: normalisation.importance(exact, 256)),
            ("sampling.fits", lambda: sampling.fits(subject, 2000, most)),
        ]
    return checks
