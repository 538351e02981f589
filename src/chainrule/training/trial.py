"""What steps and validations take, tried before training begins."""

from __future__ import annotations

import math
from copy import deepcopy
from time import perf_counter

import numpy as np
from torch import nn

from chainrule.data.examples.base import Examples
from chainrule.evaluation.batch_rows import rows_at_once
from chainrule.evaluation.evaluate import summed
from chainrule.models.base import as_model, evaluating
from chainrule.training.batches import batches
from chainrule.training.budget import Speed
from chainrule.training.engine import Engine
from chainrule.training.fit import begin, objective_of
from chainrule.training.settings import TrainingSettings
from chainrule.training.state import random_state, set_random_state
from chainrule.training.step import Stepper

__all__ = ["measured"]

TRIAL = 10.0  # seconds for steps and again for validation, but no more than this share of the time:
TRIAL_SHARE = 0.03
LEAST = 3  # number of steps that are timed, after the first, unless they take long
LONG = 3  # times that share, after which no further step is timed
FEW = 8  # rows of the first batch of a validation, by which it is seen whether more can be timed


def measured(
    model: nn.Module, train: Examples, valid: Examples, settings: TrainingSettings, engine: Engine, seconds: float
) -> Speed:
    """Time some steps, at learning rate 0 on a copy, and a part of a validation; model and random state do not change.

    All processes measure together and get their mean.

    model: the model before its first step.
    train: the training examples.
    valid: the validation examples, perhaps none.
    settings: how it is to be trained.
    engine: the processes that take part.
    seconds: the time that training has.
    """
    limit = min(TRIAL, TRIAL_SHARE * max(0.0, seconds))
    before = random_state()
    try:
        timed = _steps(deepcopy(model), train, settings, engine, limit)
        (first, _), steps = timed[0], timed[1:] or timed
        validation = _validation(model, valid, limit) / engine.world
    finally:
        set_random_state(before)
    spent, elements = (sum(column) for column in zip(*steps, strict=True))
    typical = _elements_of_a_step(train, settings) or elements / len(steps)
    figures = engine.add_up([first, spent / max(elements, 1) * typical, validation])
    return Speed(*(figure / engine.world for figure in figures))


def _elements_of_a_step(train: Examples, settings: TrainingSettings) -> float | None:
    """How many elements a step has on average, where examples differ in length; None where they say nothing of it.

    Batches are of like lengths, so that the few that are timed may all be short.
    """
    lengths = train.epoch(settings.seed, 0).row_lengths
    return None if lengths is None else float(np.sum(lengths)) / math.ceil(len(lengths) / settings.batch_size)


def _steps(
    model: nn.Module, train: Examples, settings: TrainingSettings, engine: Engine, limit: float
) -> list[tuple[float, int]]:
    """Seconds of each step, with all that belongs to it: reading, gradient, optimizer, average; and its elements."""
    state = begin(model, settings, engine)
    step = Stepper(
        state.forward, state.trained, objective_of(model, train, settings), state.optimizer, engine, settings
    )
    order = batches(train, settings.batch_size, settings.seed, 0, engine.share)
    state.trained.train()
    steps: list[tuple[float, int]] = []
    while True:
        begun = perf_counter()
        result = step(next(order)[1], 0.0, len(steps) + 1)
        state.count(result)
        steps.append((perf_counter() - begun, result.elements))
        later = sum(seconds for seconds, _ in steps[1:])
        enough = later >= limit if len(steps) > LEAST else steps[0][0] + later >= LONG * limit
        if engine.any(enough):
            return steps


def _validation(model: nn.Module, valid: Examples, limit: float) -> float:
    """Seconds of a validation on one process, from its first batches if it is long."""
    device, contract = next(model.parameters()).device, as_model(model)

    def seconds(first: int, last: int) -> float:
        begun = perf_counter()
        summed(contract, valid.batch(np.arange(first, last)).to(device)).sum().item()
        return perf_counter() - begun

    if not len(valid):
        return 0.0
    done = min(FEW, len(valid))
    with evaluating(model):
        spent = seconds(0, done)
        if done == len(valid) or spent >= limit:
            return spent * len(valid) / done
        size, few, spent = rows_at_once(valid, device), done, 0.0
        while done < len(valid) and (done == few or spent < limit):
            spent += seconds(done, min(done + size, len(valid)))
            done = min(done + size, len(valid))
    return spent * len(valid) / (done - few)
