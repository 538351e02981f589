"""Times side by side: ours, theirs, ours, theirs, ...; windows that other processes disturbed are thrown away."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from statistics import median


@dataclass(frozen=True)
class Timing:
    """Seconds of every window that counts, and how many were thrown away for disturbance."""

    seconds: list[float]
    thrown_away: int
    disturbed: bool

    @property
    def median(self) -> float:
        return median(self.seconds)

    def __str__(self) -> str:
        low, high = min(self.seconds), max(self.seconds)
        return f"{self.median:.3g} s ({low:.3g} to {high:.3g})"


def busy() -> float:
    """CPU seconds that all processes of the machine have used so far."""
    with open("/proc/stat") as lines:
        user, nice, system, _, _, irq, softirq, steal = (int(field) for field in next(lines).split()[1:9])
    return (user + nice + system + irq + softirq + steal) / os.sysconf("SC_CLK_TCK")


def window(function: Callable[[], object]) -> tuple[float, float]:
    """The seconds that a call takes, and the share of the machine that others used meanwhile."""
    others, start, own = busy(), time.perf_counter(), time.process_time()
    function()
    seconds = time.perf_counter() - start
    others = busy() - others - (time.process_time() - own)
    return seconds, max(0.0, others) / seconds / (os.cpu_count() or 1)


def side_by_side(
    *functions: Callable[[], object], rounds: int = 5, tolerance: float = 0.1, patience: int = 3
) -> list[Timing]:
    """Time functions in turn until each has `rounds` undisturbed windows, in at most patience * rounds turns.

    tolerance: the share of the machine that others may use. What never came to an undisturbed window keeps all of
    them, and its timing says so.
    """
    kept: list[list[float]] = [[] for _ in functions]
    thrown: list[list[float]] = [[] for _ in functions]
    for function in functions:
        function()
    for _ in range(patience * rounds):
        for i, function in enumerate(functions):
            if len(kept[i]) < rounds:
                seconds, others = window(function)
                (kept if others <= tolerance else thrown)[i].append(seconds)
        if all(len(windows) >= rounds for windows in kept):
            break
    return [
        Timing(good or bad, len(bad) if good else 0, disturbed=not good) for good, bad in zip(kept, thrown, strict=True)
    ]
