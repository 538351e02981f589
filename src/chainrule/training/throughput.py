"""Sums since the last validation: how much was trained on, how fast, and the share of time spent waiting for data."""

from __future__ import annotations

import math
from collections.abc import Iterator
from time import perf_counter
from typing import Any, TypeVar

from chainrule.training.step import StepResult

__all__ = ["Throughput"]

Item = TypeVar("Item")


class Throughput:
    """Sums of nats, examples, elements, dims and seconds, from which every metric is a ratio.

    >>> throughput = Throughput()
    >>> step = StepResult(nats=8.0, exact=True, penalty=0.0, gradient_norm=1.0, examples=4, elements=12, dims=12)
    >>> throughput.add(step)
    >>> throughput.metrics()["train_nats_per_example"]
    2.0
    """

    def __init__(self) -> None:
        self.restart()

    def restart(self) -> None:
        """Set all sums to zero."""
        self.exact = True  # whether the nats are a log-likelihood, and not a training estimate of one
        self.nats, self.examples, self.elements, self.dims = 0.0, 0, 0, 0
        self.waited, self._before, self._since = 0.0, 0.0, perf_counter()

    def add(self, step: StepResult) -> None:
        """Add one step."""
        self.exact = step.exact
        self.nats += step.nats
        self.examples += step.examples
        self.elements += step.elements
        self.dims += step.dims

    def waiting(self, items: Iterator[Item]) -> Iterator[Item]:
        """The same items, with the time until each of them is there counted as waiting."""
        while True:
            before = perf_counter()
            try:
                item = next(items)
            except StopIteration:
                return
            self.waited += perf_counter() - before
            yield item

    @property
    def seconds(self) -> float:
        """Seconds since the sums were zero, before and after a resumption together."""
        return self._before + perf_counter() - self._since

    def metrics(self) -> dict[str, float]:
        """Training nats and bits, examples and elements per second, and the share of time spent waiting for data."""
        seconds = self.seconds
        bits = {"train_bits_per_dim": self.nats / math.log(2) / max(self.dims, 1)} if self.exact else {}
        return {
            "train_nats_per_example" if self.exact else "train_estimate_per_example": self.nats / self.examples,
            **bits,
            "examples_per_second": self.examples / seconds,
            "elements_per_second": self.elements / seconds,
            "waiting_share": self.waited / seconds,
        }

    def state_dict(self) -> dict[str, Any]:
        """The sums."""
        sums = {name: getattr(self, name) for name in ("nats", "examples", "elements", "dims", "waited")}
        return sums | {"seconds": self.seconds}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from these sums."""
        for name in ("nats", "examples", "elements", "dims", "waited"):
            setattr(self, name, state[name])
        self._before, self._since = state["seconds"], perf_counter()
