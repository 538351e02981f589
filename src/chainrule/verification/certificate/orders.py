"""Orders: p(x) = 1/O sum_o p_o(x) is a likelihood if each chain is one in its own order, and p is their mean.

One order alone, `PermutedModel`, is the mean of one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from math import inf, isnan

import torch
from torch import Tensor

from chainrule.models.base import Model
from chainrule.models.chain import AutoregressiveModel
from chainrule.verification.certificate.adapters import model_under_test
from chainrule.verification.certificate.causality import said_by
from chainrule.verification.certificate.check import Certificate, Check, skipped
from chainrule.verification.certificate.order_mixture import OrdersUnderTest
from chainrule.verification.certificate.table import ORDER_CHECKS

__all__ = ["evenly", "merged", "of_orders"]


def of_orders(
    thing: Model,
    of_chain: Callable[[AutoregressiveModel], Certificate],
    context: Tensor | None,
    quick: bool,
) -> list[Check]:
    """Every check of a chain on some of the orders, evenly spread, and the checks of their mixture.

    thing: the model with several orders.
    of_chain: makes the certificate of one chain.
    context: contexts of the examples that are tried.
    quick: whether to make the quick form, in which one order has all checks of a chain, and not up to three.
    """
    modes = [(part, part.training) for part in thing.modules()]
    thing.eval()
    members = list(thing.permuted_chains)
    mixture = OrdersUnderTest(thing, members, model_under_test(members[0].model, None, None, context), quick)
    few = [0] if quick else evenly(len(members), 3)
    checks: list[Check] = []
    try:
        checks += merged({o: of_chain(members[o].model) for o in few}, len(members))
        with torch.no_grad():
            for row in (row for row in ORDER_CHECKS if row.quick or not quick):
                try:
                    checks.append(row.make(mixture, evenly(len(members), 4), quick))
                except Exception as error:  # whatever a model of a user raises
                    checks.append(skipped(row.name, f"it could not be made: {said_by(error)}"))
    finally:
        for part, mode in modes:
            part.training = mode
    return checks


def evenly(orders: int, most: int) -> list[int]:
    """The numbers of at most so many orders, from the first to the last.

    >>> evenly(32, 4), evenly(1, 4), evenly(3, 2)
    ([0, 10, 20, 31], [0], [0, 2])
    """
    return sorted({(orders - 1) * k // (most - 1) for k in range(most)})


def merged(certificates: dict[int, Certificate], orders: int) -> Iterator[Check]:
    """Each check once, with the worst that any order has, by the share of its bound.

    certificates: those of some orders, by the number of the order.
    orders: number of all orders.
    """

    def badness(check: Check) -> tuple[bool, bool, float]:
        share = check.figure / (check.bound or 1.0)
        return check.passed is False, check.passed is not None, inf if isnan(share) else share

    for name in (check.name for check in next(iter(certificates.values())).checks):
        worst = max(certificates, key=lambda o: badness(certificates[o][name]))
        check = certificates[worst][name]
        if check.passed is None or orders == 1:
            yield check
            continue
        where = f"order {worst}: {check.where}" if check.where else ""
        yield replace(
            check, tried=f"{check.tried}, in {len(certificates)} of {orders} orders, worst {worst}", where=where
        )
