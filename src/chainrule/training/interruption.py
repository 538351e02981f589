"""Ctrl-C and SIGTERM, as a flag that the training loop reads between two steps."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

__all__ = ["Interruption", "interruptible"]

SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Interruption:
    """Whether the process was asked to end, and by which signal."""

    def __init__(self) -> None:
        self.signal: int | None = None

    def __call__(self) -> bool:
        """Whether it is time to stop."""
        return self.signal is not None

    @property
    def exit_code(self) -> int:
        """The exit code of a process that a signal ended: 130 for Ctrl-C, 143 for SIGTERM, also of another process."""
        return 128 + (self.signal or signal.SIGTERM)


@contextmanager
def interruptible() -> Iterator[Interruption]:
    """Inside, the first Ctrl-C or SIGTERM is only noted; a second one ends the process as it always did.

    >>> with interruptible() as stop:
    ...     signal.raise_signal(signal.SIGTERM)
    ...     stop(), stop.exit_code
    (True, 143)
    """
    stop = Interruption()
    before: dict[int, Any] = {}

    def note(number: int, frame: FrameType | None) -> None:
        stop.signal = number
        restore()

    def restore() -> None:
        for number, handler in before.items():
            signal.signal(number, handler)

    for number in SIGNALS:
        before[number] = signal.signal(number, note)
    try:
        yield stop
    finally:
        restore()
