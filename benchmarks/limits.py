"""What the machine can do at most: matrix products, memory, dispatch; measured in the same run as what they limit."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from time import perf_counter, process_time

import torch

from benchmarks.flops import counted
from benchmarks.row import Limit

__all__ = ["Limits", "least", "limits"]

SIZE = 1024  # of the square matrices
FLOAT = 4  # bytes


@dataclass(frozen=True)
class Limits:
    """Peaks at a number of threads.

    flops: floating-point operations of `torch.mm` a second. bytes: read and written a second. dispatch: seconds of an
    operation on a few numbers.
    """

    flops: float
    bytes: float
    dispatch: float
    threads: int

    def __str__(self) -> str:
        return (
            f"torch.mm {self.flops / 1e9:.0f} GFLOP/s, memory {self.bytes / 2**30:.1f} GiB/s, "
            f"a small operation {self.dispatch * 1e6:.1f} µs; {self.threads} threads"
        )


@cache
def limits() -> Limits:
    """Of this process, at its number of threads; measured once."""
    a, b, product = (torch.randn(SIZE, SIZE) for _ in range(3))
    large, copy = torch.zeros(2**26), torch.empty(2**26)
    small, threads = torch.ones(8), torch.get_num_threads()

    def calls() -> None:
        for _ in range(1000):
            small.add_(1.0)

    return Limits(
        flops=2 * SIZE**3 / _best(lambda: torch.mm(a, b, out=product), 15, threads),
        bytes=2 * FLOAT * len(large) / _best(lambda: copy.copy_(large), 5, threads),
        dispatch=_best(calls, 5) / 1000,
        threads=threads,
    )


def _best(function: Callable[[], object], times: int, threads: int = 1) -> float:
    """The least seconds of a call by so many threads: on the clock, or by the processor where others had their turn."""
    function()
    least = float("inf")
    for _ in range(times):
        start, processor = perf_counter(), process_time()
        function()
        least = min(least, (process_time() - processor) / threads, perf_counter() - start)
    return least


def least(function: Callable[[], object], *, scale: float = 1.0, eager: bool = True) -> Limit:
    """The least time of a call: of its matrix products at the peak, or of its dispatch, whichever is longer.

    scale: how often the call is done. eager: whether its operations are dispatched one by one.
    """
    flops, operations = counted(function)
    arithmetic, dispatch = flops / limits().flops, operations * limits().dispatch
    if eager and dispatch > arithmetic:
        return Limit(scale * dispatch, "dispatch")
    return Limit(scale * arithmetic, "GEMM")
