"""The training loop: climb the exact log-likelihood, watch the validation nats, keep the best weights."""

from __future__ import annotations

import math
import math
from collections.abc import Callable
from dataclasses import dataclass, field
from time import perf_counter
from typing import Any

import torch
from torch import Tensor, nn

from chainrule.batch import Batch
from chainrule.data.base import Examples
from chainrule.evaluation import evaluate
from chainrule.objective import Objective
from chainrule.training.averaging import WeightAverage
from chainrule.training.optimizers import adamw
from chainrule.training.order import batches
from chainrule.training.schedule import trapezoid
from chainrule.training.settings import TrainingSettings
from chainrule.training.step import take_step

__all__ = ["Fit", "Record", "fit"]

Record = dict[str, Any]


@dataclass
class Fit:
    """What training left behind.

    best_step, best_valid_nats: where the kept weights come from, and their validation nats per example. stopped: why
    it ended ("steps", "patience" or "interrupt"). steps, seconds: how long. records: one a validation.
    """

    best_step: int = 0
    best_valid_nats: float = math.inf
    stopped: str = "steps"
    steps: int = 0
    seconds: float = 0.0
    records: list[Record] = field(default_factory=list)


@dataclass
class Pace:
    """Sums since the last validation: seconds of training, examples, elements and nats."""

    since: float = field(default_factory=perf_counter)
    examples: int = 0
    elements: int = 0
    nats: float = 0.0

    def add(self, batch: Batch, nats: float) -> None:
        """Count one step."""
        self.examples += batch.examples
        self.elements += int(batch.mask.sum())
        self.nats += nats

    def record(self) -> Record:
        """Training nats per example and the speed."""
        seconds = perf_counter() - self.since
        return {
            "train_nats_per_example": self.nats / self.examples,
            "examples_per_second": self.examples / seconds,
            "elements_per_second": self.elements / seconds,
        }


def fit(
    model: nn.Module,
    train: Examples,
    valid: Examples,
    settings: TrainingSettings,
    *,
    on_step: Callable[[Record], None] = lambda record: None,
    on_validation: Callable[[Record], None] = lambda record: None,
    on_best: Callable[[nn.Module], None] = lambda model: None,
) -> Fit:
    """Train the model in place; afterwards it holds the weights of the best validation, averaged if so set.

    model: a module from a Batch to ln p of its examples (B,), such as an AutoregressiveModel. on_step, on_validation:
    called with a record of figures. on_best: called with the model to keep whenever the validation nats improve.

    A keyboard interrupt ends training like patience does. Raises TrainingDiverged on a non-finite loss; the weights of
    the best validation are in the model then, too.
    """
    torch.manual_seed(settings.seed)
    objective = Objective(settings.normalisation)
    optimizer = adamw(model, settings.learning_rate, settings.weight_decay)
    average = WeightAverage(model, settings.average)
    result, kept = Fit(), _copy(model)
    start, pace = perf_counter(), Pace()
    model.train()
    try:
        for epoch, batch in batches(train, settings.batch_size, settings.seed):
            rate = settings.learning_rate * trapezoid(result.steps, settings.steps, settings.warmup, settings.cooldown)
            nats, norm = take_step(model, batch, objective, optimizer, rate, settings, result.steps + 1)
            average.update(model)
            pace.add(batch, nats)
            result.steps += 1
            figures = {"step": result.steps, "epoch": epoch, "learning_rate": rate, "gradient_norm": norm}
            on_step(figures | {"nats_per_example": nats / batch.examples})
            over = result.steps == settings.steps
            if over or result.steps % settings.evaluate_every == 0:
                record = figures | pace.record() | _validate(average.model, valid)
                record["seconds"] = perf_counter() - start
                result.records.append(record)
                on_validation(record)
                if record["valid_nats_per_example"] < result.best_valid_nats:
                    result.best_step, result.best_valid_nats = result.steps, record["valid_nats_per_example"]
                    kept = _copy(average.model)
                    on_best(average.model)
                if len([r for r in result.records if r["step"] > result.best_step]) >= settings.patience:
                    result.stopped, over = "patience", True
                pace = Pace()
            if over:
                break
    except KeyboardInterrupt:
        result.stopped = "interrupt"
    finally:
        model.load_state_dict(kept)
        model.eval()
        result.seconds = perf_counter() - start
    return result


def _copy(model: nn.Module) -> dict[str, Tensor]:
    return {name: tensor.detach().clone() for name, tensor in model.state_dict().items()}


def _validate(model: nn.Module, valid: Examples) -> Record:
    likelihood = evaluate(model, valid).likelihood
    return {
        "valid_nats_per_example": likelihood.nats_per_example.value,
        "valid_nats_per_example_se": likelihood.nats_per_example.standard_error,
        "valid_bits_per_dim": likelihood.bits_per_dim.value,
    }
