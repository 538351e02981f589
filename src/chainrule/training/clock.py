"""The clock of a time budget: seconds since a command began, without those that are reported apart."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

__all__ = ["COMMAND_BEGUN", "IMPORTED", "Clock"]

IMPORTED = time.monotonic()  # of a command line this is when it began: nothing that takes long is imported before
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
