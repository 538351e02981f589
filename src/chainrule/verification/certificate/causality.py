"""Causality: what belongs to x_d is a function of x_<d, in evaluation and in training."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import product
from math import inf
from typing import Any

import torch
from torch import Tensor, nn

from chainrule.verification.certificate.check import Check, difference, skipped
from chainrule.verification.certificate.subject import Subject
from chainrule.verification.certificate.time_budget import within

__all__ = ["gradient", "suffix", "truncation"]


@contextmanager
def in_mode(subject: Subject, training: bool) -> Iterator[None]:
    """Training or evaluation mode, without gradients and with its buffers given back; evaluation mode afterwards."""
    if subject.module is None:
        yield
        return
    buffers = [(buffer, buffer.clone()) for buffer in subject.module.buffers()]
    modes = [(part, part.training) for part in subject.module.modules()]
    subject.module.train(training)
    try:
        with torch.no_grad():
            yield
    finally:
        for part, mode in modes:
            part.training = mode
        for buffer, before in buffers:
            buffer.detach().copy_(before)


def seeded(function: Any, *arguments: Any) -> Tensor:
    """The function's value under one fixed state of the generator, so that dropout drops the same units again."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        made: Tensor = function(*arguments)
    return made


def suffix(subject: Subject, training: bool, positions: int, draws: int, bound: float, seconds: float = inf) -> Check:
    """Replace x_j, x_{j+1}, ...: the outputs of elements up to j and the scores of those before j stay the same."""
    x, c = subject.elements(0), subject.context
    others = [subject.elements(seed) for seed in range(1, draws + 1)]
    if subject.num_symbols is not None:
        others += [(x + 1) % subject.num_symbols, torch.zeros_like(x)][:draws]
    worst, where, tried = 0.0, "", 0
    shown = {
        True: (bound, x, 0),
        False: (bound, x, 0),
    }  # the clearest leak to earlier elements, and to the element itself
    with in_mode(subject, training):
        before, scored = seeded(subject.outputs, x, c), _scores(subject, x)
        for j, other in within(product(subject.positions(positions), others), seconds):
            changed = torch.cat([x[:, :j], other[:, j:]], 1)
            leak = difference(before[:, : j + 1], seeded(subject.outputs, changed, c)[:, : j + 1])
            late = difference(scored[:, :j], _scores(subject, changed)[:, :j])
            figure = max(float(leak.max()), float(late.max()) if j else 0.0)
            if figure > worst:
                worst, where = figure, f"replacing x_{j} and what follows"
            for earlier, part in ((True, leak[:, :j]), (False, leak[:, j])):
                if part.numel() and float(part.max()) > shown[earlier][0]:
                    shown[earlier] = float(part.max()), changed, j
            tried += 1
        if worst > bound:
            earlier = shown[True][0] > bound
            where += ": " + first_leak(subject, x, *shown[earlier][1:], bound, earlier)
    mode = "training" if training else "evaluation"
    what = f"{tried} replacements of a whole suffix, {subject.length} elements"
    return Check.of(f"causality.suffix.{mode}", worst, bound, what, where)


def _scores(subject: Subject, x: Tensor) -> Tensor:
    if subject.scores is None:
        return torch.zeros(x.shape)
    return seeded(subject.scores, x, subject.context)


def first_leak(subject: Subject, x: Tensor, changed: Tensor, j: int, bound: float, earlier: bool) -> str:
    """The first module, in the order of execution, that shows what it must not of x_j and what follows.

    subject: what is checked.
    x: elements, shape (B, D).
    changed: the same with other elements from j on.
    j: first position that was changed.
    bound: largest difference that is rounding.
    earlier: whether the leak is to elements before x_j; else only x_j sees itself. This is not a fault before the
        elements are shifted by one, so the module is the first after the last in which only later elements changed.
    """
    if subject.module is None:
        return "the function is not a module"
    width = j if earlier else j + 1
    leaks: list[tuple[bool, str]] = []
    for (name, kind, a), (_, _, b) in zip(*(_record(subject, y) for y in (x, changed)), strict=False):
        if a.shape != b.shape or x.shape[1] not in a.shape[1:]:
            continue
        axis = 1 if a.shape[1] == x.shape[1] else a.ndim - 1 - list(reversed(a.shape)).index(x.shape[1])
        apart = difference(a, b)
        if float(apart.max()) > bound:
            dirty = float(apart.narrow(axis, 0, width).max()) > bound
            leaks.append((dirty, f"{name.removeprefix('logits_of.') or 'itself'} ({kind})"))
    last_clean = max((place for place, (dirty, _) in enumerate(leaks) if not dirty), default=-1)
    candidates = leaks if earlier else leaks[last_clean + 1 :] if last_clean >= 0 else []
    first = next((name for dirty, name in candidates if dirty), None)
    if first is not None:
        return f"the module {first} is the first to see it"
    return "outside of the modules" if earlier else "the element sees itself (is a shift by one missing?)"


