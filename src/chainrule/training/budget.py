"""A time budget: how many steps, with how many validations between them, fit into some minutes.

    T = first + steps * step + validations * validation        in seconds, as measured before training

The plan is made once, from the speed at the start, and becomes plain settings: nothing is cut when the machine is
slower later, so that the learning rate comes down to zero as planned, and a resumed run is the same run.
"""

from __future__ import annotations

import dataclasses
import math
from copy import deepcopy
from dataclasses import dataclass
from time import perf_counter

import numpy as np
from torch import nn

from chainrule.data.examples.base import Examples
from chainrule.errors import InputError
from chainrule.evaluation.evaluate import summed
from chainrule.models.base import as_model, evaluating
from chainrule.training.batches import batches
from chainrule.training.engine import Engine
from chainrule.training.fit import begin, objective_of
from chainrule.training.settings import TrainingSettings
from chainrule.training.state import random_state, set_random_state
from chainrule.training.step import Stepper

__all__ = ["Budget", "Speed", "TooShort", "measured", "planned"]

SHARE = 0.05  # share of the time that may go into validations
MOST = 20  # validations; more would show nothing more
TRIAL = 10.0  # seconds for steps and again for validation, but no more than this share of the budget:
TRIAL_SHARE = 0.03
LEAST = 3  # number of steps that are timed, after the first
ROWS = 256  # rows per batch of the validation


class TooShort(InputError):
    """A budget in which not one step can be taken."""


@dataclass(frozen=True)
class Budget:
    """The time for training and its validations.

    minutes: minutes on the clock.
    evaluate_every: number of steps between validations; None to choose it by their cost.
    """

    minutes: float
    evaluate_every: int | None = None

    def __post_init__(self) -> None:
        if not 0 < self.minutes < math.inf:
            raise InputError(f"minutes must be positive and finite, got {self.minutes}; give --minutes 10, or --steps")

    @property
    def seconds(self) -> float:
        """The same in seconds."""
        return 60 * self.minutes

    def part(self, share: float) -> Budget:
        """A share of it."""
        return dataclasses.replace(self, minutes=self.minutes * share)

    def without(self, seconds: float) -> Budget:
        """What is left after some seconds, at least a tenth."""
        return dataclasses.replace(self, minutes=max(self.minutes - seconds / 60, self.minutes / 10))

    def shared(self, runs: int) -> Budget:
        """The equal part of each of a number of runs."""
        return dataclasses.replace(self, minutes=self.minutes / runs)


@dataclass(frozen=True)
class Speed:
    """What steps and validations take.

    first: seconds of the first step, with what is compiled or set up in it.
    step: seconds of a later step.
    validation: seconds of a validation.
    """

    first: float
    step: float
    validation: float


def planned(budget: Budget, speed: Speed) -> tuple[int, int]:
    """The number of steps that fit, and the number between two validations, the last of which follows the last step.

    Validations are as far apart as keeps them to a twentieth of the time, and there are at most about twenty.

    >>> planned(Budget(minutes=1.0), Speed(first=0.5, step=0.01, validation=0.2))
    (5633, 380)
    """
    left = budget.seconds - speed.first - speed.validation

    def steps(every: int) -> int:
        return math.floor(left / (speed.step + speed.validation / every))

    every = budget.evaluate_every or max(1, math.ceil((1 / SHARE - 1) * speed.validation / speed.step))
    if budget.evaluate_every is None:
        every = max(every, math.ceil(steps(every) / MOST))
    if steps(every) < 1:
        least = (speed.first + speed.step + 2 * speed.validation) / 60
        raise TooShort(
            f"{budget.minutes:g} minutes are too few for one step of {speed.step:.2g} s and a validation of "
            f"{speed.validation:.2g} s; give at least --minutes {least:.2g}, or a smaller model"
        )
    return steps(every), min(every, steps(every))


def measured(
    model: nn.Module, train: Examples, valid: Examples, settings: TrainingSettings, engine: Engine, budget: Budget
) -> Speed:
    """Time some steps, at learning rate 0 on a copy, and a part of a validation; model and random state do not change.

    All processes measure together and get their mean.
    """
    limit = min(TRIAL, TRIAL_SHARE * budget.seconds)
    before = random_state()
    try:
        (first, _), *steps = _steps(deepcopy(model), train, settings, engine, limit)
        validation = _validation(model, valid, limit) / engine.world
    finally:
        set_random_state(before)
    seconds, elements = (sum(column) for column in zip(*steps, strict=True))
    typical = _elements_of_a_step(train, settings) or elements / len(steps)
    figures = engine.add_up([first, seconds / max(elements, 1) * typical, validation])
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
        if len(steps) > LEAST and engine.any(sum(seconds for seconds, _ in steps[1:]) >= limit):
            return steps


def _validation(model: nn.Module, valid: Examples, limit: float) -> float:
    """Seconds of a validation on one process, from its first batches if it is long."""
    device, contract = next(model.parameters()).device, as_model(model)
    done, begun = 0, perf_counter()
    with evaluating(model):
        while done < len(valid) and (done == 0 or perf_counter() - begun < limit):
            rows = np.arange(done, min(done + ROWS, len(valid)))
            summed(contract, valid.batch(rows).to(device)).sum().item()
            done += len(rows)
    return (perf_counter() - begun) * len(valid) / max(done, 1)
