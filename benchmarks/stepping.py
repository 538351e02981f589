"""One optimizer step at a time, as `fit` takes them; and how much of one is forward, backward and optimizer."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from time import perf_counter, process_time
from typing import Any
from unittest.mock import patch

from torch import Tensor, nn

from chainrule.data.examples.base import Examples
from chainrule.training.batches import batches
from chainrule.training.engine import Engine
from chainrule.training.fit import begin, objective_of
from chainrule.training.settings import TrainingSettings
from chainrule.training.state import TrainingState
from chainrule.training.step import Stepper

__all__ = ["PHASES", "Phases", "Steps"]

PHASES = ("forward", "backward", "optimizer")


class Steps:
    """What `fit` does between two validations, at the peak learning rate; call it to take a step."""

    def __init__(self, model: nn.Module, examples: Examples, settings: TrainingSettings) -> None:
        engine = Engine(settings.engine)
        self.rate, self.state = settings.learning_rate, begin(model, settings, engine)
        self.order = self.state.throughput.waiting(batches(examples, settings.batch_size, settings.seed))
        objective = objective_of(model, examples, settings)
        self.stepper = Stepper(
            self.state.forward, self.state.trained, objective, self.state.optimizer, engine, settings
        )
        self.state.trained.train()

    def __call__(self, times: int = 1) -> None:
        for _ in range(times):
            _, batch = next(self.order)
            self.state.count(self.stepper(batch, self.rate, self.state.step + 1))


class Phases:
    """Adds up the time in forward, backward and optimizer of a training that runs as it always does.

    seconds, processor: of each phase. around: a context that is entered with the name of each phase, for whoever counts
    something else.
    """

    def __init__(
        self, state: TrainingState, around: Callable[[str], AbstractContextManager[Any]] | None = None
    ) -> None:
        self.seconds: dict[str, float] = dict.fromkeys(PHASES, 0.0)
        self.processor: dict[str, float] = dict.fromkeys(PHASES, 0.0)
        self.state, self.around = state, around

    def restart(self) -> None:
        """Forget what was added up, such as a first step."""
        for sums in (self.seconds, self.processor):
            sums.update(dict.fromkeys(PHASES, 0.0))

    def timed(self, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        """The function, its time counted as a phase."""

        def call(*args: Any, **kwargs: Any) -> Any:
            wall, processor = perf_counter(), process_time()
            with nullcontext() if self.around is None else self.around(name):
                result = function(*args, **kwargs)
            self.seconds[name] += perf_counter() - wall
            self.processor[name] += process_time() - processor
            return result

        return call

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Inside, the calls of the trained model, of `backward` and of the optimizer's step are counted."""
        forward, optimizer = self.state.forward, self.state.optimizer
        with (
            patch.object(forward, "forward", self.timed("forward", forward.forward)),
            patch.object(Tensor, "backward", self.timed("backward", Tensor.backward)),
            patch.object(optimizer, "step", self.timed("optimizer", optimizer.step)),
        ):
            yield
