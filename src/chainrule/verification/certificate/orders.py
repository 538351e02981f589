"""Orders: p(x) = 1/O sum_o p_o(x) is a likelihood if each chain is one in its own order, and p is their mean.

One order alone, `PermutedModel`, is the mean of one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from math import inf, isnan
from time import perf_counter

import torch
from torch import Tensor

from chainrule.models.base import Model
from chainrule.models.chain import AutoregressiveModel
from chainrule.verification.certificate.check import NO_TIME, Certificate, Check, skipped
from chainrule.verification.certificate.mixture import Mixture
from chainrule.verification.certificate.subject import subject_of
from chainrule.verification.certificate.table import ORDER_CHECKS
from chainrule.verification.certificate.time_budget import within

__all__ = ["evenly", "merged", "of_orders"]

QUICK_SECONDS = 2.0


def of_orders(
    thing: Model,
    of_chain: Callable[[AutoregressiveModel], Certificate],
    context: Tensor | None,
    quick: bool,
) -> list[Check]:
    """Every check of a chain on some of the orders, evenly spread, and the checks of their mean.

    thing: the model with several orders.
    of_chain: the certificate of one chain. context: of the examples that are tried. quick: one order, a second where
    there is time, and of the mean what there is time for after its two most telling checks.
    """
    start = perf_counter()
    modes = [(part, part.training) for part in thing.modules()]
    thing.eval()
    members = list(thing.permuted_chains)
    mean = Mixture(thing, members, subject_of(members[0].model, None, None, context))
    few = evenly(len(members), 2 if quick else 4)
    try:
        certificates = {o: of_chain(members[o].model) for o in within(few, 0.2 if quick else inf)}
        checks = list(merged(certificates, len(members)))
        with torch.no_grad():
            for row in (row for row in ORDER_CHECKS if row.quick or not quick):
                late = quick and row.quick == "in time" and perf_counter() - start > QUICK_SECONDS
                checks.append(skipped(row.name, NO_TIME) if late else row.make(mean, few, quick))
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

    certificates: of some orders, by their number. orders: how many there are.
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
