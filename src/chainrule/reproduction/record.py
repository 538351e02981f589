"""The record of a reproduced result: the figure with its error, and all that says where it comes from."""

from __future__ import annotations

import os
import platform
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from chainrule.atomic_files import json_value
from chainrule.baselines.fitted import fit_baselines
from chainrule.data.encodings.data_set import DataSet
from chainrule.evaluation.block_bootstrap import block_length
from chainrule.evaluation.comparison import compare
from chainrule.evaluation.evaluate import Evaluation, evaluate
from chainrule.likelihood import LogLikelihood, Ratio, Units
from chainrule.reproduction.recipe import Recipe, recipe_folder
from chainrule.runs.provenance import git_state, provenance
from chainrule.runs.run import Run
from chainrule.verification.certificate.check import Certificate
from chainrule.verification.certificate.verify import verify

__all__ = ["FORMAT", "machine_load", "record_of", "state_of_sources"]

FORMAT = 1
NORMAL_95 = 1.959964


def record_of(
    recipe: Recipe, run: Run, data: DataSet, report: dict[str, Any], evaluation: Evaluation
) -> dict[str, Any]:
    """Everything that a row of the results says, as JSON; times are added by the caller, who measured them.

    recipe: the recipe that was run.
    run: its run.
    data: the data set that it was fitted to.
    report: the `report.json` of the run.
    evaluation: the kept weights on every test example.
    """
    model, likelihood = run.model(), evaluation.likelihood
    figure: Ratio = getattr(likelihood, recipe.metric)
    others: dict[str, Ratio] = {} if recipe.measure is None else recipe.measure(run.chain(), data)
    figure = others.pop(recipe.unit, figure)
    certificate = verify(model, examples=data.unseen, domain=data.encoding.domain, quick=True)
    came = provenance()
    return {
        "format": FORMAT,
        "recipe": recipe.name,
        "title": recipe.title,
        "unit": recipe.unit,
        "figure": figure.value,
        "standard_error": figure.standard_error,
        "block": evaluation.block,
        "interval_95": [figure.value + sign * NORMAL_95 * figure.standard_error for sign in (-1, 1)],
        "also": {
            unit: {"figure": json_value(r.value), "standard_error": json_value(r.standard_error)}
            for unit, r in others.items()
        },
        "published": [asdict(other) for other in recipe.published],
        "goal": _goal(recipe, figure),
        "certificate": _certificate(certificate),
        "test": likelihood.to_json(),
        "valid": report["results"].get("valid"),
        "baselines": _beside(recipe, data, evaluation, report),
        "training": {name: report.get(name) for name in ("seconds", "steps", "kept_step", "stopped")},
        "parameters": sum(parameter.numel() for parameter in model.parameters()),
        "options": dict(recipe.options),
        "settings": run.config["training"],
        "model": run.config["model"],
        "data": {
            "source": recipe.source,
            "note": data.note,
            "sha256": run.config["data"]["sha256"],
            "splits": run.config["data"]["splits"],
        },
        "machine": {"model": _processor(), "cores": os.cpu_count()} | came["machine"],
        "versions": came["versions"],
    }


def state_of_sources() -> dict[str, Any] | None:
    """The commit of the package and the recipes, and whether they were changed since; take it before their use."""
    return git_state(Path(__file__).parents[1], ".", str(recipe_folder()))


def machine_load() -> list[float] | None:
    """Load of the machine, averaged over 1, 5 and 15 minutes; None where the system does not say."""
    return [round(load, 2) for load in os.getloadavg()] if hasattr(os, "getloadavg") else None


def _goal(recipe: Recipe, figure: Ratio) -> dict[str, Any] | None:
    """Whether the figure reaches what was aimed at, and by how many of its standard errors."""
    if recipe.aim is None:
        return None
    apart = recipe.aim - figure.value
    errors = apart / figure.standard_error if figure.standard_error > 0 else None
    return {"figure": recipe.aim, "met": figure.value <= recipe.aim, "standard_errors_below": errors}


def _certificate(certificate: Certificate) -> dict[str, Any]:
    made = [check.name for check in certificate.checks if check.passed is not None]
    return {
        "passed": certificate.passed,
        "failed": list(certificate.failed),
        "made": made,
        "form": "quick",
        "seconds": certificate.seconds,
    }


def _beside(recipe: Recipe, data: DataSet, evaluation: Evaluation, report: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Each baseline on the same examples: its figure and, where it scores example by example, the paired difference.

    Figures are in the unit of the recipe, or, where that takes a measure of its own, in nats per example; `gain` is
    positive where the model is better, and `block` is the number of neighbouring windows of a stream that are taken as
    one. A model of p(x | c) has no baselines, because those do not condition on c.
    """
    if data.encoding.conditions is not None:
        return {}
    metric, unit = recipe.metric, recipe.unit if recipe.measure is None else "nats/example"
    found: dict[str, dict[str, Any]] = {}
    weights = evaluation.likelihood.possible
    scale = getattr(weights, metric).value / weights.nats_per_example.value  # from nats per example to the metric
    for name, baseline in fit_baselines(data).items():
        scored = evaluate(baseline, data.test)
        ratio: Ratio = getattr(scored.likelihood, metric)
        stream = data.test.is_stream
        block = block_length(evaluation.nats - scored.nats) if stream and scored.likelihood.impossible == 0 else 1
        units = Units.blocks(len(scored.nats), block) if block > 1 else data.test.units
        paired = compare(evaluation.nats, scored.nats, (recipe.name, name), block=block, units=units)
        apart = evaluation.nats - scored.nats
        gain: Ratio | None = None
        if np.isfinite(apart).all():
            gain = getattr(LogLikelihood.of_counts(apart, evaluation.counts, units=units), metric)
        found[name] = {
            "how": "static",
            "unit": unit,
            "figure": json_value(ratio.value),
            "standard_error": json_value(ratio.standard_error),
            "block": block,
            "gain": None if gain is None else -gain.value,
            "gain_standard_error": None if gain is None else gain.standard_error,
            "gain_interval_95": [json_value(bound * scale) for bound in paired.interval],
            "p_value": paired.p_value,
            "better_on": 1 - paired.b_better,
        }
    for name, scores in report["baselines"].items():
        if name not in found and metric in scores:
            found[name] = {"how": scores["how"], "unit": unit, "figure": scores[metric]}
    return found


def _processor() -> str:
    """The name of the processor, as far as the system knows it."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), platform.machine())
