"""`chainrule probe`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter
from cyclopts.validators import Number

from chainrule.cli.options import Data, Json, MovedTo, RunPath, Split, console_of

__all__ = ["probe"]


def probe(
    run: RunPath,
    source: Data = None,
    /,
    *,
    labels: Annotated[
        Path | None, Parameter(help="A .npy file or a text with one label per example [default: the data's own].")
    ] = None,
    split: Split = "test",
    segments: Annotated[
        int, Parameter(help="Averages per example, such as one for each row of an image.", validator=Number(gte=1))
    ] = 1,
    folds: Annotated[int, Parameter(help="Number of folds of the cross-validation.", validator=Number(gte=2))] = 5,
    moved_to: MovedTo = None,
    json: Json = False,
) -> None:
    """Say how well a linear classifier reads labels off each layer: the representation that a model has learned."""
    from chainrule.reporting.tables import probe_table
    from chainrule.runs.run import Run

    console = console_of(json)
    result = Run.open(run).probe(source, labels=labels, split=split, segments=segments, folds=folds, moved_to=moved_to)
    title = f"linear probe, {result.folds} folds over {result.examples} examples"
    console.print(probe_table(result.layers, result.best, title))
    console.result(result.to_json())
