"""Where the time of a training step goes: our transformer at nanoGPT's shape, the default text and image models.

By phase: the time, and the rate at which matrix products, convolutions and attention are done, over the peak of
`torch.mm`. By kind of operation: matrix products, attention, elementwise, norms and softmax, optimizer, moving memory;
what is left is Python and dispatch. Matrix products inside the optimizer (Muon's) count as matrix products.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from multiprocessing import get_context
from time import perf_counter, process_time
from typing import Any

import torch
from rich.table import Table
from torch.profiler import ProfilerActivity, profile

from benchmarks import training
from benchmarks.defaults import Default, image, text
from benchmarks.flops import FlopCounter
from benchmarks.limits import limits
from benchmarks.row import Options
from benchmarks.stepping import PHASES, Phases, Steps
from chainrule.runs.provenance import provenance

__all__ = ["Profiled", "alone", "tables"]

MODELS = (training.shaped, text, image)

KINDS = {
    "matrix products": ("mm", "bmm", "linear", "convolution", "conv"),
    "attention": ("scaled_dot_product", "flash_attention"),
    "optimizer": ("_fused_adam", "_foreach", "_amp"),
    "norms, softmax": ("layer_norm", "softmax", "nll_loss", "cross_entropy", "linalg_vector_norm"),
    "random numbers": ("rand", "uniform", "bernoulli"),
    "memory": ("copy_", "cat", "clone", "contiguous", "zeros", "empty", "fill", "embedding", "index", "gather", "pad"),
}
LEFT = "elementwise and other"


def kind(operation: str) -> str:
    """What kind an operation of the profile is."""
    name = operation.removeprefix("aten::")
    return next((kind for kind, parts in KINDS.items() if any(part in name for part in parts)), LEFT)


def operations(steps: Steps, times: int) -> dict[str, float]:
    """Seconds on the clock of a step, by kind of operation; profiling itself takes some."""
    with profile(activities=[ProfilerActivity.CPU]) as profiler:
        start = perf_counter()
        steps(times)
        whole = perf_counter() - start
    seconds: Counter[str] = Counter()
    for event in profiler.key_averages():
        if event.key.startswith("aten::"):
            seconds[kind(event.key)] += event.self_cpu_time_total / 1e6 / times
    seconds["Python, autograd, dispatch"] = max(0.0, whole / times - sum(seconds.values()))
    return dict(seconds.most_common())


def rates(steps: Steps, times: int) -> tuple[dict[str, float], dict[str, int]]:
    """Processor seconds a step and floating-point operations of each phase; data and all else are the "rest"."""
    phases = Phases(steps.state)
    with phases.watching():
        start = process_time()
        steps(times)
        whole = process_time() - start
    flops: dict[str, int] = dict.fromkeys(PHASES, 0)

    @contextmanager
    def counting(name: str) -> Iterator[Any]:
        with FlopCounter() as counter:
            yield
        flops[name] += counter.get_total_flops()

    with Phases(steps.state, counting).watching():
        steps(1)
    inside = {name: phases.processor[name] / times for name in PHASES}
    waited = steps.state.throughput.waited / (2 * times + 2)
    rest = whole / times - sum(inside.values()) - waited
    return inside | {"data": waited, "rest": rest}, flops


@dataclass(frozen=True)
class Phase:
    """Processor seconds of all threads a step, their share of it, floating-point operations, and the rate of these over
    that of `torch.mm`; None where there are none."""

    seconds: float
    share: float
    flops: int
    of_mm: float | None


@dataclass(frozen=True)
class Profiled:
    """A model's step: by phase, and the share of each kind of operation in its time on the clock."""

    name: str
    phases: dict[str, Phase]
    operations: dict[str, float]

    @classmethod
    def of(cls, chosen: Default, quick: bool) -> Profiled:
        """Measure it."""
        steps, times = Steps(chosen.model, chosen.train, chosen.settings), 1 if quick else 10
        steps(1 if quick else 3)
        seconds, flops = rates(steps, times)
        seconds["step"], flops["step"] = sum(seconds.values()), sum(flops.values())
        phases = {}
        for name, taken in seconds.items():
            done = flops.get(name, 0)
            rate = done / taken * limits().threads / limits().flops if done else None
            phases[name] = Phase(taken, taken / seconds["step"], done, rate)
        kinds = operations(steps, times)
        return cls(chosen.name, phases, {kind: taken / sum(kinds.values()) for kind, taken in kinds.items()})


def profiled(options: Options) -> dict[str, Any]:
    """Every model, the peaks of the machine and where it comes from: the entry of the record."""
    torch.set_num_threads(options.threads)
    models = [Profiled.of(make(), options.quick) for make in MODELS]
    origin = provenance()
    del origin["command"]
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else None
    return origin | {"limits": asdict(limits()), "load": load, "models": [asdict(model) for model in models]}


def alone(options: Options) -> dict[str, Any]:
    """The same in a process that does nothing else."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as process:
        return process.submit(profiled, options).result()


def tables(entry: dict[str, Any]) -> Iterator[Table]:
    """Two tables a model for a person."""
    for model in entry["models"]:
        phases = Table("phase", "ms", "share", "GFLOP", "of torch.mm", title=model["name"], title_justify="left")
        for name, phase in model["phases"].items():
            of_mm = "" if phase["of_mm"] is None else f"{phase['of_mm']:.0%}"
            done = f"{phase['flops'] / 1e9:.2f}" if phase["flops"] else ""
            phases.add_row(name, f"{phase['seconds'] * 1e3:.2f}", f"{phase['share']:.1%}", done, of_mm)
        yield phases
        kinds = Table("operations", "share")
        for name, share in model["operations"].items():
            kinds.add_row(name, f"{share:.1%}")
        yield kinds
