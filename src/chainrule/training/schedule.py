"""The learning rate over time: warm-up, a constant stretch, a cooldown to zero."""

from __future__ import annotations

__all__ = ["trapezoid"]


def trapezoid(step: int, steps: int, warmup: float, cooldown: float) -> float:
    """The factor of the learning rate at a step, in (0, 1]: up over warmup * steps, flat, down over cooldown * steps.

    A long linear cooldown is worth more than its shape (Hägele et al., *Scaling laws and compute-optimal training
    beyond fixed training durations*, 2024).

    >>> [round(trapezoid(step, 10, warmup=0.2, cooldown=0.4), 2) for step in range(10)]
    [0.5, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 0.75, 0.5, 0.25]
    """
    rise = (step + 1) / max(warmup * steps, 1)
    fall = (steps - step) / max(cooldown * steps, 1)
    return min(1.0, rise, fall)
