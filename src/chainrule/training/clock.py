"""The clock of a time budget: seconds since a command began, without those that are reported apart."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from pathlib import Path

__all__ = ["COMMAND_BEGUN", "Clock", "process_begun"]

COMMAND_BEGUN: ContextVar[float | None] = ContextVar("COMMAND_BEGUN", default=None)  # set by the command line


class Clock:
    """Seconds since it was made; what is reported apart does not count.

    read: the time in seconds, from any start.
    begun: the time at which the seconds are 0; by default now.
    apart: seconds that do not count, by what they were spent on.

    >>> times = iter([0.0, 1.0, 3.0, 4.0])
    >>> clock = Clock(lambda: next(times))
    >>> with clock.aside("certificate"):
    ...     pass
    >>> clock(), clock.apart
    (2.0, {'certificate': 2.0})
    """

    def __init__(self, read: Callable[[], float] = time.monotonic, begun: float | None = None) -> None:
        self.read = read
        self.begun = read() if begun is None else begun
        self.apart: dict[str, float] = {}

    @classmethod
    def of_command(cls) -> Clock:
        """The clock of a command line, which began with its process."""
        return cls(begun=COMMAND_BEGUN.get())

    def __call__(self) -> float:
        """The seconds that count."""
        return self.read() - self.begun - sum(self.apart.values())

    def go_on_from(self, seconds: float) -> None:
        """Let the seconds be these now: those of an interrupted run, before it goes on."""
        self.begun -= seconds - self()

    @contextmanager
    def aside(self, what: str) -> Iterator[None]:
        """Inside, seconds do not count; they are added to those of the same kind."""
        begun = self.read()
        try:
            yield
        finally:
            self.apart[what] = self.apart.get(what, 0.0) + self.read() - begun


def process_begun() -> float:
    """The time of `time.monotonic` at which this process began; now, where the system does not say.

    >>> 0 < time.monotonic() - process_begun() < 1e6
    True
    """
    now = time.monotonic()
    with suppress(OSError, ValueError, IndexError, AttributeError):
        ticks = int(Path("/proc/self/stat").read_text().rpartition(")")[2].split()[19])
        age = time.clock_gettime(time.CLOCK_BOOTTIME) - ticks / os.sysconf("SC_CLK_TCK")
        return now - max(0.0, age)
    return now
