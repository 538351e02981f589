"""`verify`: is the number that this model reports a log-likelihood?"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from time import perf_counter
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from chainrule.domain import Domain
from chainrule.errors import InputError
from chainrule.models.base import Model
from chainrule.verification.certificate import orders
from chainrule.verification.certificate.adapters import is_lazy, model_under_test, working_copy
from chainrule.verification.certificate.causality import said_by
from chainrule.verification.certificate.check import FIRST, Certificate, Check, blocked, skipped
from chainrule.verification.certificate.comparison import seeded
from chainrule.verification.certificate.data_accounting import counted
from chainrule.verification.certificate.table import CHECKS, CODE_CHECK, Row
from chainrule.verification.certificate.tested import ModelUnderTest
from chainrule.verification.certificate.trial import COARSE, Trial

if TYPE_CHECKING:
    from chainrule.data.examples.base import Examples

__all__ = ["verify"]


def verify(
    thing: Any,
    *,
    num_symbols: int | None = None,
    length: int | None = None,
    context: Tensor | None = None,
    examples: Examples | None = None,
    training: Examples | None = None,
    domain: Domain | None = None,
    quick: bool = False,
    code: bool = False,
) -> Certificate:
    """A certificate of named checks, each with what was tried, the worst figure and its bound.

    thing: an AutoregressiveModel, one of another order (`PermutedModel`), a mixture over orders (`OrderMixture`), a
        network, a head, a module from elements (B, D) to logits (B, D, V) (logits[:, d] belong to x_d; see `wrap` for
        language models), or a function from a prefix, a list of symbols, to V probabilities.
    num_symbols: V, where the thing does not know it.
    length: D, where the thing does not know it.
    context: contexts of four examples, for conditional models; by default classes in turn, or random vectors.
    examples: data whose accounting is checked, and of which some rows are tried.
    training: data that the model was trained on, of which rows are tried in place of those.
    domain: the domain of these data.
    quick: whether to make the quick form: a twentieth of the work, in the model's own precision.
    code: whether to code and decode draws and examples, too, as the last check.

    The work is counted in operations, so that the verdict does not depend on the load of the machine.

    >>> certificate = verify(lambda prefix: [0.5, 0.25, 0.25], num_symbols=3, length=4)
    >>> certificate.passed
    True
    >>> verify(lambda prefix: [0.5, 0.5, 0.5], num_symbols=3, length=4).failed[0]
    'normalisation.steps'
    """
    start = perf_counter()
    if isinstance(thing, Model) and thing.permuted_chains:
        of_chain = partial(verify, context=context, quick=quick, code=code)
        data = counted(examples, domain)
        of_orders = [check for check in orders.of_orders(thing, of_chain, context, quick) if check.name != data.name]
        return Certificate(type(thing).__name__, (*of_orders, data), perf_counter() - start)
    tried, copied = working_copy(thing)
    own = model_under_test(tried, num_symbols, length, context)
    with evaluation_mode(own.module):
        if (refused := _first_pass(own)) is not None:
            return Certificate(own.name, (refused,), perf_counter() - start)
        trial = Trial.of(own, quick, thing if copied and not is_lazy(thing) else None, examples, training, domain)
        rows = [row for row in CHECKS if row.quick or not quick] + ([CODE_CHECK] if code else [])
        checks = explained([_made(row, trial) for row in rows])
    return Certificate(own.name, checks, perf_counter() - start)


def explained(checks: list[Check]) -> tuple[Check, ...]:
    """The checks; where there is a leak, sums and scores that are wrong for that reason say so.

    >>> leak = Check("causality.suffix.evaluation", False, "8 elements")
    >>> explained([leak, Check("normalisation.steps", False, "3 elements", where="p(. | x_<2) sums to 1.3")])[1].where
    'p(. | x_<2) sums to 1.3 (an element that sees itself sums to more than one: mend causality.suffix first)'
    """
    if not any(check.name.startswith("causality.suffix") and check.passed is False for check in checks):
        return tuple(checks)
    reason = f" (an element that sees itself sums to more than one: {FIRST})"
    return tuple(
        replace(check, where=check.where + reason)
        if check.passed is False and check.name.startswith("normalisation")
        else check
        for check in checks
    )


def _first_pass(own: ModelUnderTest) -> Check | None:
    """Score a batch, from which some modules start; the check that could not be made where that is impossible."""
    x = own.elements(0)[: own.rows_at_once()]
    with torch.no_grad():
        try:
            seeded(own.outputs, x, own.contexts(len(x)))
        except InputError:
            raise
        except Exception as error:  # whatever a user's module raises
            return blocked(CHECKS[0].name, f"a batch of shape {tuple(x.shape)} cannot be scored: {said_by(error)}")
    return None


def _made(row: Row, trial: Trial) -> Check:
    """One check; by a module that raises it is skipped, with the module's words; small failures are seen in float64."""
    check = _tried(row, trial)
    if not trial.quick or not row.rounds or check.passed is not False or trial.own.module is None:
        return check
    if trial.exact is None or not check.figure <= (COARSE if row.same_shape else trial.coarse):
        return check
    return replace(_tried(row, trial.exact), tried=f"{check.tried}, again in float64")


def _tried(row: Row, trial: Trial) -> Check:
    with torch.set_grad_enabled(row.gradients):
        try:
            return row.make(trial)
        except Exception as error:  # whatever a user's module raises: on shapes, copies, caches of its own
            why = f"it could not be made: {said_by(error)}"
            return blocked(row.name, why) if row.essential else skipped(row.name, why)


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
