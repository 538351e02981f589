"""Caches that grow along one axis where they lie, so that a step reads little more of them than what is filled.

A step of attention is bound by reading its cache, which it does fastest where the places lie one after the other, with
no gap behind the filled ones. So a cache is not much longer than what is filled, and is lengthened from time to time.
The memory of the longest is kept from the beginning: that of a new tensor costs several times as much as the copy.
It lies in large pages where the system has them, so that reading on does not stop at every four thousandth byte.
"""

from __future__ import annotations

import ctypes
import mmap
import sys
from math import prod

from torch import Tensor

__all__ = ["ROOM", "lengthened", "longest", "reserved"]

ROOM = 32  # places by which caches grow


def longest(reach: int) -> int:
    """Number of places that a cache for `reach` positions grows to: a multiple of `ROOM` where it grows."""
    return reach if reach <= ROOM else -(-reach // ROOM) * ROOM


def reserved(like: Tensor, shape: tuple[int, ...], dim: int, value: float) -> Tensor:
    """A tensor with at most `ROOM` places along an axis, full of a value, in memory that holds the whole shape."""
    return _large_pages(like.new_empty(shape)).resize_(_with(shape, dim, min(ROOM, shape[dim]))).fill_(value)


def lengthened(cache: Tensor, dim: int, places: int, value: float) -> Tensor:
    """The cache with `ROOM` more places, full of a value, along an axis on which it may come to have `places`.

    It is the same tensor, moved inside its memory, where that was `reserved` for it alone; views of it then see
    something else. A part or a copy of a cache gets memory of its own. No gradient goes through what is remembered.
    """
    filled, room = cache.detach().clone(), cache.shape[dim]
    whole = _with(tuple(cache.shape), dim, places)
    own = cache.storage_offset() == 0 and cache.untyped_storage().nbytes() == prod(whole) * cache.element_size()
    longer = cache.detach_() if own else cache.new_empty(whole)
    longer.resize_(_with(whole, dim, room + ROOM))
    longer.narrow(dim, 0, room).copy_(filled)
    longer.narrow(dim, room, ROOM).fill_(value)
    return longer


def _large_pages(memory: Tensor) -> Tensor:
    """The memory, which Linux is asked to map in pages of megabytes; elsewhere, and where it will not, as it was."""
    if sys.platform.startswith("linux") and memory.is_cpu:
        start = memory.data_ptr() // mmap.PAGESIZE * mmap.PAGESIZE
        size = memory.data_ptr() + memory.untyped_storage().nbytes() - start
        ctypes.CDLL(None).madvise(ctypes.c_void_p(start), ctypes.c_size_t(size), mmap.MADV_HUGEPAGE)
    return memory


def _with(shape: tuple[int, ...], dim: int, places: int) -> tuple[int, ...]:
    """The shape with a number of places along an axis."""
    return (*shape[:dim], places, *shape[dim + 1 :])
