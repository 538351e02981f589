"""The processes of a training job: the share of each, and sums over all. With `processes` it knows `torch.distributed`.

    torchrun --nproc-per-node 2 -m chainrule fit ...

Each process takes its share of the global batch. Counts are added up before the first backward pass, losses are divided
by the sum, and gradients are *added*, not averaged: so the step is the same, up to rounding, for any number of
processes, even where some of them have no example left.

    ddp    every process holds all weights; gradients are added after the last microbatch
    fsdp   gradients and the optimizer's state are spread over the processes (`fully_shard`); the weights are gathered
           after each step, for the average, the validation and the checkpoints

A single process runs the same code and imports nothing of `torch.distributed`.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from copy import deepcopy
from itertools import count, pairwise
from typing import Any, TypeVar

import numpy as np
import torch
from torch import Tensor, nn

from chainrule.batch import Batch, Rows
from chainrule.data.examples.base import Examples
from chainrule.data.examples.subset import stretch
from chainrule.errors import unknown_name
from chainrule.evaluation.evaluate import Evaluation, evaluate
from chainrule.training.processes import Processes, ProcessLost

__all__ = ["ENGINES", "Engine", "ProcessLost"]

Value = TypeVar("Value")

ENGINES = ("ddp", "fsdp")
LOST = ("peer", "gloo", "NCCL", "onnection", "imed out")  # words of errors about processes that are gone
BUCKET = 2**22  # numbers of a gradient that are added up at once, 16 MiB in float32


class Engine:
    """The processes of this job, of which this is number `rank` of `world`; outside of `torchrun` the only one.

    name: "ddp" or "fsdp".
    processes: this process and the others of the job, by default those that `torchrun` started.
    first: whether this is the process that writes.
    device: the device of this process.

    >>> engine = Engine()
    >>> engine.world, engine.add_up([2, 3.5]), engine.share(np.arange(3))
    (1, [2.0, 3.5], array([0, 1, 2]))
    """

    def __init__(self, name: str = "ddp", processes: Processes | None = None) -> None:
        if name not in ENGINES:
            raise unknown_name("engine", name, ENGINES)
        self.processes = Processes() if processes is None else processes
        self.world, self.rank = self.processes.world, self.processes.rank
        self.sharded = name == "fsdp" and self.world > 1
        cuda = torch.cuda.is_available()
        self.device = torch.device("cuda", int(os.environ.get("LOCAL_RANK", "0"))) if cuda else torch.device("cpu")
        self._calls = count()

    @property
    def first(self) -> bool:
        """Whether this process is the one that writes."""
        return self.rank == 0

    def close(self) -> None:
        """Leave the job, once all processes have reached this point."""
        if self.world > 1 and torch.distributed.is_initialized():
            self.processes.close()
            torch.distributed.destroy_process_group()

    # --- shares -----------------------------------------------------------------------------------------------------

    def share(self, rows: Rows) -> Rows:
        """The rows of a batch for this process: neighbours, in shares that differ by at most one row."""
        return rows[len(rows) * self.rank // self.world : len(rows) * (self.rank + 1) // self.world]

    def reseed(self, seed: int, step: int) -> None:
        """Give a process other than the first its own noise, as of dropout: a function of (seed, step, rank)."""
        if self.rank > 0:
            torch.manual_seed(int(np.random.SeedSequence([seed % 2**63, step, self.rank]).generate_state(1)[0]))

    def microbatches(self, batch: Batch, size: int) -> list[Batch]:
        """A batch in microbatches, empty ones at the end where sharded processes must all make the same number."""
        parts = batch.split(size)
        if self.sharded:
            parts += [batch[:0]] * (-self.smallest(-len(parts)) - len(parts))
        return parts

    def evaluate(self, model: nn.Module, examples: Examples, **options: Any) -> Evaluation:
        """`evaluation.evaluate`, each example on one process; all processes get the whole result."""
        if self.world == 1:
            return evaluate(model, examples, **options)
        evaluation = evaluate(model, stretch(examples, self.rank, self.world), **options)
        with self.together():
            parts: list[Any] = [None] * self.world
            torch.distributed.all_gather_object(parts, (evaluation.nats, evaluation.counts))
        nats, counts = (np.concatenate(column) for column in zip(*parts, strict=True))
        return Evaluation.of(nats, counts, examples, options.get("protocol"))

    def of_first(self, make: Callable[[], Value]) -> Value:
        """The result of a function that only the first process calls; if it fails there, the others end silently.

        However long it takes, the others wait for it.
        """
        if self.world == 1:
            return make()
        made: list[Any] = [None]
        place = f"first/{next(self._calls)}"
        try:
            if self.first:
                made = [make()]
            else:
                self.processes.wait_for(place)
        finally:
            self.processes.say(place)
            with self.together():
                torch.distributed.broadcast_object_list(made)
        if made[0] is None:
            raise SystemExit(2)
        value: Value = made[0]
        return value

    # --- sums -------------------------------------------------------------------------------------------------------

    def add_up(self, numbers: Sequence[float]) -> list[float]:
        """The sum of each number over all processes, in float64."""
        if self.world == 1:
            return [float(number) for number in numbers]
        total = torch.tensor(numbers, dtype=torch.float64, device=self.device)
        with self.together():
            torch.distributed.all_reduce(total)
        return total.tolist()

    def any(self, flag: bool) -> bool:
        """Whether a flag is set on any process."""
        return flag if self.world == 1 else self.add_up([float(flag)])[0] > 0

    def add_gradients(self, parameters: Sequence[nn.Parameter]) -> None:
        """Add the gradients of all processes; a parameter without one on any of them stays without."""
        if self.world == 1 or self.sharded:
            return
        used = self.add_up([float(parameter.grad is not None) for parameter in parameters])
        gradients = [_gradient(parameter) for parameter, often in zip(parameters, used, strict=True) if often]
        for bucket in _buckets(gradients):
            flat = torch.cat([gradient.reshape(-1) for gradient in bucket])
            with self.together():
                torch.distributed.all_reduce(flat)
            for gradient, part in zip(
                bucket, torch.split(flat, [gradient.numel() for gradient in bucket]), strict=True
            ):
                gradient.copy_(part.view_as(gradient))

    def smallest(self, number: int) -> int:
        """The smallest number of all processes."""
        least = torch.tensor(number, device=self.device)
        if self.world > 1:
            with self.together():
                torch.distributed.all_reduce(least, torch.distributed.ReduceOp.MIN)
        return int(least)

    @contextmanager
    def together(self) -> Iterator[None]:
        """Around an operation with the other processes: raises ProcessLost if one of them has ended."""
        try:
            yield
        except RuntimeError as error:
            if self.world == 1 or not any(word in str(error) for word in LOST):
                raise
            raise ProcessLost(
                f"process {self.rank} of {self.world} lost another one, so training ends; "
                "look at the first error above, the last checkpoint remains"
            ) from error

    # --- sharded weights --------------------------------------------------------------------------------------------

    def trained(self, module: nn.Module) -> nn.Module:
        """The module that is differentiated: the module itself, or a copy whose parameters are sharded."""
        if not self.sharded:
            return module
        from torch.distributed.fsdp import FSDPModule, fully_shard

        copy = deepcopy(module)
        blocks = [list(part) for name, part in copy.named_modules() if name.endswith(".blocks")]
        for block in [block for group in blocks for block in group]:
            fully_shard(block)
        fully_shard(copy)
        for part in copy.modules():
            if isinstance(part, FSDPModule):
                part.set_gradient_divide_factor(1.0)  # added, not averaged
                part.set_force_sum_reduction_for_comms(True)  # gloo knows no other
        return copy

    @torch.no_grad()
    def gather(self, trained: nn.Module, whole: nn.Module) -> None:
        """Copy the weights of a sharded copy into the module that it was made from."""
        if self.sharded:
            for shard, parameter in zip(trained.parameters(), whole.parameters(), strict=True):
                parameter.copy_(unsharded(shard))


def unsharded(tensor: Tensor) -> Tensor:
    """A tensor that may be sharded, as a whole; all processes must ask for it."""
    return tensor.full_tensor() if hasattr(tensor, "full_tensor") else tensor


def sharded_like(parameter: Tensor, whole: Tensor) -> Tensor:
    """A whole tensor, the same on all processes, sharded as a parameter is."""
    if not hasattr(parameter, "full_tensor"):
        return whole
    from torch.distributed.tensor import DTensor, distribute_tensor

    mine = parameter if isinstance(parameter, DTensor) else None
    return whole if mine is None else distribute_tensor(whole, mine.device_mesh, mine.placements)


def _gradient(parameter: nn.Parameter) -> Tensor:
    if parameter.grad is None:
        parameter.grad = torch.zeros_like(parameter)
    return parameter.grad


def _buckets(gradients: Sequence[Tensor]) -> Iterator[Sequence[Tensor]]:
    """Neighbours of one type with about BUCKET numbers together."""
    cuts, size = [0], 0
    for i, gradient in enumerate(gradients):
        if i > cuts[-1] and (size + gradient.numel() > BUCKET or gradient.dtype != gradients[i - 1].dtype):
            cuts.append(i)
            size = 0
        size += gradient.numel()
    yield from (gradients[low:high] for low, high in pairwise([*cuts, len(gradients)]) if high > low)
