"""Determinism: the same question has the same answer, whatever was asked before; and what rounding changes."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import torch
from torch import Tensor, nn

from chainrule.verification.certificate.adapters import copied_function, model_under_test
from chainrule.verification.certificate.check import Check, difference, skipped
from chainrule.verification.certificate.comparison import seeded
from chainrule.verification.certificate.invariance import related_rows, scored_rows
from chainrule.verification.certificate.tested import ModelUnderTest

__all__ = ["IMPROBABLE", "precision", "repeat"]

IMPROBABLE = -25.0  # ln p of draws that do not come twice by chance
ORDERS = 5  # in which fresh copies of a function are asked


def repeat(tested: ModelUnderTest, rows: Tensor, original: Any, bound: float) -> Check:
    """Twice the same question, twice the same bits; and another order of the questions changes no answer.

    tested: the model.
    rows: rows to try, shape (R, D), at least two.
    original: what `verify` was given, which nobody has asked yet; None where it cannot be copied.
    bound: largest difference between two copies that is rounding.
    """
    name, c = "determinism.repeat", tested.contexts(len(rows))
    related = torch.stack([r for n in range(len(rows)) for r in related_rows(tested, rows[n], rows[n - 1])])
    of_related = tested.contexts(len(related))
    first = scored_rows(tested, rows, c)
    scored_rows(tested, rows[:1], None if c is None else c[:1])
    then = scored_rows(tested, related, of_related)
    worst, where = float(difference(first, scored_rows(tested, rows, c)).max()), "the same rows have other scores later"
    if tested.chain is not None and tested.context is None:
        length = min(tested.length, 8 if tested.num_symbols is not None else 4)  # quantiles take long
        a, b = (deepcopy(tested.chain.sample(3, seed=1, length=length)) for _ in range(2))
        if not torch.equal(a.x.nan_to_num(), b.x.nan_to_num()):
            worst, where = 1.0, "the same seed draws other samples"
        other = tested.chain.sample(3, seed=2, length=length)
        if torch.equal(a.x.nan_to_num(), other.x.nan_to_num()) and float(a.log_prob.sum()) < IMPROBABLE:
            worst, where = 1.0, "another seed draws the same samples"
    tried = "the same scores and samples twice"
    if tested.module is None:
        apart = float(difference(then, scored_rows(tested, related.flip(0), None).flip(0)).max())
        if apart > worst:
            worst, where = apart, "the same prefixes, asked in another order, have other scores"
        tried += ", and in another order"
    if original is not None:
        for turn in range(1 if tested.module is not None else ORDERS):
            apart = _in_another_order(tested, related, original, then, turn)
            if apart > max(bound, worst):
                worst, where = (
                    apart,
                    "a fresh copy, asked in another order, has other scores: it keeps what it was asked",
                )
        tried += ", and of a fresh copy in another order"
    return Check.of(name, worst, 0.0, tried, where)


def _in_another_order(tested: ModelUnderTest, related: Tensor, original: Any, then: Tensor, turn: int) -> float:
    """How far the answers of a copy that was asked in another order are from the first ones."""
    copy = deepcopy(original) if isinstance(original, nn.Module) else copied_function(original)[0]
    fresh = model_under_test(copy, tested.num_symbols, tested.length, tested.context)
    if fresh.module is not None:
        fresh.module.eval()
    if _started_from_data(tested, fresh):  # then the copy gets the same first batch
        warm = fresh.elements(0)
        seeded(fresh.outputs, warm, fresh.contexts(len(warm)))
    c = fresh.contexts(len(related))
    order = torch.arange(len(related)).flip(0)
    if turn:
        order = torch.randperm(len(related), generator=torch.Generator().manual_seed(turn))
    again = scored_rows(fresh, related[order], None if c is None else c[order])
    return float(difference(then[order], again).max())


def _started_from_data(tested: ModelUnderTest, fresh: ModelUnderTest) -> bool:
    """Whether the first batch has set parameters or buffers of the model."""
    if tested.module is None or fresh.module is None:
        return False
    pairs = zip(tested.module.state_dict().values(), fresh.module.state_dict().values(), strict=False)
    return any(a.shape != b.shape or not torch.equal(a.nan_to_num(), b.nan_to_num()) for a, b in pairs)


def precision(tested: ModelUnderTest, exact: ModelUnderTest | None, rows: Tensor) -> Check:
    """How far ln p in the model's own type is from that of a float64 copy: a finding, never a failure.

    tested: the model in its own type.
    exact: the float64 copy; None where there is none.
    rows: rows to try, shape (R, D).
    """
    name = "invariance.precision"
    if exact is None or tested.scores is None or exact.scores is None or tested.dtype == torch.float64:
        return skipped(name, "there is no float64 copy")
    y = rows.double() if rows.is_floating_point() else rows
    wide = exact.scores(y, exact.contexts(len(rows))).double()
    own = tested.scores(rows, tested.contexts(len(rows))).double()
    kept = wide > -80
    figure = float(difference(wide, own)[kept].max()) if bool(kept.any()) else 0.0
    kind = str(tested.dtype).removeprefix("torch.")
    return Check.of(name, figure, torch.inf, f"a finding: ln p in {kind} next to float64, relative difference")
