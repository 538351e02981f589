"""The training loop: maximise the exact log-likelihood, watch the validation nats, keep the best weights."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from chainrule.data.examples.base import Examples
from chainrule.errors import InputError
from chainrule.models.base import as_model
from chainrule.training.batches import batches, data_count
from chainrule.training.checkpoint import Checkpoints
from chainrule.training.common_start import check_common_start, common_step, copy_first_to_all
from chainrule.training.divergence import diagnosing_divergence, save_if_finite
from chainrule.training.ema import WeightEMA
from chainrule.training.engine import Engine
from chainrule.training.forward import TrainingForward
from chainrule.training.objective import Objective
from chainrule.training.optimizers import optimizer_of
from chainrule.training.precision import Precision
from chainrule.training.priors import Prior
from chainrule.training.regularisers import Regularisers
from chainrule.training.schedule import Course, trapezoid
from chainrule.training.schedule_free import ScheduleFree
from chainrule.training.settings import TrainingSettings
from chainrule.training.state import StepMetrics, TrainingState
from chainrule.training.step import Stepper
from chainrule.training.timekeeper import Timekeeper

__all__ = ["Callbacks", "TrainingResult", "begin", "fit", "objective_of", "training_forward"]


@dataclass(frozen=True)
class TrainingResult:
    """The end of a training run.

    best_step: optimizer step of the kept weights: the last where there is no validation.
    best_valid_nats: their validation loss, nats per example; infinite where there is none.
    stopped: why training ended: "steps", "patience" or "interrupt".
    steps: optimizer steps taken.
    seconds: duration of training and validation, in all processes that took part.
    validations: the metrics of each validation, in order.
    """

    best_step: int
    best_valid_nats: float
    stopped: str
    steps: int
    seconds: float
    validations: list[StepMetrics]

    @classmethod
    def of(cls, state: TrainingState, interrupted: bool) -> TrainingResult:
        """The result of training that ended in a state, by an interrupt or not."""
        stopped = "interrupt" if interrupted else state.ended
        return cls(state.best_step, state.best_valid_nats, stopped, state.step, state.seconds, state.validations)


@dataclass(frozen=True)
class Callbacks:
    """What is called while training goes on.

    stop: asked before each step; True ends training as an interrupt does.
    on_step: called after each step, with its metrics.
    on_validation: called after each validation, with its metrics.
    on_best: called with the model to keep whenever the validation nats improve.
    on_sample: called with the averaged model and the step, every `sample_every` steps.
    """

    stop: Callable[[], bool] = lambda: False
    on_step: Callable[[StepMetrics], Any] = lambda metrics: None
    on_validation: Callable[[StepMetrics], Any] = lambda metrics: None
    on_best: Callable[[nn.Module], Any] = lambda model: None
    on_sample: Callable[[nn.Module, int], Any] = lambda model, step: None


def begin(model: nn.Module, settings: TrainingSettings, engine: Engine | None = None) -> TrainingState:
    """The state of training before the first step; sets torch's seed.

    model: the model to train, which is moved in place.
    settings: how it is trained.
    engine: the processes that take part, by default those of the job.
    """
    torch.manual_seed(settings.seed)
    engine = engine or Engine(settings.engine)
    forward = training_forward(model, settings)
    trained = engine.trained(forward)
    optimizer = optimizer_of(
        settings.optimizer, trained, settings.learning_rate, settings.weight_decay, half=forward.precision.half
    )
    if settings.common_start:
        copy_first_to_all(as_model(model), optimizer)
    averaged = optimizer.averaged if isinstance(optimizer, ScheduleFree) else None
    ema = WeightEMA(model, settings.ema, averaged)
    return TrainingState(model, ema, optimizer, forward, trained, engine)


def training_forward(model: nn.Module, settings: TrainingSettings) -> TrainingForward:
    """The model as training sees it under these settings; its weights get the type in which they are trained.

    Raises InputError for a model of each order under fsdp: processes that train different chains at once would gather
    each other's weights.
    """
    if settings.engine == "fsdp" and len(as_model(model).chains) > 1:
        raise InputError(
            "fsdp shards one chain, and here every process trains the chain of an order of its own; use --engine ddp"
        )
    if settings.common_start:
        check_common_start(model)
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
    state: TrainingState | None = None,
    checkpoints: Checkpoints | None = None,
    callbacks: Callbacks | None = None,
    keeper: Timekeeper | None = None,
) -> TrainingResult:
    """Train the model in place; afterwards it holds the weights of the best validation (their EMA, if one is kept).

    Without validation examples it holds the weights of the last step, and nothing ends training before that.

    model: a module from a Batch to ln p of its examples, shape (B,), such as an AutoregressiveModel.
    train: the training examples.
    valid: the validation examples, perhaps none.
    settings: how long, how fast, how regular.
    state: the state to go on from, by default that before the first step.
    checkpoints: where the state is saved while training goes on and when it ends, by default nowhere.
    callbacks: what is called while training goes on.
    keeper: what decides how many steps there are while training runs, by default those of the settings.

    A keyboard interrupt ends training as patience does. Raises TrainingDiverged when the loss is NaN or infinite, with
    step, batch and module; the model then holds the weights of the best validation, too, and the last state is saved.
    """
    callbacks = callbacks or Callbacks()
    state = begin(model, settings) if state is None else state
    objective = objective_of(model, train, settings)
    upcoming = batches(train, settings.batch_size, settings.seed, state.step, state.engine.share)
    upcoming = state.throughput.waiting(upcoming)
    step = Stepper(state.forward, state.trained, objective, state.optimizer, state.engine, settings)
    keeper = keeper or Timekeeper(Course(settings.steps, settings.evaluate_every), engine=state.engine)
    keeper.go_on(state.step)
    interrupted = False
    state.trained.train()
    try:
        keeper.look(state.step)
        while not (state.ended or (interrupted := state.engine.any(callbacks.stop()))):
            epoch, batch = next(upcoming)
            course, place = keeper.course, keeper.course.position(state.step)
            rate = settings.learning_rate * trapezoid(place, course.steps, settings.warmup, settings.fall)
            common = common_step(model, state.optimizer, place < round(settings.common_start * course.steps))
            with diagnosing_divergence(state, batch, train, objective, settings, checkpoints), common:
                result = step(batch, rate, state.step + 1)
            state.count(result)
            metrics = {"step": state.step, "epoch": epoch, "learning_rate": rate, **result.metrics()}
            callbacks.on_step(metrics | {result.nats_name: result.nats / result.examples} | state.throughput.metrics())
            keeper.look(state.step)
            _look(state, metrics, valid, settings, callbacks, keeper)
            if checkpoints is not None and state.engine.any(checkpoints.due(state.step)):
                save_if_finite(state, checkpoints)
        if checkpoints is not None:
            save_if_finite(state, checkpoints)
    except KeyboardInterrupt:
        interrupted = True
    finally:
        model.load_state_dict(state.kept)
        model.eval()
    return TrainingResult.of(state, interrupted)


def _look(
    state: TrainingState,
    metrics: StepMetrics,
    valid: Examples,
    settings: TrainingSettings,
    callbacks: Callbacks,
    keeper: Timekeeper,
) -> None:
    """After a step, validate and draw samples when it is time for them."""
    before = state.validations[-1]["step"] if state.validations else 0
    last = state.step >= keeper.course.steps
    if last or state.step - before >= keeper.course.evaluate_every:
        with keeper.validating():
            _validate(state, metrics, valid, callbacks)
        if state.validations_since_best >= settings.patience:
            state.ended = "patience"
        elif last:
            state.ended = "steps"
    if settings.sample_every and state.step % settings.sample_every == 0:
        callbacks.on_sample(state.ema.model, state.step)


def _validate(state: TrainingState, metrics: StepMetrics, valid: Examples, callbacks: Callbacks) -> None:
    """Evaluate the averaged weights, and keep them if they are the best so far.

    Without validation examples the newest weights are kept.
    """
    metrics = metrics | state.throughput.metrics()
    metrics |= _valid_metrics(state.ema.model, valid, state.engine) if len(valid) else {}
    best = state.add_validation(metrics | {"seconds": state.seconds})
    callbacks.on_validation(state.validations[-1])
    if best:
        callbacks.on_best(state.ema.model)


def objective_of(model: nn.Module, train: Examples, settings: TrainingSettings) -> Objective:
    """The objective that the settings name; a prior is divided by the count of an epoch of the training data."""
    if settings.prior is None:
        return Objective(settings.normalisation)
    prior = Prior(settings.prior)
    prior.widths(model)
    return Objective(settings.normalisation, prior, data_count(train.epoch(settings.seed, 0), settings.normalisation))


def _valid_metrics(model: nn.Module, valid: Examples, engine: Engine) -> StepMetrics:
    likelihood = engine.evaluate(model, valid).likelihood
    return {
        "valid_nats_per_example": likelihood.nats_per_example.value,
        "valid_nats_per_example_se": likelihood.nats_per_example.standard_error,
        "valid_bits_per_dim": likelihood.bits_per_dim.value,
    }
