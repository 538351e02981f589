"""One recipe, from its data to its record.

read the data -> fit -> verify -> score every test example once -> records/NAME.json
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from time import perf_counter, process_time
from typing import Any

from chainrule.atomic_files import write_json
from chainrule.config.options import checked
from chainrule.data.encodings.data_set import DataSet
from chainrule.errors import InputError, Interrupted
from chainrule.evaluation.evaluate import evaluate
from chainrule.evaluation.scores import write_scores
from chainrule.likelihood import Ratio
from chainrule.reporting.console import Console
from chainrule.reporting.visible import bold
from chainrule.reproduction.recipe import Recipe, recipe_folder
from chainrule.reproduction.record import machine_load, record_of, state_of_sources
from chainrule.reproduction.request import SMOKE_EXAMPLES, Request
from chainrule.runs.figures import protocol_of
from chainrule.runs.fit import fit_plan
from chainrule.runs.plan import load_for, plan_of
from chainrule.runs.recalled import recalled
from chainrule.runs.run import Run

__all__ = ["records_folder", "run_recipe"]

OF_THE_TRAINING = ("resumed", "seconds", "processor_seconds", "load", "machine", "versions", "git")


def run_recipe(recipe: Recipe, request: Request, console: Console) -> dict[str, Any]:
    """One recipe: its record, which is written into the run and, if nothing was changed, into the folder of records."""
    console.print(bold(recipe.name), f": {recipe.title}; {_goal(recipe)}")
    sources = state_of_sources()
    place, loads, begun, worked = request.out / recipe.name, [machine_load()], perf_counter(), process_time()
    earlier = _earlier(place / "record.json") if request.resume else {}
    begun_before = (place / "config.json").exists()
    run, data = _fitted(recipe, request, console)
    evaluation = evaluate(run.model(), data.split("test"), protocol=protocol_of(data))
    write_scores(place / "test_nats.csv", evaluation.nats)
    record = record_of(recipe, run, data, run.report_dict or {}, evaluation) | {
        "git": sources,
        "asked": request.options(recipe),
        "budget_minutes": request.options(recipe).get("minutes"),
        "smoke": request.smoke,
        "resumed": request.resume and begun_before,
        "seconds": perf_counter() - begun,
        "processor_seconds": process_time() - worked,
        "load": [*loads, machine_load()],
    }
    if earlier:  # trained by the sources of then, scored by those of now
        record |= {"scored": record["git"]} | {name: earlier[name] for name in OF_THE_TRAINING if name in earlier}
    kept = place / "record.json"
    write_json(kept, record)
    if request.as_published(recipe):
        kept = records_folder() / f"{recipe.name}.json"
        kept.parent.mkdir(parents=True, exist_ok=True)
        write_json(kept, record)
    console.print(bold(recipe.name), f": {_result(record)}; record: {kept}")
    return record


def records_folder() -> Path:
    """Where records are kept: beside the recipes in a repository, else in the working directory."""
    beside = recipe_folder().parent
    return (beside if (beside / "pyproject.toml").exists() else Path.cwd()) / "records"


def _earlier(path: Path) -> dict[str, Any]:
    """The record that a finished run has already; empty where there is none."""
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    return found


def _fitted(recipe: Recipe, request: Request, console: Console) -> tuple[Run, DataSet]:
    """The finished run of a recipe, and the data as it was fitted."""
    place, options = request.out / recipe.name, request.options(recipe)
    source: str = recipe.located(request.data, request.out)
    finished = request.resume and (place / "report.json").exists()
    if request.resume:
        source, options = recalled(place, source, options)
    options = checked(options)
    data = load_for(source, options, console.progress)
    data = data.first(SMOKE_EXAMPLES) if request.smoke else data
    data.split("test")  # refused before training, where there is none
    if finished:
        return _unchanged(Run.open(place), data, request.options(recipe)), data
    try:
        run = fit_plan(plan_of(data, options, source), place, console.aside(), resume=request.resume)
    except Interrupted as end:
        saved = str(end).partition("; go on with")[0]
        raise Interrupted(f"{saved}; go on with: {request.again(recipe)}", end.code) from None
    return run, data


def _unchanged(run: Run, data: DataSet, options: dict[str, Any]) -> Run:
    """A finished run, if it is one of this data and these options."""
    before = run.config.get("asked", {}).get("options")
    for what, here, there in (("data", data.digest(), run.config["data"]["sha256"]), ("options", options, before)):
        if here != there:
            raise InputError(f"{run.path}: is finished, with {what} {there}, not {here}; name another place with --out")
    return run


def _goal(recipe: Recipe) -> str:
    """What was published, in a few words."""
    budget = "the default number of steps" if recipe.minutes is None else f"budget {recipe.minutes:g} minutes"
    if recipe.aim is None:
        return f"no figure was published; {budget}"
    best = min((p for p in recipe.published if p.comparable), key=lambda p: p.figure, default=None)
    by = f" ({best.model}, {best.source})" if best is not None and best.figure == recipe.aim else ""
    return f"to reach: {recipe.aim:g} {recipe.unit}{by}; {budget}"


def _result(record: Mapping[str, Any]) -> str:
    """The result in words."""
    figure = Ratio(record["figure"], record["standard_error"])
    goal, certificate = record["goal"], record["certificate"]
    verdict = "" if goal is None else f", {'reached' if goal['met'] else 'missed'}: {goal['figure']:g}"
    if failed := ", ".join(certificate["failed"]):
        checks = f"not a likelihood, failed checks: {failed}"
    else:
        checks = "all checks passed" if certificate["passed"] else "not verified"
    return f"{figure} {record['unit']}{verdict}; {checks}"
