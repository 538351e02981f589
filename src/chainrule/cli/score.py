"""`chainrule score`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from chainrule.cli.options import BatchSize, Json, RunPath, console_of, flag

__all__ = ["score"]


def score(
    run: RunPath,
    source: Annotated[str, Parameter(name="DATA", help="What to score.")],
    /,
    *,
    out: Annotated[Path | None, Parameter(help="A .csv or .jsonl file [default: CSV on standard output].")] = None,
    novelty: Annotated[bool, flag("Also typicality, ratio and conformal p-values.")] = False,
    background: Annotated[
        Path | None, Parameter(help="A run whose likelihood is taken out of the ratio [default: symbol counts].")
    ] = None,
    batch_size: BatchSize = None,
    json: Json = False,
) -> None:
    """Print ln p(x) of every example of DATA, in nats, and how strange it is if so asked."""
    from chainrule.runs.run import Run

    console = console_of(json)
    result = Run.open(run).score(
        source, out=out, novelty=novelty, background=background, batch_size=batch_size, progress=console.progress
    )
    if result.out is not None:
        console.print(f"ln p of {len(result.log_prob)} examples in nats: {result.out}")
    elif not json:
        console.write(result.to_csv())
    console.result(result.to_json())
