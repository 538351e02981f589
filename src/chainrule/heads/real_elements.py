"""What a distribution over real elements refuses: another shape, NaN, infinity, what is no multiple of its step."""

from __future__ import annotations

import torch
from torch import Tensor

from chainrule.errors import InputError

__all__ = ["refuse_other_numbers"]

BROKEN = 0.01  # of a step by which a number may miss a multiple of it, beside what rounding takes


def refuse_other_numbers(x: Tensor, shape: torch.Size, resolution: float | Tensor | None) -> None:
    """Raise InputError unless x are real elements of a shape, finite, and multiples of the resolution if there is one.

    x: the elements.
    shape: the shape that they have to have.
    resolution: the step at which they were recorded, one for all or one for each; None for a density.

    >>> refuse_other_numbers(torch.tensor([0.5, 2.0]), torch.Size([2]), 0.5)
    """
    if x.shape != shape:
        raise InputError(f"the distribution scores real numbers of shape {tuple(shape)}, got {tuple(x.shape)}")
    if torch.compiler.is_compiling() or not x.numel():
        return
    if not bool(x.isfinite().all()):
        raise InputError(
            "a real element is NaN or infinite; correct it, or put a MissingHead in front if values are missing"
        )
    if resolution is None:
        return
    step = torch.as_tensor(resolution, device=x.device)
    steps = x.double() / step
    rounding = max(torch.finfo(t.dtype).eps if t.is_floating_point() else 0.0 for t in (x, step))
    off = (steps - steps.round()).abs() > BROKEN + 2 * rounding * steps.abs()
    if bool(off.any()):
        declared = float(step.expand_as(steps)[off][0])
        raise InputError(
            f"{float(x[off][0])} is not a multiple of the declared resolution {declared:g}; "
            "declare the step at which the data were recorded"
        )
