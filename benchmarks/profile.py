"""Where the time of a training step goes, for the default text model and the default image model.

By phase: the time, and the rate at which matrix products, convolutions and attention are done, over the peak of
`torch.mm`. By kind of operation: matrix products, attention, elementwise, norms and softmax, optimizer, moving memory;
what is left is Python and dispatch. Matrix products inside the optimizer (Muon's) count as matrix products.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from time import perf_counter, process_time
from typing import Any

import torch
from rich.console import Console
from rich.table import Table
from torch.profiler import ProfilerActivity, profile

from benchmarks.defaults import MODELS
from benchmarks.flops import FlopCounter
from benchmarks.limits import Limits, limits
from benchmarks.row import Options
from benchmarks.stepping import PHASES, Phases, Steps

__all__ = ["show"]

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
    waited = steps.state.pace.waited / (2 * times + 2)
    rest = whole / times - sum(inside.values()) - waited
    return inside | {"data": waited, "rest": rest}, flops


def by_phase(title: str, seconds: dict[str, float], flops: dict[str, int], peaks: Limits) -> Table:
    """Phases, their share, and the rate of matrix products that they reach."""
    shown = Table("phase", "ms", "share", "GFLOP", "GFLOP/s", "of torch.mm", title=title, title_justify="left")
    whole = sum(seconds.values())
    for name, taken in [*seconds.items(), ("step", whole)]:
        work = sum(flops.values()) if name == "step" else flops.get(name, 0)
        rate = work / taken * peaks.threads  # processor time of all threads
        figures = (f"{work / 1e9:.2f}", f"{rate / 1e9:.0f}", f"{rate / peaks.flops:.0%}") if work else ("", "", "")
        shown.add_row(name, f"{taken * 1e3:.2f}", f"{taken / whole:.1%}", *figures)
    return shown


def by_operation(seconds: dict[str, float]) -> Table:
    """Kinds of operations and their share."""
    shown = Table("operations", "ms", "share")
    for name, taken in seconds.items():
        shown.add_row(name, f"{taken * 1e3:.2f}", f"{taken / sum(seconds.values()):.1%}")
    return shown


def show(options: Options, console: Console) -> None:
    """Print both tables of both models."""
    torch.set_num_threads(options.threads)
    console.print(f"limits: {limits()}; phases are processor time a step, of all threads, operations time on the clock")
    for make in MODELS:
        chosen = make()
        steps, times = Steps(chosen.model, chosen.train, chosen.settings), 1 if options.quick else 10
        steps(1 if options.quick else 3)
        console.print(by_phase(chosen.name, *rates(steps, times), limits()))
        console.print(by_operation(operations(steps, times)))
