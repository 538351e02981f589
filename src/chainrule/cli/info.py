"""`chainrule info`. Imports no torch where a run is named."""

from __future__ import annotations

import json as json_module
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from chainrule.cli.options import Json, console_of

if TYPE_CHECKING:
    from chainrule.reporting.console import Console
    from chainrule.runs.info import PartsInfo, RunInfo

__all__ = ["info"]


def info(
    run: Annotated[
        Path | None, Parameter(name="RUN", help="A run directory [default: the parts there are to choose from].")
    ] = None,
    /,
    *,
    json: Json = False,
) -> None:
    """Say what a run directory holds, or which networks, heads and defaults there are."""
    from chainrule.runs.info import info as info_of
    from chainrule.runs.info import info_of_parts
    from chainrule.runs.stored import StoredRun

    console = console_of(json)
    if run is None:
        parts = info_of_parts()
        _show_parts(parts, console)
        console.result(parts.to_json())
    else:
        found = info_of(StoredRun.open(run))
        _show_run(found, console)
        console.result(found.to_json())


def _show_run(found: RunInfo, console: Console) -> None:
    from chainrule.reporting.visible import bold

    data = found.config["data"]
    console.print(bold(found.run), f": {data['name']}, {data['note']}")
    for section in ("model", "training", "versions"):
        console.print(bold(section), f" {json_module.dumps(found.config[section])}")
    if found.in_training is not None:
        console.print(bold("in training"), f" {found.in_training}")
    for split, result in (found.report or {"results": {}})["results"].items():
        console.print(f"{split}: {result['nats_per_example']} nats/example over {result['examples']} examples")


def _show_parts(parts: PartsInfo, console: Console) -> None:
    from chainrule.reporting.visible import bold

    for section, entries in parts.to_json().items():
        console.print(bold(section))
        for name, options in entries.items():
            console.print(f"  {name}: {json_module.dumps(options)}")
