"""Caches that grow along one axis where they lie, so that a step reads little more of them than what is filled.

A step of attention is bound by reading its cache, which it does fastest where the places lie one after the other, with
no gap behind the filled ones. So a cache is as long as what is filled, nearly, and is lengthened from time to time. The
memory of the longest is kept from the beginning: a new tensor's memory costs several times as much as the copy into it.
"""

from __future__ import annotations

from torch import Tensor

__all__ = ["ROOM", "lengthen", "longest", "reserved"]

ROOM = 32  # places by which caches grow


def longest(reach: int) -> int:
    """How many places a cache that holds so many positions grows to: one that grows is a multiple of `ROOM`."""
    return reach if reach <= ROOM else -(-reach // ROOM) * ROOM


def reserved(like: Tensor, shape: tuple[int, ...], dim: int, value: float) -> Tensor:
    """A tensor with at most `ROOM` places along an axis, full of a value, in memory that holds the whole shape."""
    begun = (*shape[:dim], min(ROOM, shape[dim]), *shape[dim + 1 :])
    return like.new_empty(shape).resize_(begun).fill_(value)


def lengthen(cache: Tensor, dim: int, value: float) -> None:
    """Add `ROOM` places full of a value along an axis, in place; no gradient goes through what a step remembers."""
    filled = cache.detach_().clone()
    cache.resize_(*cache.shape[:dim], cache.shape[dim] + ROOM, *cache.shape[dim + 1 :])
    cache.narrow(dim, 0, filled.shape[dim]).copy_(filled)
    cache.narrow(dim, filled.shape[dim], ROOM).fill_(value)
