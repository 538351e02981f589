"""The page of results in Markdown, made from the records."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from chainrule.config.old_names import renamed_options
from chainrule.errors import InputError
from chainrule.likelihood import Ratio
from chainrule.reproduction.recipe import Published, Recipe

__all__ = ["read_records", "results_page"]

Record = Mapping[str, Any]

HEAD = """# Results

Made by `chainrule reproduce --table` from the files of [records/](../records), which `chainrule reproduce NAME` writes:
it reads the data, trains within the budget with what `fit` does by default unless the recipe says otherwise, verifies
the kept weights, and scores every test example once. Lower is better; ± is one standard error over test examples, and
the interval is that of 95 %. *goal* is the best published figure for the same quantity, or what the recipe names.
"""

MARKS = """\\* not yet compared with a copy of the source. † another split, random crops or a bound: close to ours, but
not the same quantity."""


WITH_OPTIONS = ("options", "asked", "settings")  # parts of a record that hold options of `fit`


def read_records(folder: Path) -> dict[str, dict[str, Any]]:
    """The records of a folder, by the name of their recipe; options have their present names.

    Raises InputError for a file that is not a record.
    """
    found = {}
    for path in sorted(folder.glob("*.json")):
        try:
            record = json.loads(path.read_text(encoding="utf-8"))
            renamed = {name: renamed_options(record[name]) for name in WITH_OPTIONS if name in record}
            found[record["recipe"]] = record | renamed
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise InputError(f"{path}: is not a record ({error}); remove it, or reproduce the number again") from None
    return found


def results_page(
    recipes: Sequence[Recipe],
    records: Mapping[str, Record],
    current: Callable[[str], bool | None] = lambda commit: None,
) -> str:
    """The whole page.

    recipes: the recipes, in the order of the rows.
    records: records by name of the recipe; recipes without a record are named below the table.
    current: returns whether the sources are still those of a commit; None if that is not known.
    """
    done = [(recipe, records[recipe.name]) for recipe in recipes if recipe.name in records]
    missing = [recipe.name for recipe in recipes if recipe.name not in records]
    parts = [HEAD, _figures(done, current)]
    if any("also" in record and record["also"] for _, record in done):
        parts += ["## The same models, counted otherwise\n", _counted_otherwise(done)]
    parts += ["## Beside baselines, paired over test examples\n", _baselines(done)]
    parts += ["## What it took\n", _effort(done), "## What others published\n", _published(recipes)]
    if missing:
        parts.append(f"Not reproduced yet: {', '.join(f'`{name}`' for name in missing)}.\n")
    return "\n".join(parts)


def _figures(done: Iterable[tuple[Recipe, Record]], current: Callable[[str], bool | None]) -> str:
    heading = ("recipe", "what", "unit", "goal", "whose", "ours", "95 %", "verdict", "certificate", "commit")
    rows = []
    for recipe, record in done:
        low, high = record["interval_95"]
        rows.append(
            (
                f"`{recipe.name}`",
                record["title"],
                record["unit"],
                "" if record["goal"] is None else f"{record['goal']['figure']:g}",
                _whose(recipe),
                f"**{_ratio(record['figure'], record['standard_error'])}**",
                f"{low:.5g} to {high:.5g}",
                _verdict(record),
                "passed"
                if record["certificate"]["passed"]
                else f"FAILED: {', '.join(record['certificate']['failed'])}",
                _commit(recipe, record, current),
            )
        )
    return _table(heading, rows)


def _whose(recipe: Recipe) -> str:
    """The models whose published figure is the goal."""
    best = [other for other in recipe.published if other.figure == recipe.aim]
    return ", ".join(other.model + _marks(other) for other in best)


def _verdict(record: Record) -> str:
    """Reached or missed, and by how many standard errors; the published figure is taken as exact."""
    goal = record["goal"]
    if goal is None:
        return "nothing to compare with"
    below = goal["standard_errors_below"]
    sure = "" if below is None else f", by {abs(below):.1f} standard errors"
    return f"{'reached' if goal['met'] else '**missed**'}{sure}"


def _commit(recipe: Recipe, record: Record, current: Callable[[str], bool | None]) -> str:
    """The commit of the sources that made a record, and whether they or the recipe have changed since."""
    git = record.get("git")
    if git is None:
        return "unknown"
    still = current(git["commit"])
    as_now = {"options": dict(recipe.options), "budget_minutes": recipe.minutes}
    asked = json.loads(json.dumps(as_now)) == {name: record[name] for name in as_now}
    notes = ["with changes"] * bool(git["dirty"]) + ["older sources"] * (still is False)
    notes += ["older recipe"] * (not asked) + ["resumed"] * bool(record.get("resumed"))
    return git["commit"][:7] + (f" ({', '.join(notes)})" if notes else "")


def _counted_otherwise(done: Iterable[tuple[Recipe, Record]]) -> str:
    rows = [
        (f"`{recipe.name}`", unit, _ratio(also["figure"], also["standard_error"]))
        for recipe, record in done
        for unit, also in record["also"].items()
    ]
    return _table(("recipe", "unit", "figure"), rows)


def _baselines(done: Iterable[tuple[Recipe, Record]]) -> str:
    rows = []
    for recipe, record in done:
        for name, other in record["baselines"].items():
            named = name if other["how"] == "static" else f"{name} ({other['how']})"
            figure = (
                "infinite" if other["figure"] in (None, "inf") else _ratio(other["figure"], other.get("standard_error"))
            )
            gain, interval, share = "", "", ""
            if other.get("gain") is not None:
                low, high = other["gain_interval_95"]
                gain = _ratio(other["gain"], other["gain_standard_error"])
                interval, share = f"{low:.4g} to {high:.4g}", f"{other['better_on']:.0%}"
            rows.append((f"`{recipe.name}`", named, other["unit"], figure, gain, interval, share))
    return _table(("recipe", "baseline", "unit", "its figure", "ours is better by", "95 %", "better on"), rows)


def _effort(done: Iterable[tuple[Recipe, Record]]) -> str:
    rows = []
    for recipe, record in done:
        training, machine = record["training"], record["machine"]
        loads = [load[0] for load in record["load"] if load]
        steps = "" if training["steps"] is None else f"{training['kept_step']} of {training['steps']}"
        rows.append(
            (
                f"`{recipe.name}`",
                "default steps" if record["budget_minutes"] is None else f"{record['budget_minutes']:g}",
                f"{training['seconds'] / 60:.1f}",
                f"{record['processor_seconds'] / 60:.1f}",
                steps,
                f"{record['parameters']:,}",
                f"{machine['model']}, {machine['threads']} of {machine['cores']} threads",
                " to ".join(f"{load:g}" for load in loads),
                f"torch {record['versions']['torch']}",
            )
        )
    columns = (
        "budget, min",
        "training, min",
        "processor, min",
        "kept step",
        "parameters",
        "machine",
        "load",
        "versions",
    )
    return _table(("recipe", *columns), rows)


def _published(recipes: Iterable[Recipe]) -> str:
    """One row per recipe, the best figure first, and the numbered sources below."""
    sources = list(dict.fromkeys(other.source for recipe in recipes for other in recipe.published))
    rows = []
    for recipe in recipes:
        others = sorted(recipe.published, key=lambda other: other.figure)
        told = [
            f"{other.figure:g} {other.model} [{sources.index(other.source) + 1}]{_marks(other)}" for other in others
        ]
        rows.append((f"`{recipe.name}`", recipe.unit, "; ".join(told) or "nothing"))
    numbered = "\n".join(f"{number}. {source}" for number, source in enumerate(sources, start=1))
    return f"{_table(('recipe', 'unit', 'figures'), rows)}\n{MARKS}\n\n{numbered}\n"


def _marks(other: Published) -> str:
    """The marks of a figure, see `MARKS`."""
    return ("" if other.comparable else "†") + ("" if other.checked else "\\*")


def _ratio(value: float, error: float | None) -> str:
    return str(Ratio(value, error or 0.0))


def _table(heading: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    r"""A Markdown table; bars inside a cell are escaped.

    >>> print(_table(("a", "b"), [("1", "2|3")]))
    | a | b |
    |---|---|
    | 1 | 2\|3 |
    """
    lines = [heading, *rows]
    cells = ["| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines]
    return "\n".join([cells[0], "|" + "---|" * len(heading), *cells[1:]]) + "\n"
