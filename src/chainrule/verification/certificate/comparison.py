"""Two passes beside each other: where they differ, by how much, and what of it is rounding."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from chainrule.verification.certificate.check import difference
from chainrule.verification.certificate.tested import ModelUnderTest

__all__ = ["by_element", "in_mode", "rounding", "same_buffers", "seeded"]

CHUNK = 1 << 22  # numbers that are compared at a time


def rounding(dtype: torch.dtype, same_shape: bool = True) -> float:
    """The largest difference that is rounding, relative to 1 + the size of the number.

    dtype: type in which both passes were computed.
    same_shape: whether both passes had the same shape, so that sums are made in the same order.

    >>> rounding(torch.float64), round(rounding(torch.float32), 7)
    (1e-06, 1e-05)
    """
    factor, least = (84, 1e-6) if same_shape else (840, 1e-5)
    return max(factor * torch.finfo(dtype).eps, least)


def by_element(before: Tensor, after: Tensor, counts: Tensor) -> Tensor:
    """The largest difference of the outputs of each element, (B, D), float64; 0 where an element does not count.

    before: outputs, shape (B, D, ...).
    after: outputs of the same shape.
    counts: True for the elements that must be the same, shape (B, D).
    """
    if before.numel() <= CHUNK:
        every = difference(before.reshape(*counts.shape, -1), after.reshape(*counts.shape, -1)).double().amax(-1)
        return torch.where(counts, every, 0.0)
    apart = torch.zeros(counts.shape, dtype=torch.float64)
    width = max(1, before[0, 0].numel())
    for row in range(len(counts)):
        places = counts[row].nonzero().squeeze(1)
        if not len(places) or torch.equal(before[row, : places[-1] + 1], after[row, : places[-1] + 1]):
            continue
        for some in torch.split(places, max(1, CHUNK // width)):
            a, b = (part[row, some].reshape(len(some), -1) for part in (before, after))
            apart[row, some] = difference(a, b).double().amax(1)
    return apart


def seeded(function: Any, *arguments: Any, seed: int = 0) -> Tensor:
    """The function's value under one fixed state of all generators, so that dropout drops the same units again."""
    states = random.getstate(), np.random.get_state()
    with torch.random.fork_rng(devices=[]):
        _seed_torch(seed)
        random.seed(seed)
        np.random.seed(seed)
        try:
            made: Tensor = function(*arguments)
        finally:
            random.setstate(states[0])
            np.random.set_state(states[1])
    return made


def _seed_torch(seed: int) -> None:
    """`torch.manual_seed`, which without a GPU formats a stack trace for each call and takes a millisecond."""
    if torch.cuda.is_available() or torch.backends.mps.is_available():
        torch.manual_seed(seed)
    else:
        torch.default_generator.manual_seed(seed)


@contextmanager
def in_mode(tested: ModelUnderTest, training: bool) -> Iterator[None]:
    """Training or evaluation mode, without gradients and with its buffers given back; evaluation mode afterwards."""
    if tested.module is None:
        yield
        return
    modes = [(part, part.training) for part in tested.module.modules()]
    tested.module.train(training)
    try:
        with torch.no_grad(), same_buffers(tested.module if training else None):
            yield
    finally:
        for part, mode in modes:
            part.training = mode


@contextmanager
def same_buffers(module: nn.Module | None) -> Iterator[None]:
    """Afterwards, every buffer of a module is what it was before, in value and as an object."""
    parts = [] if module is None else [part for part in module.modules() if type(vars(part).get("_buffers")) is dict]
    objects = [(part, name, buffer) for part in parts for name, buffer in part._buffers.items()]
    buffers = [] if module is None else [(buffer, buffer.clone()) for buffer in module.buffers()]
    try:
        yield
    finally:
        for part, name, buffer in objects:
            if part._buffers.get(name) is not buffer:
                part._buffers[name] = buffer
        for buffer, before in buffers:
            buffer.detach().copy_(before)
