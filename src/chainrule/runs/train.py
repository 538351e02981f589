"""The training part of `fit`: from a checkpoint if there is one, with progress, logs, samples and an orderly end."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from math import inf
from time import monotonic, perf_counter

from torch.nn import Module

from chainrule.data.examples.subset import spread
from chainrule.errors import Interrupted
from chainrule.models.base import Model
from chainrule.reporting.console import Console, training_line
from chainrule.reporting.loggers import Logger, TensorBoard
from chainrule.runs.illustrate import write_samples
from chainrule.runs.job import Job
from chainrule.runs.part_time import PartTime, time_of
from chainrule.runs.plan import Plan
from chainrule.runs.run import Run
from chainrule.runs.verify import refuse_if_failed
from chainrule.runs.weights import load_weights, weights_bytes
from chainrule.training.allocation import keep_freed_memory
from chainrule.training.allowance import Allowance
from chainrule.training.checkpoint import Checkpoints
from chainrule.training.fit import Callbacks, TrainingResult, begin, fit
from chainrule.training.fitted import fit_parts, fitting_of
from chainrule.training.interruption import Interruption, interruptible
from chainrule.training.schedule import Course
from chainrule.training.settings import TrainingSettings
from chainrule.training.state import StepMetrics, TrainingState
from chainrule.training.timekeeper import Timekeeper
from chainrule.verification.certificate.verify import verify as verify_model

__all__ = ["train"]


SHOWN = 0.2  # seconds between two updates of the progress bar


def train(run: Run, model: Model, plan: Plan, job: Job, certified: bool = False) -> TrainingResult:
    """Train or fit, or continue it, in every process; the first writes. Raises Interrupted after a signal.

    run: where it is kept.
    model: the model before its first step.
    plan: its plan.
    job: how it is carried out.
    certified: whether a model that is fitted without gradients, which has weights only then, is known to be sound.
    """
    if not model.fitted_by_gradients:
        return _fit(run, model, plan, job, certified)
    keep_freed_memory()
    settings, writes = plan.settings, job.engine.first
    checkpoints = _checkpoints(run, settings, job)
    state = begin(model, settings, job.engine)
    if job.resume and checkpoints is not None:
        step = checkpoints.restore(state)
        job.console.print(f"going on from step {step}" if step else "there is no checkpoint; starting at the beginning")
    time = time_of(plan, job, state.seconds if state.step else 0.0)
    keeper = _keeper(plan, time, job)
    with (
        _loggers(run, state, job) as loggers,
        _line(state, keeper, job.console) as show,
        _stopping() as stop,
    ):

        def on_validation(metrics: StepMetrics) -> None:
            show(metrics)
            for logger in loggers:
                logger.log(metrics)

        def sample(averaged: Module, step: int) -> None:  # the others wait, however long it takes
            job.engine.of_first(lambda: write_samples(run, averaged, plan.data, f"samples-step-{step}"))

        callbacks = Callbacks(
            stop=stop,
            on_step=show,
            on_validation=on_validation,
            on_best=run.save_model if writes else lambda averaged: None,
            on_sample=sample,
        )
        train, valid = plan.data.train, plan.data.valid
        valid = valid if time.valid_examples is None else spread(valid, time.valid_examples)
        fitted = fit(
            model, train, valid, settings, state=state, checkpoints=checkpoints, callbacks=callbacks, keeper=keeper
        )
    if fitted.stopped == "interrupt":
        raise Interrupted(_interrupted(run, fitted, checkpoints, stop()), stop.exit_code)
    time.close()
    return fitted


def _keeper(plan: Plan, time: PartTime, job: Job) -> Timekeeper:
    """What decides how many steps there are: the record, and the clock where there is a budget."""
    course = Course(plan.settings.steps, plan.settings.evaluate_every)
    if plan.budget is None or time.until is None:
        return Timekeeper(course, job.decisions, job.engine)
    budget = plan.budget
    return Timekeeper(
        course,
        job.decisions,
        job.engine,
        clock=job.clock,
        begun=time.begun,
        end=time.until,
        speed=budget.speed,
        most=budget.most,
        evaluate_every=budget.evaluate_every,
    )


def _fit(run: Run, model: Model, plan: Plan, job: Job, certified: bool) -> TrainingResult:
    """Fit a model without gradients, on the first process, and validate it on all of them."""
    data, settings = plan.data, plan.settings
    checkpoints, time = _checkpoints(run, settings, job), time_of(plan, job)
    begun = perf_counter()

    def fitted() -> bytes:
        allowance = Allowance(job.decisions, job.clock, time.until) if time.until is not None else None
        fitting = fitting_of(model, data.train, data.valid, settings.seed, allowance)
        if job.resume and checkpoints is not None and checkpoints.restore(fitting):
            job.console.print(f"going on from part {fitting.step} of {fitting.parts}")
        with _stopping() as stop, job.console.progress("fitting", fitting.parts) as update:
            update(fitting.step)
            whole = fit_parts(fitting, checkpoints, stop=stop, on_part=lambda step: update(1))
        if not whole:
            interrupted = TrainingResult(0, inf, "interrupt", fitting.step, perf_counter() - begun, [])
            raise Interrupted(_interrupted(run, interrupted, checkpoints, stop()), stop.exit_code)
        return weights_bytes(model)

    load_weights(model, job.engine.of_first(fitted), run.name)
    model.eval()
    time.close()
    spent = perf_counter() - begun
    if not certified:
        with job.clock.aside("certificate"):
            refuse_if_failed(verify_model(model, quick=True))
    steps, nats, valid = data.encoding.domain.length, inf, {}
    if len(plan.watched):
        with job.clock.aside("scoring"):
            nats = job.engine.evaluate(model, plan.watched).likelihood.nats_per_example.value
        valid = {"valid_nats_per_example": nats}
    metrics: StepMetrics = {"step": steps, **valid, "seconds": spent}
    if job.engine.first:
        run.save_model(model)
        run.logger([metrics]).close()
    return TrainingResult(steps, nats, "fitted", steps, spent, [metrics])


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
def _line(state: TrainingState, keeper: Timekeeper, console: Console) -> Iterator[Callable[[StepMetrics], None]]:
    """What a person sees: a progress bar, or, where the output is not a terminal, one line per validation."""
    with console.progress("training", keeper.course.steps) as update:
        update(state.step)
        shown, then, valid = state.step, 0.0, ""

        def show(metrics: StepMetrics) -> None:
            nonlocal shown, then, valid
            if "seconds" in metrics:  # those of a validation, which may have had no examples
                if "valid_nats_per_example" in metrics:
                    nats, bits = metrics["valid_nats_per_example"], metrics["valid_bits_per_dim"]
                    valid = f", valid {nats:.2f} = {bits:.3f} bits/dim"
                console.milestone(f"step {metrics['step']} of {keeper.course.steps}: {training_line(metrics)}{valid}")
            elif monotonic() - then > SHOWN:
                update(metrics["step"] - shown, training_line(metrics) + valid, keeper.course.steps)
                shown, then = metrics["step"], monotonic()

        yield show
