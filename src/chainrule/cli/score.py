"""`chainrule score`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from chainrule.cli.options import BatchSize, Json, MovedTo, RunPath, console_of, flag

__all__ = ["score"]


def score(
    run: RunPath,
    source: Annotated[str, Parameter(name="DATA", help="What to score.")],
    /,
    *,
    split: Annotated[str | None, Parameter(help="Of DATA with splits: train, valid or test [default: all].")] = None,
    out: Annotated[Path | None, Parameter(help="A .csv or .jsonl file [default: CSV on standard output].")] = None,
    novelty: Annotated[bool, flag("Also typicality, ratio and conformal p-values.")] = False,
    background: Annotated[
        Path | None, Parameter(help="A run whose likelihood is taken out of the ratio [default: symbol counts].")
    ] = None,
    moved_to: MovedTo = None,
    batch_size: BatchSize = None,
    json: Json = False,
) -> None:
    """Print ln p(x) of every example of DATA, in nats, and how strange it is if so asked."""
    from chainrule.runs.run import Run

    console = console_of(json)
    result = Run.open(run).score(
        source,
        split=split,
        out=out,
        novelty=novelty,
        background=background,
        moved_to=moved_to,
        batch_size=batch_size,
        progress=console.progress,
    )
    counts = ", ".join(f"{name} {count}" for name, count in result.splits.items())
    said = f"ln p of {len(result.log_prob)} examples in nats{f' ({counts})' if counts else ''}"
    if result.out is not None:
        console.print(f"{said}: {result.out}")
    elif not json:
        if counts:
            print(said, file=sys.stderr)
        console.write(result.to_csv())
    console.result(result.to_json())
