"""`chainrule fit`: data in, a run directory with a trained model and its exact log-likelihood out."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import torch

from chainrule.config.registry import Spec, build_model
from chainrule.data.encodings.data_set import DataSet
from chainrule.data.examples.base import Examples
from chainrule.data.examples.in_batches import in_batches
from chainrule.models.base import Model
from chainrule.reporting.console import Console
from chainrule.reporting.tables import figure_tables
from chainrule.reporting.visible import bold
from chainrule.runs.figures import evaluated, figures, scored_in_part
from chainrule.runs.illustrate import illustrate
from chainrule.runs.new import configuration_of, free_place
from chainrule.runs.run import Run
from chainrule.runs.train import train
from chainrule.runs.verify import stop_at_a_leak
from chainrule.training.budget import Budget, measured, planned
from chainrule.training.engine import Engine
from chainrule.training.fit import training_forward
from chainrule.training.microbatch import largest_microbatch
from chainrule.training.precision import resolved
from chainrule.training.settings import TrainingSettings

__all__ = ["fit_run", "placed", "prepared"]

MOST_TO_START = 1 << 16  # rows of a table from which its units are taken


def fit_run(
    data: DataSet,
    spec: Spec,
    settings: TrainingSettings,
    out: Path | None,
    console: Console,
    *,
    resume: bool = False,
    tensorboard: bool = False,
    asked: dict[str, Any] | None = None,
    budget: Budget | None = None,
    engine: Engine | None = None,
) -> Run:
    """Train, evaluate, draw: everything that a run directory holds.

    resume: go on where the run at `out` stands. asked: data and options as the user gave them, for `--resume`. budget:
    the time from which the number of steps is planned. engine: the processes of a job that does more than this run.
    """
    alone, engine = engine is None, engine or Engine(settings.engine)
    model, settings = prepared(data, spec, settings, engine, console, budget)
    run = placed(data, spec, settings, out, engine, resume, asked)
    if engine.first:
        with run.writing():
            _fill(run, model, data, spec, settings, console, resume, tensorboard, engine)
    else:
        train(model, data, settings, run, Console(silent=True), resume=resume, tensorboard=False, engine=engine)
        evaluated(model, data, engine)
    if alone:
        engine.close()
    return run


def prepared(
    data: DataSet, spec: Spec, settings: TrainingSettings, engine: Engine, console: Console, budget: Budget | None
) -> tuple[Model, TrainingSettings]:
    """The model before its first step, and the settings with all that is found by trial made plain numbers.

    What does not fit together is refused here, before anything is written.
    """
    torch.manual_seed(settings.seed)
    model = build_model(spec, data.encoding.domain, data.encoding.context_options)
    for chain in model.chains:
        if data.encoding.group == "row":
            chain.initialise(data.train.batch(np.arange(min(len(data.train), MOST_TO_START))).x)
        elif chain.head.needs_counts:
            chain.head.initialise(_symbols(data.train))
    model.to(engine.device)
    precision = engine.of_first(lambda: resolved(settings.precision, engine.device.type))
    settings = dataclasses.replace(settings, precision=precision)
    if not model.has_conditionals or settings.common_start:
        training_forward(model, settings)  # refuses what needs the network and the head apart, or several orders
    settings = _with_microbatch(settings, model, data, engine, console)
    stop_at_a_leak(model)
    with torch.no_grad():
        model(data.train.epoch(settings.seed, 0).batch(np.arange(1)).to(engine.device))
    if budget is not None:
        settings = _within(budget, settings, model, data, engine, console)
    bounded = settings.bounded(len(data.train))
    if budget is not None and bounded.steps < settings.steps:
        console.print(f"at most {settings.epochs:g} passes over the data, which are {bounded.steps} steps (--epochs)")
    return model, bounded


def placed(
    data: DataSet,
    spec: Spec,
    settings: TrainingSettings,
    out: Path | None,
    engine: Engine,
    resume: bool,
    asked: dict[str, Any] | None,
) -> Run:
    """The run directory with its configuration: new, or the one to go on with."""
    training = dataclasses.asdict(settings)
    configuration = configuration_of(data, spec, training) | ({"asked": asked} if asked else {})
    make = Run.resume if resume else Run.create
    return engine.of_first(lambda: make(out or free_place(data.name), configuration))


def _fill(
    run: Run,
    model: Model,
    data: DataSet,
    spec: Spec,
    settings: TrainingSettings,
    console: Console,
    resume: bool,
    tensorboard: bool,
    engine: Engine,
) -> None:
    """Everything in the run directory but the configuration."""
    if changed := run.changed_versions():
        console.print(f"not as this run was begun: {changed}; the end may differ in the last bits")
    console.print(bold(data.name), f": {data.note}")
    repeated = data.duplicates()
    if repeated is not None and repeated[0]:
        console.print(f"of the {repeated[1]} test examples {repeated[0]} stand in train, too")
    console.print(_describe(spec, model))
    if (partly := scored_in_part(data)) is not None:
        console.print(partly)
    fitted = train(model, data, settings, run, console, resume=resume, tensorboard=tensorboard, engine=engine)
    console.print(
        f"kept step {fitted.best_step} of {fitted.steps} "
        f"(ended by {fitted.stopped}, {fitted.seconds:.0f} s of training and validation)"
    )
    report = {
        "kept_step": fitted.best_step,
        "steps": fitted.steps,
        "stopped": fitted.stopped,
        "seconds": fitted.seconds,
        "test_examples_in_train": None if repeated is None else repeated[0],
    }
    report |= figures(model, data, engine).to_json()
    for table in figure_tables(report):
        console.print(table)
    run.write_report(report)
    console.print(f"pictures and samples: {', '.join(illustrate(run, model, data, fitted, report)) or 'none'}")
    console.print("run directory: ", bold(run.name))
    console.result({"run": str(run.path)} | report)


def _symbols(train: Examples) -> torch.Tensor:
    """The elements of the training data that count, of rows evenly apart where they are many."""
    rows = np.arange(0, len(train), -(-len(train) // MOST_TO_START))
    return torch.cat([batch.x[batch.mask] for _, batch in in_batches(train, 1024, rows)])


def _with_microbatch(
    settings: TrainingSettings, model: Model, data: DataSet, engine: Engine, console: Console
) -> TrainingSettings:
    """The settings with `microbatch="auto"` made a number, the smallest that any process finds."""
    if settings.microbatch != "auto":
        return settings
    climb = training_forward(model, settings)
    size = largest_microbatch(climb, data.train.epoch(settings.seed, 0), settings.batch_size, engine.world)
    size = engine.smallest(size)
    if engine.first:
        console.print(f"microbatch: {size} of {settings.batch_size} examples fit into memory at once")
    return dataclasses.replace(settings, microbatch=size)


def _within(
    budget: Budget,
    settings: TrainingSettings,
    model: Model,
    data: DataSet,
    engine: Engine,
    console: Console,
) -> TrainingSettings:
    """The settings with as many steps as fit the time, which all processes agree on."""
    speed = measured(model, data.train, data.valid, settings, engine, budget)
    steps, every = planned(budget, speed)
    if engine.first:
        console.print(
            f"budget: {steps} steps of {speed.step:.2g} s, validated every {every} in {speed.validation:.2g} s, "
            f"fit into {budget.minutes:.3g} minutes at the speed of the start"
        )
    return dataclasses.replace(settings, steps=steps, evaluate_every=every)


def _describe(spec: Spec, model: Model) -> str:
    count = sum(parameter.numel() for parameter in model.parameters())
    network, head = (
        f"{spec[part]['name']}({', '.join(f'{k}={v}' for k, v in spec[part].items() if k != 'name')})"
        for part in ("network", "head")
    )
    return f"{network} + {head}: {count:,} parameters, {model.describe()}"
