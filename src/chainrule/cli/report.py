"""`chainrule report`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from chainrule.cli.options import Json, MovedTo, RunPath, console_of

__all__ = ["report"]


def report(
    run: RunPath,
    /,
    *,
    out: Annotated[Path | None, Parameter(help="An .html file [default: report.html in the run directory].")] = None,
    moved_to: MovedTo = None,
    json: Json = False,
) -> None:
    """Write one self-contained page: figures, learning curve, samples, where the bits are, calibration, certificate."""
    from chainrule.runs.run import Run

    console = console_of(json)
    result = Run.open(run).report(out, moved_to=moved_to)
    console.print(f"report: {result.out}, {result.bytes / 1000:.0f} kB")
    console.result(result.to_json())
