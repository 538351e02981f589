"""`chainrule fit`: data in, a run directory with a trained model and its exact log-likelihood out."""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path
from typing import Any

import numpy as np
import torch

from chainrule.baselines.compressors import MOST, code_lengths
from chainrule.baselines.fitted import fit_baselines
from chainrule.commands.illustrate import illustrate
from chainrule.commands.train import train
from chainrule.commands.verify import stop_at_a_leak
from chainrule.config import Spec, build_model, over_orders
from chainrule.data.base import DataSet, Examples
from chainrule.data.conditions import context_options
from chainrule.data.documents import DocumentEncoding
from chainrule.data.duplicates import duplicates
from chainrule.data.subset import elements_of, spread
from chainrule.data.text import TextEncoding
from chainrule.defaults import kind_of
from chainrule.evaluation import evaluate
from chainrule.likelihood import LogLikelihood, Protocol
from chainrule.ordering import Density, OrderEnsemble
from chainrule.report.console import Console
from chainrule.report.tables import baseline_table, result_table
from chainrule.run import Run
from chainrule.training.budget import Budget, measured, planned
from chainrule.training.engine import Engine
from chainrule.training.fit import climb_of
from chainrule.training.microbatch import largest_microbatch
from chainrule.training.settings import TrainingSettings

__all__ = ["evaluated", "fit_run", "placed", "prepared", "protocol_of"]

SPLITS = ("train", "valid", "test")
ENOUGH = 1 << 20  # elements of training data that are scored, or more where the test split has more examples
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
) -> tuple[Density, TrainingSettings]:
    """The model before its first step, and the settings with all that is found by trial made plain numbers.

    What does not fit together is refused here, before anything is written.
    """
    torch.manual_seed(settings.seed)
    chain = build_model(spec, data.encoding.domain, context_options(data.encoding))
    if kind_of(data.encoding.domain, data.encoding.kind) == "row":
        chain.initialise(data.train.batch(np.arange(min(len(data.train), MOST_TO_START))).x)
    elif hasattr(chain.head, "counted"):  # laid out by how often symbols occur
        chain.head.initialise(_symbols(data.train))
    model = over_orders(chain, spec)
    model.to(engine.device)
    if isinstance(model, OrderEnsemble):
        climb_of(model, settings)  # refuses what needs the network and the head apart
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
    configuration = _configuration(data, spec, settings) | ({"asked": asked} if asked else {})
    make = Run.resume if resume else Run.create
    return engine.of_first(lambda: make(out or _free_place(data.name), configuration))


