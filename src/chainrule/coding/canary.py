"""The canary: a hash of the integer weights that this machine makes of a model, before anything is decoded.

A float32 network gives other last bits on another processor, with other threads, another library or another batch
shape; integer weights then differ somewhere, and what is decoded is garbage from there on. So the side that writes
walks a fixed example (drawn from the weights themselves by fixed noise), hashes all weights that it meets, and the side
that reads does the same and compares.
"""

from __future__ import annotations

import os
import platform
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from hashlib import sha256
from typing import Any

import numpy as np
import torch
from torch import Tensor

from chainrule.batch import Array
from chainrule.coding.elements import Coder
from chainrule.coding.walk import Layout, walk_once
from chainrule.coding.weights import TOTAL
from chainrule.models.chain import AutoregressiveModel
from chainrule.noise import uniforms

__all__ = ["canary", "difference_of_machines", "machine", "with_threads"]

ELEMENTS = 96  # of the example that is walked


class Listener(Coder):
    """Draws symbols from integer weights by fixed noise, and hashes the weights."""

    def __init__(self) -> None:
        self.digest, self.calls = sha256(), 0

    def code(self, weights: Array, symbols: Array | None) -> Array:
        self.digest.update(np.ascontiguousarray(weights, dtype="<i8").tobytes())
        self.calls += 1
        u = uniforms(28, np.arange(len(weights)), [self.calls])[:, 0]
        reached = np.cumsum(weights, 1)
        return np.asarray((reached <= np.floor(u * TOTAL)[:, None]).sum(1), dtype=np.int64)


def canary(model: AutoregressiveModel, layout: Layout, context: Tensor | None) -> str:
    """The hash, 128 bits in hexadecimal.

    model: the chain.
    layout: how it is walked.
    context: contexts of the first sequences, None for p(x).
    """
    listener = Listener()
    longest = min(layout.longest, layout.window, ELEMENTS)
    walk_once(model, replace(layout, longest=longest), listener, context)
    return listener.digest.hexdigest()[:32]


def machine() -> dict[str, Any]:
    """What decides the last bits of a network's numbers, for the header and for errors."""
    return {
        "processor": platform.machine(),
        "cpu": torch.backends.cpu.get_cpu_capability(),
        "threads": torch.get_num_threads(),
        "mkldnn": bool(torch.backends.mkldnn.enabled),
        "mkl_cbwr": os.environ.get("MKL_CBWR", ""),
        "torch": torch.__version__,
        "numpy": np.__version__,
    }


def difference_of_machines(there: dict[str, Any]) -> str:
    """What differs between the machine that an archive names and this one, in words.

    there: `machine()` there.

    >>> difference_of_machines(machine() | {"cpu": "VAX"})[:18]
    'cpu was VAX and is'
    """
    here = machine()
    different = [
        f"{name} was {str(there.get(name))[:80]} and is {value}"
        for name, value in here.items()
        if name != "threads" and there.get(name) != value
    ]
    return ", ".join(different) or "nothing that the archive names differs"


@contextmanager
def with_threads(threads: int) -> Iterator[None]:
    """Inside, torch computes with so many threads, on which its last bits may depend."""
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        yield
    finally:
        torch.set_num_threads(before)
