"""The training loop: climb the exact log-likelihood, watch the validation nats, keep the best weights."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from chainrule.data.examples.base import Examples
from chainrule.errors import InputError
from chainrule.models.base import as_model
from chainrule.training.averaging import WeightAverage
from chainrule.training.batches import batches, data_count
from chainrule.training.checkpoint import Checkpoints
from chainrule.training.common_start import check, in_common, spread
from chainrule.training.divergence import explaining, save_finite
from chainrule.training.engine import Engine
from chainrule.training.forward import TrainingForward
from chainrule.training.objective import Objective
from chainrule.training.optimizers import optimizer_of
from chainrule.training.precision import Precision
from chainrule.training.priors import Prior
from chainrule.training.regularisers import Regularisers
from chainrule.training.schedule import trapezoid
from chainrule.training.settings import TrainingSettings
from chainrule.training.state import Record, TrainingState
from chainrule.training.step import Stepper

__all__ = ["Fit", "begin", "fit", "objective_of", "training_forward"]


@dataclass(frozen=True)
class Fit:
    """What training left behind.

    best_step, best_valid_nats: where the kept weights come from, and their validation nats per example. stopped: why
    it ended ("steps", "patience" or "interrupt"). steps, seconds: how long. records: one a validation.
    """

    best_step: int
    best_valid_nats: float
    stopped: str
    steps: int
    seconds: float
    records: list[Record]


def begin(model: nn.Module, settings: TrainingSettings, engine: Engine | None = None) -> TrainingState:
    """Where training stands before the first step; sets torch's seed."""
    torch.manual_seed(settings.seed)
    climb = training_forward(model, settings)
    trained = (engine or Engine(settings.engine)).trained(climb)
    optimizer = optimizer_of(
        settings.optimizer, trained, settings.learning_rate, settings.weight_decay, half=climb.precision.half
    )
    if settings.common_start:
        spread(as_model(model), optimizer)
    average = WeightAverage(model, settings.ema, getattr(optimizer, "averaged", None))
    return TrainingState(model, average, optimizer, climb, trained)


def training_forward(model: nn.Module, settings: TrainingSettings) -> TrainingForward:
    """The model as training sees it by these settings; its weights get the type in which they are trained.

    Raises InputError for a model of each order under fsdp: processes that climb different chains at once would gather
    each other's weights.
    """
    if settings.engine == "fsdp" and len(as_model(model).chains) > 1:
        raise InputError(
            "fsdp shards one chain, and here every process climbs the chain of an order of its own; take --engine ddp"
        )
    if settings.common_start:
        check(model)
    precision = Precision(settings.precision, next(model.parameters()).device.type)
    precision.convert(model)
    regularisers = Regularisers(settings.label_smoothing, settings.confidence_penalty, settings.z_loss)
    return TrainingForward(model, regularisers, precision, settings.compile)


def fit(
    model: nn.Module,
    train: Examples,
    valid: Examples,
    settings: TrainingSettings,
    *,
    engine: Engine | None = None,
    state: TrainingState | None = None,
    checkpoints: Checkpoints | None = None,
    stop: Callable[[], bool] = lambda: False,
    on_step: Callable[[Record], Any] = lambda record: None,
    on_validation: Callable[[Record], Any] = lambda record: None,
    on_best: Callable[[nn.Module], Any] = lambda model: None,
    on_sample: Callable[[nn.Module, int], Any] = lambda model, step: None,
) -> Fit:
    """Train the model in place; afterwards it holds the weights of the best validation, averaged if so set.

    model: a module from a Batch to ln p of its examples (B,), such as an AutoregressiveModel. engine: the processes
    that take part, by default those of the job. state: where to go on from, by default the beginning. checkpoints:
    where to save it as training goes on, and when it ends. stop: asked before each step. on_step, on_validation: called
    with a record of figures. on_best: called with the model to keep whenever the validation nats improve. on_sample:
    called with the averaged model and the step, every `sample_every` steps.

    A keyboard interrupt ends training like patience does. Raises TrainingDiverged on a non-finite loss, naming step,
    batch and module; the weights of the best validation are in the model then, too, and the state before is saved.
    """
    engine = Engine(settings.engine) if engine is None else engine
    state = begin(model, settings, engine) if state is None else state
    objective = objective_of(model, train, settings)
    order = state.pace.waiting(batches(train, settings.batch_size, settings.seed, state.step, engine.share))
    step = Stepper(state.climb, state.trained, objective, state.optimizer, engine, settings)
    interrupted = False
    state.trained.train()
    try:
        while not (state.ended or (interrupted := engine.any(stop()))):
            epoch, batch = next(order)
            rate = settings.learning_rate * trapezoid(state.step, settings.steps, settings.warmup, settings.fall)
            common = in_common(model, state.optimizer, state.step < settings.common_steps)
            with explaining(state, batch, train, objective, settings, checkpoints), common:
                taken = step(batch, rate, state.step + 1)
            state.count(taken)
            figures = {"step": state.step, "epoch": epoch, "learning_rate": rate, **taken.figures()}
            on_step(figures | {taken.kind: taken.nats / taken.examples} | state.pace.record())
            over = state.step == settings.steps
            if over or state.step % settings.evaluate_every == 0:
                record = figures | state.pace.record() | _validate(state.average.model, valid, engine)
                better = state.validated(record | {"seconds": state.seconds})
                on_validation(state.records[-1])
                if better:
                    on_best(state.average.model)
                state.ended = "patience" if state.without_better >= settings.patience else "steps" if over else ""
            if settings.sample_every and state.step % settings.sample_every == 0:
                on_sample(state.average.model, state.step)
            if checkpoints is not None and engine.any(checkpoints.due(state.step)):
                save_finite(state, checkpoints)
        if checkpoints is not None:
            save_finite(state, checkpoints)
    except KeyboardInterrupt:
        interrupted = True
    finally:
        model.load_state_dict(state.kept)
        model.eval()
    ended = "interrupt" if interrupted else state.ended
    return Fit(state.best_step, state.best_valid_nats, ended, state.step, state.seconds, state.records)


def objective_of(model: nn.Module, train: Examples, settings: TrainingSettings) -> Objective:
    """The objective that the settings name; a prior is divided by the count of an epoch of the training data."""
    if settings.prior is None:
        return Objective(settings.normalisation)
    prior = Prior(settings.prior)
    prior.widths(model)
    return Objective(settings.normalisation, prior, data_count(train.epoch(settings.seed, 0), settings.normalisation))


def _validate(model: nn.Module, valid: Examples, engine: Engine) -> Record:
    likelihood = engine.evaluate(model, valid).likelihood
    return {
        "valid_nats_per_example": likelihood.nats_per_example.value,
        "valid_nats_per_example_se": likelihood.nats_per_example.standard_error,
        "valid_bits_per_dim": likelihood.bits_per_dim.value,
    }
