"""A time budget: how many steps, with how many validations between them, fit into some minutes.

    T = first + steps * step + validations * validation        in seconds, as measured before training

This is the first plan; `Timekeeper` corrects it while training runs.
"""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass

from chainrule.errors import InputError

__all__ = ["Budget", "Speed", "distance", "planned", "watched_share"]

SHARE = 0.05  # share of the time that may go into validations
MOST = 20  # validations; more would show nothing more
OF_A_SHARE = 0.01  # share of the time for one validation, where all validation examples would take more than SHARE
QUICK = 0.3  # seconds of a validation that is never too long
FEWEST = 64  # examples of a validation


@dataclass(frozen=True)
class Budget:
    """The time for a fit, on a clock that began with it.

    minutes: minutes on the clock.
    evaluate_every: number of steps between validations; None to choose it by their cost.
    end: seconds on the clock at which training is to end; by default those of the minutes.
    speed: what steps and validations take, where it was measured.
    most: largest number of steps; None for no bound.
    """

    minutes: float
    evaluate_every: int | None = None
    end: float | None = None
    speed: Speed | None = None
    most: int | None = None

    def __post_init__(self) -> None:
        if not 0 < self.minutes < math.inf:
            raise InputError(f"minutes must be positive and finite, got {self.minutes}; give --minutes 10, or --steps")

    @property
    def seconds(self) -> float:
        """The same in seconds."""
        return 60 * self.minutes

    @property
    def until(self) -> float:
        """Seconds on the clock at which training is to end."""
        return self.seconds if self.end is None else self.end

    def ending(self, end: float) -> Budget:
        """The same time up to another moment."""
        return dataclasses.replace(self, end=end)


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


def planned(seconds: float, speed: Speed, evaluate_every: int | None = None) -> tuple[int, int]:
    """The number of steps that fit, at least one, and the number between two validations; one follows the last step.

    Validations are as far apart as keeps them to a twentieth of the time, and there are at most about twenty.

    >>> planned(60.0, Speed(first=0.5, step=0.01, validation=0.2))
    (5633, 380)
    """
    left = max(0.0, seconds - speed.first - speed.validation)
    every = evaluate_every or distance(speed.step, speed.validation, left / speed.step)
    steps = max(1, math.floor(left / (speed.step + speed.validation / every)))
    return steps, min(every, steps)


def distance(step: float, validation: float, steps: float) -> int:
    """The number of steps between validations.

    step, validation: seconds of one.
    steps: number of steps if there were no validations.

    >>> distance(step=0.01, validation=0.2, steps=5930)
    380
    """
    every = max(1, math.ceil((1 / SHARE - 1) * validation / step))
    return max(every, math.ceil(steps / (1 + validation / every / step) / MOST))


def watched_share(seconds: float, speed: Speed, examples: int) -> int | None:
    """The number of validation examples that training looks at; None for all: a twentieth of the time or less.

    >>> watched_share(60.0, Speed(0.1, 0.1, validation=2.0), 1000), watched_share(60.0, Speed(0.1, 0.1, 60.0), 1000)
    (None, 64)
    """
    if speed.validation <= max(QUICK, SHARE * seconds) or examples <= FEWEST:
        return None
    return max(FEWEST, math.floor(examples * OF_A_SHARE * seconds / speed.validation))
