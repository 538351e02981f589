"""`reproduce`: published results again, each from its recipe to its record, and the table of all of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from chainrule.atomic_files import write_file
from chainrule.errors import InputError
from chainrule.reporting.console import Console
from chainrule.reporting.visible import bold
from chainrule.reproduction.recipe import Recipe, chosen, find_recipes
from chainrule.reproduction.request import Request
from chainrule.reproduction.results import read_records, results_page
from chainrule.reproduction.run_recipe import records_folder, run_recipe
from chainrule.runs.provenance import changed_since

__all__ = ["Reproduction", "reproduce"]


@dataclass(frozen=True)
class Reproduction:
    """What `reproduce` did.

    recipes: all recipes that there are, by family.
    records: the record of each recipe that was run.
    failed: the names of the recipes that could not be run, such as for want of data.
    page: the table of results, where it was written.
    """

    recipes: Mapping[str, tuple[Recipe, ...]]
    records: list[dict[str, Any]] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    page: Path | None = None

    @property
    def passed(self) -> bool:
        """Whether every recipe was run, and every certificate passed."""
        return not self.failed and all(record["certificate"]["passed"] for record in self.records)


def reproduce(
    *names: str,
    every: bool = False,
    table: bool = False,
    data: Path | str | None = None,
    out: Path | str = "runs/reproduce",
    minutes: float | None = None,
    threads: int | None = None,
    seed: int | None = None,
    smoke: bool = False,
    resume: bool = False,
    verbose: bool | Console = False,
) -> Reproduction:
    """Reproduce published results: train by each recipe, verify, score, and write records/NAME.json.

    names: recipes, or families of them; none to see what there is.
    every: whether to run every recipe.
    table: whether only to write docs/results.md from the records that there are.
    data: directory of the data sets, by default CHAINRULE_DATA or ../shared/data.
    out: directory of the runs, one per recipe.
    minutes: minutes of training in place of the recipe's budget.
    threads: number of threads of torch.
    seed: seed of weights, data order and dropout, by default 0.
    smoke: whether to take two steps on a few examples only, to see that it runs.
    resume: whether to continue the runs at `out`; finished ones stay.
    verbose: whether to print progress and tables, or where to print them.

    >>> "digits" in reproduce().recipes
    True
    """
    if table and (names or every):
        raise InputError("--table writes the table of the records that are there; leave out the names, or --table")
    if every and names:
        raise InputError(f"--all runs every recipe; leave out {', '.join(names)}, or --all")
    console = verbose if isinstance(verbose, Console) else Console(silent=not verbose)
    families = find_recipes()
    if table:
        return Reproduction(families, page=_write_page(families, console))
    recipes = chosen(families if every else names, families)
    if threads is not None:
        torch.set_num_threads(threads)
    request = Request(None if data is None else Path(data), Path(out), minutes, seed, smoke, resume)
    done = Reproduction(families)
    for recipe in recipes:
        try:
            done.records.append(run_recipe(recipe, request, console))
        except InputError as error:
            if len(recipes) == 1:
                raise
            done.failed.append(recipe.name)
            console.print(bold(recipe.name), f": {error}")
    if done.records and any(request.as_published(recipe) for recipe in recipes):
        return Reproduction(families, done.records, done.failed, _write_page(families, console))
    return done


def _write_page(families: Mapping[str, tuple[Recipe, ...]], console: Console) -> Path:
    """Write docs/results.md from the records that there are."""
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
