"""`chainrule fit`: data in, a run directory with a trained model and its exact log-likelihood out."""

from __future__ import annotations

import dataclasses
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import torch

from chainrule.baselines.compressors import MOST, code_lengths
from chainrule.baselines.fitted import fit_baselines
from chainrule.commands.verify import stop_at_a_leak
from chainrule.config import Spec, build_model
from chainrule.data.base import DataSet, Writes
from chainrule.data.conditions import context_options
from chainrule.data.documents import DocumentEncoding
from chainrule.data.splits import duplicates
from chainrule.data.text import TextEncoding
from chainrule.errors import InputError
from chainrule.evaluation import evaluate
from chainrule.likelihood import LogLikelihood, Protocol
from chainrule.model import AutoregressiveModel
from chainrule.report.console import Console
from chainrule.report.tables import baseline_table, result_table
from chainrule.run import Run, write_file
from chainrule.training.fit import Fit, Record, fit
from chainrule.training.settings import TrainingSettings

__all__ = ["fit_run", "protocol_of"]

SPLITS = ("train", "valid", "test")
MOST_TO_START = 1 << 16  # rows of a table from which its units are taken


def fit_run(data: DataSet, spec: Spec, settings: TrainingSettings, out: Path | None, console: Console) -> Run:
    """Train, evaluate, draw: everything that a run directory holds."""
    torch.manual_seed(settings.seed)
    model = build_model(spec, data.encoding.domain, context_options(data.encoding))
    if data.encoding.domain.columns:
        model.initialise(data.train.batch(np.arange(min(len(data.train), MOST_TO_START))).x)
    stop_at_a_leak(model)
    with torch.no_grad():  # what does not fit together is refused before anything is written
        model(data.train.epoch(settings.seed, 0).batch(np.arange(1)))
    run = Run.create(out or _free_place(data.name), _configuration(data, spec, settings))
    console.print(f"[bold]{data.name}[/]: {data.note}")
    repeated = duplicates(data)
    if repeated:
        console.print(f"of the {len(data.test)} test examples {repeated} stand in train, too")
    console.print(_describe(spec, model))
    baselines = fit_baselines(data)
    baseline = _scored(baselines, data)
    fitted = _train(model, data, settings, run, console)
    console.print(
        f"kept step {fitted.best_step} of {fitted.steps} "
        f"(ended by {fitted.stopped}, {fitted.seconds:.0f} s of training and validation)"
    )
    results = {split: evaluate(model, data.split(split), protocol=protocol_of(data)).likelihood for split in SPLITS}
    console.print(result_table(results, baseline))
    beside = _beside(baselines, data, results["test"])
    if beside:
        console.print(baseline_table(results["test"], beside))
    report = {
        "kept_step": fitted.best_step,
        "steps": fitted.steps,
        "stopped": fitted.stopped,
        "seconds": fitted.seconds,
        "results": {split: likelihood.to_json() for split, likelihood in results.items()},
        "baselines": beside,
        "independent_elements": {split: likelihood.to_json() for split, likelihood in baseline.items()},
    }
    run.write_report(report)
    console.print(f"pictures and samples: {', '.join(_illustrate(run, model, data, fitted, baseline)) or 'none'}")
    console.print(f"run directory: [bold]{run.path}[/]")
    console.result({"run": str(run.path)} | report)
    return run


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


def _describe(spec: Spec, model: AutoregressiveModel) -> str:
    count = sum(parameter.numel() for parameter in model.parameters())
    network, head = (
        f"{spec[part]['name']}({', '.join(f'{k}={v}' for k, v in spec[part].items() if k != 'name')})"
        for part in ("network", "head")
    )
    sees = f"sees {min(model.network.receptive_field, model.network.length - 1)} of {model.network.length - 1} elements"
    return f"{network} + {head}: {count:,} parameters, {sees}"


def _scored(baselines: dict[str, torch.nn.Module], data: DataSet) -> dict[str, LogLikelihood]:
    """Independent elements on every split."""
    model = baselines.get("independent elements")
    if model is None:
        return {}
    return {split: evaluate(model, data.split(split), protocol=protocol_of(data)).likelihood for split in SPLITS}


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


def _train(model: AutoregressiveModel, data: DataSet, settings: TrainingSettings, run: Run, console: Console) -> Fit:
    valid = ""
    with console.progress("training", settings.steps) as update:

        def on_step(record: Record) -> None:
            if record["step"] % 10 == 0:
                update(10, f"train {record['nats_per_example']:.2f} nats{valid}")

        def on_validation(record: Record) -> None:
            nonlocal valid
            valid = (
                f", valid {record['valid_nats_per_example']:.2f} nats = {record['valid_bits_per_dim']:.3f} bits/dim, "
                f"{record['examples_per_second']:.0f} examples/s"
            )
            run.log(record)

        return fit(
            model,
            data.train,
            data.valid,
            settings,
            on_step=on_step,
            on_validation=on_validation,
            on_best=run.save_model,
        )


def _illustrate(
    run: Run, model: AutoregressiveModel, data: DataSet, fitted: Fit, baseline: dict[str, LogLikelihood]
) -> list[str]:
    """Write pictures and samples into the run directory; the names of the files."""
    written: list[str] = []

    def keep(name: str, content: bytes) -> None:
        write_file(run.path / name, content)
        written.append(name)

    encoding = data.encoding
    is_image = getattr(encoding, "is_image", False)
    n = 64 if is_image else 4
    beside = data.test.batch(np.arange(min(n, len(data.test))))
    context = None if beside.context is None else beside.context.to(model.device)
    n = n if context is None else len(context)
    drawn = encoding.decode(model.sample(n, seed=0, end=encoding.domain.end, context=context).x.cpu().numpy())
    if isinstance(encoding, Writes):
        keep(f"samples{encoding.ending}", encoding.write(drawn))
    else:
        keep("samples.json", json.dumps(np.asarray(drawn).tolist()).encode())
    try:
        from chainrule.report.pictures import learning_curve, samples_beside_data

        level = baseline["valid"].nats_per_example.value if baseline else float("inf")
        keep("learning_curve.png", learning_curve(fitted.records, fitted.best_step, level))
        if is_image:
            levels: int = encoding.picture_levels  # type: ignore[attr-defined]
            keep("samples.png", samples_beside_data(np.asarray(drawn), encoding.decode(beside.x.numpy()), levels))
    except InputError as error:
        written.append(f"(no pictures: {error})")
    return written
