"""The learning rate over time: warm-up, a constant stretch, a cooldown to zero; and how many steps are to come."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Course", "trapezoid"]


def trapezoid(step: float, steps: int, warmup: float, cooldown: float) -> float:
    """The factor of the learning rate at a step, in (0, 1]: up over warmup * steps, flat, down over cooldown * steps.

    A long linear cooldown is worth more than its shape (Hägele et al., *Scaling laws and compute-optimal training
    beyond fixed training durations*, 2024).

    >>> [round(trapezoid(step, 10, warmup=0.2, cooldown=0.4), 2) for step in range(10)]
    [0.5, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 0.75, 0.5, 0.25]
    """
    rise = (step + 1) / max(warmup * steps, 1)
    fall = (steps - step) / max(cooldown * steps, 1)
    return min(1.0, rise, fall)


@dataclass(frozen=True)
class Course:
    """How many steps there are in all, as last decided.

    steps: number of steps.
    evaluate_every: number of steps between validations.
    since: the step from which on this holds.
    share: the share of the way that lay behind then.

    After a decision the rest of the way is divided among the steps that are left, so the learning rate does not jump.

    >>> course = Course(steps=100, evaluate_every=10).revised(50, steps=60, evaluate_every=5)
    >>> course.position(50), course.position(55), course.position(60)
    (30.0, 45.0, 60.0)
    """

    steps: int
    evaluate_every: int
    since: int = 0
    share: float = 0.0

    def position(self, step: int) -> float:
        """Where a step stands, as if there had always been as many steps in all."""
        if self.since == 0:
            return step
        share = self.share + (1 - self.share) * (step - self.since) / max(1, self.steps - self.since)
        return share * self.steps

    def revised(self, step: int, steps: int, evaluate_every: int) -> Course:
        """The course with another number of steps from a step on."""
        return Course(steps, evaluate_every, step, min(1.0, self.position(step) / self.steps))
