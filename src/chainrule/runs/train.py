"""The training part of `fit`: from a checkpoint if there is one, with progress, logs, samples and an orderly end."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from time import monotonic

from torch.nn import Module

from chainrule.errors import Interrupted
from chainrule.models.base import Model
from chainrule.reporting.console import Console, training_line
from chainrule.reporting.loggers import Logger, TensorBoard
from chainrule.runs.illustrate import write_samples
from chainrule.runs.job import Job
from chainrule.runs.plan import Plan
from chainrule.runs.run import Run
from chainrule.training.allocation import keep_freed_memory
from chainrule.training.checkpoint import Checkpoints
from chainrule.training.fit import Callbacks, TrainingResult, begin, fit
from chainrule.training.interruption import Interruption, interruptible
from chainrule.training.settings import TrainingSettings
from chainrule.training.state import StepMetrics, TrainingState

__all__ = ["train"]

SHOWN = 0.2  # seconds between two updates of the progress bar


def train(run: Run, model: Model, plan: Plan, job: Job) -> TrainingResult:
    """Train, or continue training, in every process; the first writes. Raises Interrupted after a signal."""
    keep_freed_memory()
    settings, writes = plan.settings, job.engine.first
    checkpoints = _checkpoints(run, settings, job)
    state = begin(model, settings, job.engine)
    if job.resume and checkpoints is not None:
        step = checkpoints.restore(state)
        job.console.print(f"going on from step {step}" if step else "there is no checkpoint; starting at the beginning")
    with (
        _loggers(run, state, job) as loggers,
        _line(state, settings, job.console) as show,
        _stopping() as stop,
    ):

        def on_validation(metrics: StepMetrics) -> None:
            show(metrics)
            for logger in loggers:
                logger.log(metrics)

        def sample(averaged: Module, step: int) -> None:
            write_samples(run, averaged, plan.data, f"samples-step-{step}")

        callbacks = Callbacks(
            stop=stop,
            on_step=show,
            on_validation=on_validation,
            on_best=run.save_model if writes else lambda averaged: None,
            on_sample=sample if writes else lambda averaged, step: None,
        )
        train, valid = plan.data.train, plan.data.valid
        fitted = fit(model, train, valid, settings, state=state, checkpoints=checkpoints, callbacks=callbacks)
    if fitted.stopped == "interrupt":
        raise Interrupted(_interrupted(run, fitted, checkpoints, stop()), stop.exit_code)
    return fitted


def _stopping() -> AbstractContextManager[Interruption]:
    """Whether Ctrl-C or SIGTERM came; in a thread, which cannot be told, it never did."""
    in_main_thread = threading.current_thread() is threading.main_thread()
    return interruptible() if in_main_thread else nullcontext(Interruption())


def _checkpoints(run: Run, settings: TrainingSettings, job: Job) -> Checkpoints | None:
    """Where training stands is saved; None for a run in memory."""
    if run.path is None:
        return None
    every, say = settings.checkpoint_every, job.console.print
    return Checkpoints(run.path / "checkpoints", run.identity, settings.keep, every, say, job.engine.first)


def _interrupted(run: Run, fitted: TrainingResult, checkpoints: Checkpoints | None, by_signal: bool) -> str:
    """What is saved of a training that was interrupted, and how to continue it."""
    if checkpoints is None:
        return (
            f"interrupted at step {fitted.steps}; this run is in memory: nothing is saved; give out= to have it saved"
        )
    step = checkpoints.saved_step
    saved = f"step {step} is saved" if by_signal else f"the last saved step is {step}"
    return f"interrupted at step {fitted.steps}; {saved}; go on with: chainrule fit --resume --out {run.path}"


@contextmanager
def _loggers(run: Run, state: TrainingState, job: Job) -> Iterator[list[Logger]]:
    """What takes in the metrics of each validation."""
    loggers: list[Logger] = [run.logger(state.validations)] if job.engine.first else []
    if job.tensorboard and job.engine.first:
        loggers.append(TensorBoard(run.directory / "tensorboard", state.step))
    with ExitStack() as closing:
        for logger in loggers:
            closing.callback(logger.close)
        yield loggers


@contextmanager
def _line(
    state: TrainingState, settings: TrainingSettings, console: Console
) -> Iterator[Callable[[StepMetrics], None]]:
    """What a person sees: a progress bar, or, where the output is not a terminal, one line per validation."""
    with console.progress("training", settings.steps) as update:
        update(state.step)
        shown, then, valid = state.step, 0.0, ""

        def show(metrics: StepMetrics) -> None:
            nonlocal shown, then, valid
            if "valid_nats_per_example" in metrics:
                valid = (
                    f", valid {metrics['valid_nats_per_example']:.2f} = {metrics['valid_bits_per_dim']:.3f} bits/dim"
                )
                console.milestone(f"step {metrics['step']} of {settings.steps}: {training_line(metrics)}{valid}")
            elif monotonic() - then > SHOWN:
                update(metrics["step"] - shown, training_line(metrics) + valid)
                shown, then = metrics["step"], monotonic()

        yield show
