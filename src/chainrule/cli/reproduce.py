"""`chainrule reproduce`: published results again."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter
from cyclopts.validators import Number

from chainrule.cli.options import Json, console_of

if TYPE_CHECKING:
    from chainrule.reporting.console import Console
    from chainrule.reproduction.recipe import Recipe

__all__ = ["reproduce"]


def reproduce(
    *names: Annotated[str, Parameter(name="NAME", help="Recipes or families of them [default: list what there is].")],
    every: Annotated[bool, Parameter(name="--all", negative="", help="Run every recipe, one after the other.")] = False,
    table: Annotated[bool, Parameter(negative="", help="Only write docs/results.md from the records.")] = False,
    data: Annotated[
        Path | None, Parameter(help="Directory of the data sets [default: CHAINRULE_DATA, ../shared/data].")
    ] = None,
    out: Annotated[Path, Parameter(help="Directory of the runs, one per recipe.")] = Path("runs/reproduce"),
    minutes: Annotated[float | None, Parameter(help="Minutes of training [default: the budget of the recipe].")] = None,
    threads: Annotated[
        int | None, Parameter(help="Number of threads of torch [default: torch's own].", validator=Number(gte=1))
    ] = None,
    seed: Annotated[int | None, Parameter(help="Seed of weights, data order and dropout [default: 0].")] = None,
    smoke: Annotated[
        bool, Parameter(negative="", help="Take two steps on a few examples only, to see that it runs.")
    ] = False,
    resume: Annotated[bool, Parameter(negative="", help="Continue the runs at --out; finished ones stay.")] = False,
    json: Json = False,
) -> int:
    """Reproduce published results: train by each recipe, verify, score, and write records/NAME.json."""
    from chainrule.reproduction import reproduce as reproduction

    console = console_of(json)
    done = reproduction.reproduce(
        *names,
        every=every,
        table=table,
        data=data,
        out=out,
        minutes=minutes,
        threads=threads,
        seed=seed,
        smoke=smoke,
        resume=resume,
        verbose=console,
    )
    if table:
        console.result({"table": str(done.page)})
    elif names or every:
        console.result({"records": done.records, "failed": done.failed})
    else:
        _list(done.recipes, console)
    return 0 if done.passed else 1


def _list(families: Mapping[str, tuple[Recipe, ...]], console: Console) -> None:
    """Print what recipes there are, what each is after, and what came of it."""
    from chainrule.likelihood import Ratio
    from chainrule.reporting.table import Table
    from chainrule.reproduction.results import read_records
    from chainrule.reproduction.run_recipe import records_folder

    records: Mapping[str, Any] = read_records(records_folder())
    rows = []
    for recipe in (recipe for recipes in families.values() for recipe in recipes):
        record = records.get(recipe.name)
        figure = "" if record is None else str(Ratio(record["figure"], record["standard_error"]))
        aim = "" if recipe.aim is None else f"{recipe.aim:g} {recipe.unit}"
        rows.append((recipe.name, recipe.title, aim, f"{recipe.minutes:g}" if recipe.minutes else "", figure))
    title = "recipes; run one by name, a family by the name of its file, or --all"
    console.print(Table(title, ("recipe", "what", "to reach", "minutes", "record"), rows, words={0, 1, 2}))
    console.result({"recipes": {family: [recipe.name for recipe in recipes] for family, recipes in families.items()}})
