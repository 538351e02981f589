"""The first module that shows a leak, in the order of execution."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

from chainrule.verification.certificate.check import difference
from chainrule.verification.certificate.comparison import seeded
from chainrule.verification.certificate.tested import ModelUnderTest

__all__ = ["first_leak"]


def first_leak(
    tested: ModelUnderTest, inputs: tuple[Tensor, Tensor, Tensor | None], j: int, bound: float, earlier: bool
) -> str:
    """The first module whose output has changed where it must not, or the code before it.

    tested: the model.
    inputs: elements (1, D), the same with other elements from j on, and their context.
    j: first place that was changed.
    bound: largest difference that is rounding.
    earlier: whether the leak is to elements before x_j; else only x_j sees itself. This is not a fault before the
        elements are shifted by one, so the module is the first after the last in which only later elements changed.
    """
    if tested.module is None:
        return "the function is not a module"
    x, changed, c = inputs
    width, length = (j if earlier else j + 1), x.shape[1]
    leaks: list[tuple[bool, str]] = []
    for (name, kind, a), (_, _, b) in zip(*(_record(tested, y, c) for y in (x, changed)), strict=False):
        if a.shape != b.shape or length not in a.shape[1:] or not a.is_floating_point():
            continue
        axis = 1 if a.shape[1] == length else a.ndim - 1 - list(reversed(a.shape)).index(length)
        apart = difference(a, b)
        if float(apart.max()) > bound:
            dirty = float(apart.narrow(axis, 0, width).max()) > bound
            leaks.append((dirty, f"{name.removeprefix('logits_of.') or 'itself'} ({kind})"))
    last_clean = max((place for place, (dirty, _) in enumerate(leaks) if not dirty), default=-1)
    candidates = leaks if earlier else leaks[last_clean + 1 :] if last_clean >= 0 else []
    first = next((name for dirty, name in candidates if dirty), None)
    if first is not None:
        return f"the module {first} is the first to see it, or functional code before it"
    return "outside of the modules" if earlier else "the element sees itself (is a shift by one missing?)"


def _record(tested: ModelUnderTest, x: Tensor, c: Tensor | None) -> list[tuple[str, str, Tensor]]:
    """The name, the type and the output of each module, in the order of execution."""
    made: list[tuple[str, str, Tensor]] = []

    def keep(name: str, kind: str) -> Any:
        def record(part: nn.Module, _: Any, out: Any) -> None:
            first = out[0] if isinstance(out, (tuple, list)) and out else out
            if isinstance(first, Tensor) and first.ndim > 1:
                made.append((name, kind, first.clone()))

        return record

    parts = tested.module.named_modules() if tested.module is not None else ()
    hooks: list[Any] = []
    try:
        hooks += [part.register_forward_hook(keep(name, type(part).__name__)) for name, part in parts]
        seeded(tested.outputs, x, c)
    except (RuntimeError, NotImplementedError):
        pass  # compiled scripts take no hooks
    finally:
        for hook in hooks:
            hook.remove()
    return made
