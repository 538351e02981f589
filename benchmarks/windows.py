"""Times side by side: ours, theirs, ours, theirs, ...; windows that other processes disturbed are thrown away."""

from __future__ import annotations

import os
import resource
import time
from collections.abc import Callable
from dataclasses import dataclass
from statistics import median
from typing import NamedTuple

__all__ = ["TOLERANCE", "Elsewhere", "Timing", "Window", "busy", "own", "side_by_side", "window"]

TOLERANCE = 0.1  # the share of the machine that others may use in a window that counts


class Elsewhere(float):
    """What a function returns whose work another process does: the processor seconds that it took there."""


class Window(NamedTuple):
    """One call: seconds on the clock, of the processor, the share of the machine that others used, and whose turn."""

    seconds: float
    processor: float
    others: float
    turn: int = 0


@dataclass(frozen=True)
class Timing:
    """The windows of one function: those that count, and those that others disturbed.

    Where none is undisturbed, all of them count, and only their processor time means something.
    """

    kept: tuple[Window, ...]
    thrown: tuple[Window, ...] = ()

    @property
    def disturbed(self) -> bool:
        """Whether there was no undisturbed window at all."""
        return not self.kept

    @property
    def thrown_away(self) -> int:
        """How many windows do not count."""
        return len(self.thrown) if self.kept else 0

    @property
    def seconds(self) -> list[float]:
        """Of the windows that count."""
        return [each.seconds for each in self.kept or self.thrown]

    @property
    def processor(self) -> list[float]:
        """Processor seconds, of all windows in their order."""
        return [each.processor for each in sorted(self.kept + self.thrown, key=lambda window: window.turn)]

    @property
    def median(self) -> float:
        return median(self.seconds)

    def __str__(self) -> str:
        low, high = min(self.seconds), max(self.seconds)
        return f"{self.median:.3g} s ({low:.3g} to {high:.3g})"


def busy() -> float:
    """CPU seconds that all processes of the machine have used so far; 0 where the system does not say."""
    try:
        with open("/proc/stat") as lines:
            user, nice, system, _, _, irq, softirq, steal = (int(field) for field in next(lines).split()[1:9])
    except OSError:
        return 0.0
    return (user + nice + system + irq + softirq + steal) / os.sysconf("SC_CLK_TCK")


def own() -> float:
    """CPU seconds of this process, all its threads, and of its children that have ended."""
    return sum(sum(resource.getrusage(who)[:2]) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))


def window(function: Callable[[], object]) -> Window:
    """Call a function once."""
    everything, processor, start = busy(), own(), time.perf_counter()
    done = function()
    seconds, processor = time.perf_counter() - start, own() - processor
    processor += done if isinstance(done, Elsewhere) else 0.0
    others = max(0.0, busy() - everything - processor) / seconds / (os.cpu_count() or 1)
    return Window(seconds, processor, others)


def side_by_side(
    *functions: Callable[[], object],
    rounds: int = 5,
    tolerance: float = TOLERANCE,
    patience: int = 3,
    warm: bool = True,
    pause: float = 0.0,
) -> list[Timing]:
    """Time functions in turn until each has `rounds` undisturbed windows, in at most patience * rounds turns.

    tolerance: the share of the machine that others may use. Once a function has had `rounds` windows without a single
    undisturbed one, the machine is taken to be never quiet, and waiting ends. warm: call each once before.
    pause: seconds before each window, in which threads that spin after their work fall asleep.
    """
    kept: list[list[Window]] = [[] for _ in functions]
    thrown: list[list[Window]] = [[] for _ in functions]
    if warm:
        for function in functions:
            function()
    for turn in range(patience * rounds):
        for i, function in enumerate(functions):
            if len(kept[i]) < rounds:
                time.sleep(pause)
                taken = window(function)._replace(turn=turn)
                (kept if taken.others <= tolerance else thrown)[i].append(taken)
        enough = all(len(windows) >= rounds for windows in kept)
        if enough or (turn + 1 >= rounds and not all(kept)):
            break
    return [Timing(tuple(good), tuple(bad)) for good, bad in zip(kept, thrown, strict=True)]
