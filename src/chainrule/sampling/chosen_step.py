"""Which step a walk takes: the compiled one where it is asked for, at hand, or pays, and else the eager one."""

from __future__ import annotations

import os
import shutil
import warnings

from torch import Tensor

from chainrule.models.chain import AutoregressiveModel
from chainrule.sampling.compiled import CompiledStep, compile_step, is_compiled

__all__ = ["chosen_step", "is_by_program"]

WORTH_A_LOOK = 200  # steps from which on a program that is at hand is looked for
LONG, FEW = (
    30_000,
    8,
)  # steps from which on 20 seconds of compiling come back, and examples per step up to which they do


def chosen_step(
    model: AutoregressiveModel, batch_size: int, steps: int, context: Tensor | None, wanted: bool | None
) -> AutoregressiveModel:
    """The model with the step that a walk takes. What decides is counts alone, and whether a program is in the cache.

    model: with its eager step.
    batch_size: examples per step.
    steps: steps of the whole walk.
    context: of the examples, for conditional models.
    wanted: whether the step is compiled; None leaves it to the counts.
    """
    if wanted is False or not (wanted or model.network.can_compile):
        return model
    if wanted or (steps >= WORTH_A_LOOK and is_compiled(model, batch_size, context)):
        return compile_step(model, batch_size, context)
    if steps < LONG or batch_size > FEW:
        return model
    if shutil.which(os.environ.get("CXX", "g++")) is None:
        warnings.warn("the step would be several times as fast if it were compiled: install g++", stacklevel=2)
        return model
    return compile_step(model, batch_size, context)


def is_by_program(model: AutoregressiveModel) -> bool:
    """Whether the step of a model is a compiled one."""
    return isinstance(model.network, CompiledStep)
