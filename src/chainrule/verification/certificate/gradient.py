"""Gradients: where the outputs up to d depend on what is made of later elements, those elements are replaced."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from chainrule.verification.certificate.causality import described, worst_leak
from chainrule.verification.certificate.check import Check, skipped
from chainrule.verification.certificate.comparison import in_mode
from chainrule.verification.certificate.probes import replacements
from chainrule.verification.certificate.tested import ModelUnderTest

__all__ = ["gradient", "suspected_places"]

CONTENTS = 6  # replacements from each suspected place


def gradient(tested: ModelUnderTest, rows: Tensor, places: list[int], bound: float, zero: float = 1e-12) -> Check:
    """The outputs up to d do not change with the later elements to which they have a gradient.

    tested: the model.
    rows: rows to try, shape (R, D).
    places: the elements d to differentiate the outputs of.
    bound: largest difference of the outputs that is rounding.
    zero: largest gradient that counts as none.

    A gradient fails nobody: a prompt in front, an element as two digits and tables of relative positions have gradients
    in places that are not those of the elements. It chooses the suffixes to replace.
    """
    name = "causality.gradient"
    suspects = suspected_places(tested, rows[:1], places, zero)
    if suspects is None:
        return skipped(name, "no embedding of the elements to differentiate by")
    if not suspects:
        return Check.of(name, 0.0, bound, f"no gradient from {len(places)} elements to later ones")
    chosen = suspects[:32]
    tried = replacements(
        tested, rows, [d + 1 for d in chosen if d + 1 < tested.length] or chosen, CONTENTS * len(chosen), chosen
    )
    with in_mode(tested, training=False):
        leak = worst_leak(tested, tried, bound, len(tried))
        where = described(tested, tried, leak, bound) if not leak.figure <= bound else ""
    what = f"a gradient from {len(suspects)} of {len(places)} elements, {len(tried)} suffixes replaced there"
    return Check.of(name, leak.figure, bound, what, where)


def suspected_places(tested: ModelUnderTest, x: Tensor, places: list[int], zero: float) -> list[int] | None:
    """The elements d whose outputs up to d have a gradient beyond; None where there is nothing to differentiate by."""
    inputs: list[Tensor] = []

    def keep(part: nn.Module, _: Any, out: Tensor) -> Tensor:
        inputs.append(out.requires_grad_() if out.is_leaf else out)
        out.retain_grad()
        return out

    tables = [] if tested.module is None else [p for p in tested.module.modules() if isinstance(p, nn.Embedding)]
    hooks = [table.register_forward_hook(keep) for table in tables]
    x = x.clone()
    try:
        if x.is_floating_point():
            x = x.requires_grad_()
            inputs.append(x)
        out = tested.outputs(x, tested.contexts(len(x)))
    finally:
        for hook in hooks:
            hook.remove()
    inputs = [i for i in inputs if i is x or (i.ndim == 3 and i.shape[1] >= tested.length - 1)]
    if not inputs or not out.requires_grad:
        return None
    suspects = []
    for j in places:
        weights = torch.randn(out[:, : j + 1].shape, generator=torch.Generator().manual_seed(j), dtype=torch.float64)
        total = (out[:, : j + 1] * weights.to(out.dtype)).sum()
        found = torch.autograd.grad(total, inputs, retain_graph=True, allow_unused=True)
        beyond = [part[:, j + 1 :].abs() for part in found if part is not None and part.shape[1] > j + 1]
        if any(float(part.nan_to_num().max()) > zero for part in beyond if part.numel()):
            suspects.append(j)
    return suspects
