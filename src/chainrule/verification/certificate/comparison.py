"""Two passes beside each other: where they differ, by how much, and what of it is rounding."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor

from chainrule.verification.certificate.check import difference
from chainrule.verification.certificate.tested import ModelUnderTest

__all__ = ["by_element", "in_mode", "rounding", "seeded"]

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
    """The function's value under one fixed state of the generator, so that dropout drops the same units again."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        made: Tensor = function(*arguments)
    return made


@contextmanager
def in_mode(tested: ModelUnderTest, training: bool) -> Iterator[None]:
    """Training or evaluation mode, without gradients and with its buffers given back; evaluation mode afterwards."""
    if tested.module is None:
        yield
        return
    buffers = [(buffer, buffer.clone()) for buffer in tested.module.buffers()] if training else []
    modes = [(part, part.training) for part in tested.module.modules()]
    tested.module.train(training)
    try:
        with torch.no_grad():
            yield
    finally:
        for part, mode in modes:
            part.training = mode
        for buffer, before in buffers:
            buffer.detach().copy_(before)
