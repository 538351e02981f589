"""Memory that training frees is kept by the process, for its next tensors.

By default the allocator of glibc gives large blocks back to the system when a tensor dies, and the next tensor of that
size has its pages cleared and mapped anew: for activations of some megabytes that is a tenth to a quarter of a step.
"""

from __future__ import annotations

import ctypes
import sys

__all__ = ["keep_freed_memory"]

TRIM_THRESHOLD, MMAP_THRESHOLD = -1, -3  # M_TRIM_THRESHOLD and M_MMAP_THRESHOLD of malloc.h
KEPT = 2**31 - 1  # bytes that may lie unused at the end of the heap
MAPPED = (2**30, 2**25)  # bytes from which a block is mapped, and given back, by itself: older versions take no more


def keep_freed_memory() -> bool:
    """Tell the allocator to keep freed memory, and return whether it did; False where it is not that of glibc.

    Results do not depend on it. Free memory between blocks that are in use adds to the memory of the process.
    """
    if not sys.platform.startswith("linux"):
        return False
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is None:
        return False
    # in this order: a trim threshold alone would freeze the other one at its small start
    return any(mallopt(MMAP_THRESHOLD, size) for size in MAPPED) and bool(mallopt(TRIM_THRESHOLD, KEPT))
