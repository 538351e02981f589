"""The training part of `chainrule fit`: from a checkpoint if there is one, watched, saved, and ended in order."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from time import monotonic

from torch.nn import Module

from chainrule.data.encodings.data_set import DataSet
from chainrule.errors import Interrupted
from chainrule.models.base import Model
from chainrule.reporting.console import Console, training_line
from chainrule.reporting.loggers import Logger, TensorBoard
from chainrule.runs.illustrate import write_samples
from chainrule.runs.run import Run
from chainrule.training.allocation import keep_freed_memory
from chainrule.training.checkpoint import Checkpoints
from chainrule.training.engine import Engine
from chainrule.training.fit import Callbacks, TrainingResult, begin, fit
from chainrule.training.interruption import interruptible
from chainrule.training.settings import TrainingSettings
from chainrule.training.state import StepMetrics, TrainingState

__all__ = ["train"]

SHOWN = 0.2  # seconds between two looks at the figures


def train(
    model: Model,
    data: DataSet,
    settings: TrainingSettings,
    run: Run,
    console: Console,
    *,
    resume: bool,
    tensorboard: bool,
    engine: Engine,
) -> TrainingResult:
    """Train, or go on with training, in every process; the first writes. Raises Interrupted after a signal."""
    keep_freed_memory()
    place = run.directory / "checkpoints"
    checkpoints = Checkpoints(
        place, run.identity, settings.keep, settings.checkpoint_every, console.print, engine.first
    )
    state = begin(model, settings, engine)
    if resume:
        step = checkpoints.restore(state)
        console.print(f"going on from step {step}" if step else "there is no checkpoint; starting at the beginning")
    with (
        _loggers(run, state, tensorboard, engine.first) as loggers,
        _line(state, settings, console) as show,
        interruptible() as stop,
    ):

        def on_validation(record: StepMetrics) -> None:
            show(record)
            for logger in loggers:
                logger.log(record)

        def sample(averaged: Module, step: int) -> None:
            write_samples(run, averaged, data, f"samples-step-{step}")

        callbacks = Callbacks(
            stop=stop,
            on_step=show,
            on_validation=on_validation,
            on_best=run.save_model if engine.first else lambda averaged: None,
            on_sample=sample if engine.first else lambda averaged, step: None,
        )
        fitted = fit(model, data.train, data.valid, settings, state=state, checkpoints=checkpoints, callbacks=callbacks)
    if fitted.stopped == "interrupt":
        saved = (
            f"step {checkpoints.saved_step} is saved" if stop() else f"the last saved step is {checkpoints.saved_step}"
        )
        command = f"chainrule fit --resume --out {run.path}"
        raise Interrupted(f"interrupted at step {fitted.steps}; {saved}; go on with: {command}", stop.exit_code)
    return fitted


@contextmanager
def _loggers(run: Run, state: TrainingState, tensorboard: bool, writes: bool) -> Iterator[list[Logger]]:
    """Who is told of the validations."""
    loggers: list[Logger] = [run.logger(state.validations)] if writes else []
    if tensorboard and writes:
        loggers.append(TensorBoard(run.directory / "tensorboard", state.step))
    with ExitStack() as closing:
        for logger in loggers:
            closing.callback(logger.close)
        yield loggers


@contextmanager
def _line(
    state: TrainingState, settings: TrainingSettings, console: Console
) -> Iterator[Callable[[StepMetrics], None]]:
    """What a person sees: a line that moves, or, where nothing can move, one a validation."""
    with console.progress("training", settings.steps) as update:
        update(state.step)
        shown, then, valid = state.step, 0.0, ""

        def show(record: StepMetrics) -> None:
            nonlocal shown, then, valid
            if "valid_nats_per_example" in record:
                valid = f", valid {record['valid_nats_per_example']:.2f} = {record['valid_bits_per_dim']:.3f} bits/dim"
                console.milestone(f"step {record['step']} of {settings.steps}: {training_line(record)}{valid}")
            elif monotonic() - then > SHOWN:
                update(record["step"] - shown, training_line(record) + valid)
                shown, then = record["step"], monotonic()

        yield show