def _record(subject: Subject, x: Tensor) -> list[tuple[str, str, Tensor]]:
    made: list[tuple[str, str, Tensor]] = []

    def keep(name: str, kind: str) -> Any:
        def record(part: nn.Module, _: Any, out: Any) -> None:
            first = out[0] if isinstance(out, (tuple, list)) and out else out
            if isinstance(first, Tensor) and first.ndim > 1:
                made.append((name, kind, first.clone()))

        return record

    parts = subject.module.named_modules() if subject.module is not None else ()
    hooks = [part.register_forward_hook(keep(name, type(part).__name__)) for name, part in parts]
    try:
        seeded(subject.outputs, x, subject.context)
    finally:
        for hook in hooks:
            hook.remove()
    return made


def truncation(subject: Subject, positions: int, bound: float) -> Check:
    """Cut the example off after its first j elements: what is left is the same."""
    x, c = subject.elements(0), subject.context
    lengths = [j for j in subject.positions(positions) if j]
    worst, where = 0.0, ""
    with in_mode(subject, training=False):
        whole = subject.outputs(x, c)
        for j in lengths:
            try:
                cut = subject.outputs(x[:, :j], c)
            except (RuntimeError, ValueError, IndexError):
                return skipped("causality.truncation", "it reads examples of the whole length only")
            figure = float(difference(whole[:, :j], cut).max())
            if figure > worst:
                worst, where = figure, f"cut off after {j} elements"
    return Check.of("causality.truncation", worst, bound, f"prefixes of {len(lengths)} lengths", where)


def gradient(subject: Subject, positions: int, bound: float) -> Check:
    """The outputs up to j have no gradient with respect to what is made of x_{j+1}, x_{j+2}, ..."""
    name, x, c = "causality.gradient", subject.elements(0), subject.context
    inputs: list[Tensor] = []

    def keep(part: nn.Module, _: Any, out: Tensor) -> Tensor:
        inputs.append(out.requires_grad_() if out.is_leaf else out)
        out.retain_grad()
        return out

    tables = [] if subject.module is None else [p for p in subject.module.modules() if isinstance(p, nn.Embedding)]
    hooks = [table.register_forward_hook(keep) for table in tables]
    try:
        if x.is_floating_point():
            x = x.requires_grad_()
            inputs.append(x)
        out = subject.outputs(x, c)
    finally:
        for hook in hooks:
            hook.remove()
    inputs = [i for i in inputs if i is x or (i.ndim == 3 and i.shape[1] >= subject.length - 1)]
    if not inputs or not out.requires_grad:
        return skipped(name, "no embedding of the elements to differentiate by")
    worst, where = 0.0, ""
    for j in subject.positions(positions):
        weights = torch.randn(out[:, : j + 1].shape, generator=torch.Generator().manual_seed(j), dtype=torch.float64)
        total = (out[:, : j + 1] * weights.to(out.dtype)).sum()
        for found in torch.autograd.grad(total, inputs, retain_graph=True, allow_unused=True):
            future = None if found is None else found[:, j + 1 :].abs()
            figure = float(future.nan_to_num().max()) if future is not None and future.numel() else 0.0
            if figure > worst:
                worst, where = figure, f"outputs up to {j} have a gradient beyond"
    return Check.of(name, worst, bound, f"gradients of {len(subject.positions(positions))} elements", where)