def _fill(
    run: Run,
    model: Density,
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
    console.print(f"[bold]{data.name}[/]: {data.note}")
    repeated = duplicates(data)
    if repeated is not None and repeated[0]:
        console.print(f"of the {repeated[1]} test examples {repeated[0]} stand in train, too")
    console.print(_describe(spec, model))
    if len(some := scored_splits(data)["train"]) < len(data.train):
        console.print(f"of train {len(some):,} of {len(data.train):,} rows are scored at the end, evenly apart")
    baselines = fit_baselines(data)
    baseline = _scored(baselines, data)
    fitted = train(model, data, settings, run, console, resume=resume, tensorboard=tensorboard, engine=engine)
    console.print(
        f"kept step {fitted.best_step} of {fitted.steps} "
        f"(ended by {fitted.stopped}, {fitted.seconds:.0f} s of training and validation)"
    )
    results = evaluated(model, data, engine)
    console.print(result_table(results, baseline))
    beside = _beside(baselines, data, results["test"])
    if beside:
        console.print(baseline_table(results["test"], beside))
    report = {
        "kept_step": fitted.best_step,
        "steps": fitted.steps,
        "stopped": fitted.stopped,
        "seconds": fitted.seconds,
        "test_examples_in_train": None if repeated is None else repeated[0],
        "results": {split: likelihood.to_json() for split, likelihood in results.items()},
        "baselines": beside,
        "independent_elements": {split: likelihood.to_json() for split, likelihood in baseline.items()},
    }
    run.write_report(report)
    console.print(f"pictures and samples: {', '.join(illustrate(run, model, data, fitted, baseline)) or 'none'}")
    console.print(f"run directory: [bold]{run.path}[/]")
    console.result({"run": str(run.path)} | report)


def _symbols(train: Examples) -> torch.Tensor:
    """The elements of the training data that count, of rows evenly apart where they are many."""
    rows = np.arange(0, len(train), -(-len(train) // MOST_TO_START))
    batches = [train.batch(rows[start : start + 1024]) for start in range(0, len(rows), 1024)]
    return torch.cat([batch.x[batch.mask] for batch in batches])


def _with_microbatch(
    settings: TrainingSettings, model: Density, data: DataSet, engine: Engine, console: Console
) -> TrainingSettings:
    """The settings with `microbatch="auto"` made a number, the smallest that any process finds."""
    if settings.microbatch != "auto":
        return settings
    climb = climb_of(model, settings)
    size = largest_microbatch(climb, data.train.epoch(settings.seed, 0), settings.batch_size, engine.world)
    size = engine.smallest(size)
    if engine.first:
        console.print(f"microbatch: {size} of {settings.batch_size} examples fit into memory at once")
    return dataclasses.replace(settings, microbatch=size)


def _within(
    budget: Budget,
    settings: TrainingSettings,
    model: Density,
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


def evaluated(model: Density, data: DataSet, engine: Engine) -> dict[str, LogLikelihood]:
    """The kept weights on every split, each process scoring its part."""
    protocol = protocol_of(data)
    splits = scored_splits(data)
    return {split: engine.evaluate(model, part, protocol=protocol).likelihood for split, part in splits.items()}


def scored_splits(data: DataSet) -> dict[str, Examples]:
    """The splits, of much training data a part: `ENOUGH` elements, or as many examples as test has if they are more."""
    (count, elements), (tested, _) = elements_of(data.train), elements_of(data.test)
    enough = count if elements <= ENOUGH else max(tested, -(-count * ENOUGH // elements))
    return {"train": spread(data.train, enough), "valid": data.valid, "test": data.test}


def protocol_of(data: DataSet) -> Protocol:
    """How the examples of a data set are scored."""
    protocol: Protocol = getattr(data.encoding, "protocol", Protocol())
    return protocol


def _free_place(name: str) -> Path:
    """runs/NAME-1, or the next number that is free."""
    stem = Path(name).stem
    return next(p for k in range(1, 10_000) if not (p := Path("runs") / f"{stem}-{k}").exists())


def _configuration(data: DataSet, spec: Spec, settings: TrainingSettings) -> dict[str, Any]:
    described = {
        "name": data.name,
        "options": data.options,
        "encoding": data.encoding.to_json(),
        "note": data.note,
        "sha256": data.digest(),
        "splits": {s: {"examples": len(data.split(s)), "sha256": data.split(s).digest()} for s in SPLITS},
    }
    return {
        "data": described,
        "protocol": dataclasses.asdict(protocol_of(data)),
        "model": spec,
        "training": dataclasses.asdict(settings),
    }


def _describe(spec: Spec, model: Density) -> str:
    count = sum(parameter.numel() for parameter in model.parameters())
    network, head = (
        f"{spec[part]['name']}({', '.join(f'{k}={v}' for k, v in spec[part].items() if k != 'name')})"
        for part in ("network", "head")
    )
    if isinstance(model, OrderEnsemble):
        return f"{network} + {head}: {count:,} parameters, orders averaged over: {len(model.orders)}"
    sees = f"sees {min(model.network.receptive_field, model.network.length - 1)} of {model.network.length - 1} elements"
    return f"{network} + {head}: {count:,} parameters, {sees}"


def _scored(baselines: dict[str, torch.nn.Module], data: DataSet) -> dict[str, LogLikelihood]:
    """Independent elements on every split."""
    model = baselines.get("independent elements")
    if model is None:
        return {}
    protocol = protocol_of(data)
    return {split: evaluate(model, part, protocol=protocol).likelihood for split, part in scored_splits(data).items()}


def _beside(baselines: dict[str, torch.nn.Module], data: DataSet, model: LogLikelihood) -> dict[str, dict[str, Any]]:
    """Every baseline on the test split, and how it was had: static, or adaptive where it learns while it scores."""
    record: dict[str, dict[str, Any]] = {}
    for name, module in baselines.items():
        likelihood = evaluate(module, data.test, protocol=protocol_of(data)).likelihood
        record[name] = {"how": "static"} | likelihood.to_json()
    if isinstance(data.encoding, TextEncoding | DocumentEncoding) and model.bytes <= MOST:
        train, test = (data.encoding.raw(data.split(split), most=MOST) for split in ("train", "test"))
        for name, nats in code_lengths(train, test).items():
            bits = nats / math.log(2)
            record[name] = {"how": "adaptive", "nats_per_example": nats / model.examples} | {
                "nats_per_element": nats / model.elements,
                "bits_per_dim": bits / model.dims,
                "bits_per_byte": bits / len(test),
            }
    return record
