"""`chainrule compare`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter
from cyclopts.validators import Number

from chainrule.cli.options import BatchSize, Json, MovedTo, Split, console_of

if TYPE_CHECKING:
    from chainrule.reporting.console import Console
    from chainrule.runs.compare import ComparisonResult

__all__ = ["compare"]

SHOWN = 5  # examples and elements that are named


def compare(
    first: Annotated[
        Path, Parameter(name="A", help="A run directory, or a CSV file with ln p of each example and perhaps an id.")
    ],
    /,
    *others: Annotated[Path, Parameter(name="B", help="One or more others of the same kinds.")],
    data: Annotated[str | None, Parameter(help="What to score with the runs [default: the first run's data].")] = None,
    split: Split = "test",
    bootstrap_block: Annotated[
        int | None,
        Parameter(
            help="Neighbouring examples resampled together [default: 1; windows of a stream: by their correlation].",
            validator=Number(gte=1),
        ),
    ] = None,
    moved_to: MovedTo = None,
    batch_size: BatchSize = None,
    json: Json = False,
) -> None:
    """Say which model is better on the same examples, by how much, and whether it is more than chance."""
    from chainrule.runs.compare import compare as compare_models

    console = console_of(json)
    result = compare_models(
        first,
        *others,
        data=data,
        split=split,
        bootstrap_block=bootstrap_block,
        moved_to=moved_to,
        batch_size=batch_size,
        progress=console.progress,
    )
    _show(result, console)
    console.result(result.to_json())


def _show(result: ComparisonResult, console: Console) -> None:
    """Which model is which, the figures, and in words where a later model is better."""
    from chainrule.reporting.tables import comparison_table, letter_of

    for number, name in enumerate([result.comparisons[0].a, *(found.b for found in result.comparisons)]):
        console.print(f"{letter_of(number)} = {name}")
    console.print(comparison_table(result.comparisons, result.block))
    for number, (found, where) in enumerate(zip(result.comparisons, result.where, strict=True), start=1):
        letter = letter_of(number)
        console.print(f"A against {letter}: {found.verdict}")
        if where.examples:
            console.print(f"  {letter} is better by most on the examples {_listed(where.examples)}")
        if where.columns:
            console.print(f"  and in the columns {_listed(where.columns)}")
        elif where.positions:
            console.print(f"  and at the elements {_listed(where.positions)}")


def _listed(items: tuple[object, ...]) -> str:
    return ", ".join(map(str, items[:SHOWN]))
