"""`chainrule reproduce`: a published number again, from its recipe to its record.

read the data -> fit -> verify -> score every test example once -> records/NAME.json -> docs/results.md
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from pathlib import Path
from time import perf_counter, process_time
from typing import Any

import torch

from chainrule.atomic_files import write_file, write_json
from chainrule.config.options import checked
from chainrule.data.encodings.data_set import DataSet
from chainrule.errors import InputError, Interrupted
from chainrule.evaluation.evaluate import evaluate
from chainrule.evaluation.scores import write_scores
from chainrule.likelihood import Ratio
from chainrule.reporting.console import Console
from chainrule.reporting.table import Table
from chainrule.reporting.visible import bold
from chainrule.reproduction.recipe import Recipe, chosen, find_recipes, recipe_folder
from chainrule.reproduction.record import machine_load, record_of, state_of_sources
from chainrule.reproduction.results import read_records, results_page
from chainrule.runs.figures import protocol_of
from chainrule.runs.fit import fit_plan
from chainrule.runs.plan import load_for, plan_of
from chainrule.runs.provenance import changed_since
from chainrule.runs.recalled import recalled
from chainrule.runs.run import Run

__all__ = ["reproduce_recipes"]

SMOKE: dict[str, Any] = {"steps": 2, "evaluate_every": 2, "batch_size": 4}
SMOKE_EXAMPLES = 8
OF_THE_TRAINING = ("resumed", "seconds", "processor_seconds", "load", "machine", "versions", "git")


@dataclasses.dataclass(frozen=True)
class Asked:
    """How recipes are to be run.

    data: the directory of the data sets. out: the directory of the runs. minutes, seed: instead of the recipe's and 0.
    smoke: a few steps on a few examples. resume: go on with the runs that are there.
    """

    data: Path | None
    out: Path
    minutes: float | None
    seed: int | None
    smoke: bool
    resume: bool

    def options(self, recipe: Recipe) -> dict[str, Any]:
        """What `fit` is told."""
        told = dict(recipe.options) | ({} if self.seed is None else {"seed": self.seed})
        if self.smoke:
            return told | SMOKE
        minutes = recipe.minutes if self.minutes is None else self.minutes
        return told if minutes is None else told | {"minutes": minutes}

    def again(self, recipe: Recipe) -> str:
        """The command that goes on."""
        given = {"--data": self.data, "--out": self.out, "--minutes": self.minutes, "--seed": self.seed}
        told = [f"{name} {value}" for name, value in given.items() if value is not None]
        return " ".join(["chainrule reproduce", recipe.name, "--resume", *told, *(["--smoke"] * self.smoke)])

    def as_published(self, recipe: Recipe) -> bool:
        """Whether this is the recipe as it stands, so that its record is the one to keep."""
        return not self.smoke and self.minutes in (None, recipe.minutes) and self.seed in (None, 0)


def reproduce_recipes(
    names: tuple[str, ...],
    every: bool,
    table: bool,
    data: Path | None,
    out: Path,
    minutes: float | None,
    threads: int | None,
    smoke: bool,
    seed: int | None,
    resume: bool,
    console: Console,
) -> int:
    """Run the recipes of these names, or every one, and write the table; 1 if a certificate failed or data is missing.

    names: none, and not `every`: list what there is. table: only write docs/results.md from the records.
    """
    if table and (names or every):
        raise InputError("--table writes the table of the records that are there; leave out the names, or --table")
    if every and names:
        raise InputError(f"--all runs every recipe; leave out {', '.join(names)}, or --all")
    families = find_recipes()
    asked = Asked(data, out, minutes, seed, smoke, resume)
    recipes = chosen(families if every else names, families)
    if threads is not None:
        torch.set_num_threads(threads)
    if not recipes:
        if table:
            console.result({"table": str(_write_table(families, console))})
        else:
            _list(families, console)
        return 0
    records, missing = [], []
    for recipe in recipes:
        try:
            records.append(reproduce(recipe, asked, console))
        except InputError as error:
            if len(recipes) == 1:
                raise
            missing.append(recipe.name)
            console.print(bold(recipe.name), f": {error}")
    if any(asked.as_published(recipe) for recipe in recipes) and records:
        _write_table(families, console)
    console.result({"records": records, "failed": missing})
    return int(bool(missing) or not all(record["certificate"]["passed"] for record in records))


def reproduce(recipe: Recipe, asked: Asked, console: Console) -> dict[str, Any]:
    """One recipe: its record, which is written into the run and, if nothing was changed, into the folder of records."""
    console.print(bold(recipe.name), f": {recipe.title}; {_goal_of(recipe)}")
    sources = state_of_sources()
    place, loads, begun, worked = asked.out / recipe.name, [machine_load()], perf_counter(), process_time()
    earlier = _earlier(place / "record.json") if asked.resume else {}
    begun_before = (place / "config.json").exists()
    run, data = _fitted(recipe, asked, console)
    evaluation = evaluate(run.model(), data.test, protocol=protocol_of(data))
    write_scores(place / "test_nats.csv", evaluation.nats)
    report = json.loads((place / "report.json").read_text(encoding="utf-8"))
    record = record_of(recipe, run, data, report, evaluation) | {
        "git": sources,
        "asked": asked.options(recipe),
        "budget_minutes": asked.options(recipe).get("minutes"),
        "smoke": asked.smoke,
        "resumed": asked.resume and begun_before,
        "seconds": perf_counter() - begun,
        "processor_seconds": process_time() - worked,
        "load": [*loads, machine_load()],
    }
    if earlier:  # trained by the sources of then, scored by those of now
        record |= {"scored": record["git"]} | {name: earlier[name] for name in OF_THE_TRAINING if name in earlier}
    kept = place / "record.json"
    write_json(kept, record)
    if asked.as_published(recipe):
        kept = records_folder() / f"{recipe.name}.json"
        kept.parent.mkdir(parents=True, exist_ok=True)
        write_json(kept, record)
    console.print(f"{_sentence(record)}; record: {kept}")
    return record


def records_folder() -> Path:
    """Where records are kept: beside the recipes in a repository, else in the directory of work."""
    beside = recipe_folder().parent
    return (beside if (beside / "pyproject.toml").exists() else Path.cwd()) / "records"


def _earlier(path: Path) -> dict[str, Any]:
    """The record that a finished run has already; empty where there is none."""
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    return found


def _fitted(recipe: Recipe, asked: Asked, console: Console) -> tuple[Run, DataSet]:
    """The finished run of a recipe, and the data as it was fitted."""
    place, options = asked.out / recipe.name, asked.options(recipe)
    source: str | None = recipe.located(asked.data, asked.out)
    finished = asked.resume and (place / "report.json").exists()
    if asked.resume:
        source, options = recalled(place, source, options)
    options = checked(options)
    data = load_for(source, options, console.progress)
    data = data.first(SMOKE_EXAMPLES) if asked.smoke else data
    if finished:
        return _unchanged(Run.open(place), data, asked.options(recipe)), data
    try:
        run = fit_plan(plan_of(data, options, source), place, console.aside(), resume=asked.resume)
    except Interrupted as end:
        said = str(end).partition("; go on with")[0]
        raise Interrupted(f"{said}; go on with: {asked.again(recipe)}", end.code) from None
    return run, data


def _unchanged(run: Run, data: DataSet, options: dict[str, Any]) -> Run:
    """A finished run, if it is one of this data and these options."""
    told = run.config.get("asked", {}).get("options")
    for what, here, there in (("data", data.digest(), run.config["data"]["sha256"]), ("options", options, told)):
        if here != there:
            raise InputError(f"{run.path}: is finished, with {what} {there}, not {here}; name another place with --out")
    return run


def _goal_of(recipe: Recipe) -> str:
    """What was published, in a few words."""
    budget = "the default number of steps" if recipe.minutes is None else f"budget {recipe.minutes:g} minutes"
    if recipe.aim is None:
        return f"no figure was published; {budget}"
    best = min((p for p in recipe.published if p.comparable), key=lambda p: p.figure, default=None)
    by = f" ({best.model}, {best.source})" if best is not None and best.figure == recipe.aim else ""
    return f"to reach: {recipe.aim:g} {recipe.unit}{by}; {budget}"


def _sentence(record: Mapping[str, Any]) -> str:
    """The result for a person."""
    figure = Ratio(record["figure"], record["standard_error"])
    goal, certificate = record["goal"], record["certificate"]
    said = "" if goal is None else f", {'reached' if goal['met'] else 'missed'}: {goal['figure']:g}"
    verdict = "a likelihood, as far as tried" if certificate["passed"] else f"NOT a likelihood: {certificate['failed']}"
    return f"[bold]{record['recipe']}[/]: {figure} {record['unit']}{said}; {verdict}"


def _write_table(families: Mapping[str, tuple[Recipe, ...]], console: Console) -> Path:
    """Write docs/results.md from the records that are there."""
    place = records_folder().parent / "docs" / "results.md"
    sources = Path(__file__).parents[1]

    def current(commit: str) -> bool | None:
        changed = changed_since(sources, commit)
        return None if changed is None else not changed

    recipes = [recipe for recipes in families.values() for recipe in recipes]
    page = results_page(recipes, read_records(records_folder()), current)
    place.parent.mkdir(parents=True, exist_ok=True)
    write_file(place, page.encode())
    console.print(f"table: {place}")
    return place


def _list(families: Mapping[str, tuple[Recipe, ...]], console: Console) -> None:
    """What recipes there are, what each is after, and what came of it."""
    records = read_records(records_folder())
    rows = []
    for recipes in families.values():
        for recipe in recipes:
            record = records.get(recipe.name)
            had = "" if record is None else str(Ratio(record["figure"], record["standard_error"]))
            aim = "" if recipe.aim is None else f"{recipe.aim:g} {recipe.unit}"
            rows.append((recipe.name, recipe.title, aim, f"{recipe.minutes:g}" if recipe.minutes else "", had))
    title = "recipes; run one by name, a family by the name of its file, or --all"
    console.print(Table(title, ("recipe", "what", "to reach", "minutes", "record"), rows, words={0, 1, 2}))
    names = {family: [recipe.name for recipe in recipes] for family, recipes in families.items()}
    console.result({"recipes": names})
