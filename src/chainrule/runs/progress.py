"""How far a long task is: a callback that is handed down, so that only the command line draws bars."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

__all__ = ["Progress", "silent"]

# (what is done, how many steps it has) -> a context, inside which a function takes the number of steps just done
Progress = Callable[[str, int], AbstractContextManager[Callable[[int], Any]]]


@contextmanager
def silent(what: str, total: int) -> Iterator[Callable[[int], Any]]:
    """No progress is shown.

    >>> with silent("scoring", 100) as update:
    ...     update(10)
    """
    yield lambda done: None
