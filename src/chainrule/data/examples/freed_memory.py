"""Memory that was freed goes back to the system, where blocks that are let go stand between others that stay."""

from __future__ import annotations

import ctypes
import sys

__all__ = ["give_back"]


def give_back() -> bool:
    """Give free pages of the heap back, and return whether any were; False where the allocator is not that of glibc.

    It takes some milliseconds for each 100 MB.
    """
    if not sys.platform.startswith("linux"):
        return False
    try:
        return bool(ctypes.CDLL(None).malloc_trim(0))
    except (AttributeError, OSError):
        return False
