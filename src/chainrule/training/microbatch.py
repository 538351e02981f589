"""`--microbatch auto`: the largest forward pass that fits memory. It changes nothing but the memory and the speed.

On a GPU, and wherever a trial says that memory is out, the size is halved until a trial goes through. A CPU pages long
before it says so; there the bytes that a trial keeps for its backward pass are counted and held against what is free.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np
import torch
from torch import Tensor, nn

from chainrule.data.examples.base import Examples
from chainrule.data.sources.memory import available_bytes
from chainrule.errors import InputError, is_out_of_memory

__all__ = ["fitting", "largest_microbatch", "saved_bytes"]

ALLOWANCE = 3  # bytes in use for each byte kept: gradients on the way back, and what a layer needs for itself
SHARE = 0.5  # of the free memory may be used


def largest_microbatch(
    forward: nn.Module, train: Examples, batch_size: int, processes: int = 1, free_bytes: float | None = None
) -> int:
    """How many examples of a global batch fit into one forward and backward pass, the longest ones tried.

    Gradients and random state are as before.

    forward: the model as training sees it, from a Batch to two numbers of each example, shape (B,) each.
    train: the training data.
    batch_size: examples per step, over all microbatches and processes.
    processes: number of processes that share this machine's memory.
    free_bytes: that memory in bytes, by default what the system says is free.
    """
    lengths = train.row_lengths
    most = min(batch_size, len(train))
    rows = np.arange(most) if lengths is None else np.argsort(-lengths, kind="stable")[:most]
    device = next(forward.parameters()).device
    free = available_bytes() if free_bytes is None else free_bytes

    def trial(size: int) -> None:
        log_prob, added = forward(train.batch(rows[:size]).to(device))
        (added - log_prob).sum().backward()

    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        try:
            if device.type == "cpu":
                one, two = (saved_bytes(partial(trial, size)) for size in (1, min(2, most)))
                each = max(two - one, one // 8, 1)
                most = int(np.clip(SHARE * free / processes / (ALLOWANCE * each), 1, most))
            return fitting(trial, most)
        finally:
            forward.zero_grad(set_to_none=True)


def fitting(trial: Callable[[int], None], most: int) -> int:
    """The first of most, most / 2, most / 4, ... at which the trial does not run out of memory.

    >>> def trial(size):
    ...     if size > 10:
    ...         raise torch.OutOfMemoryError("CUDA out of memory")
    >>> fitting(trial, 64)
    8
    """
    size = most
    while True:
        try:
            trial(size)
            return size
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
        if size == 1:
            raise InputError("not even one example fits memory; take a smaller model or shorter examples")
        size = (size + 1) // 2
        if torch.cuda.is_available():
            torch.cuda.empty_cache()


def saved_bytes(run: Callable[[], None]) -> int:
    """The bytes that autograd keeps for the backward passes in `run`, each stretch of memory once.

    >>> x = torch.ones(1000, requires_grad=True)
    >>> saved_bytes(lambda: x.exp().sum().backward())
    4000
    """
    kept: dict[int, int] = {}

    def pack(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        kept[storage.data_ptr()] = storage.nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        run()
    return sum(kept.values())
