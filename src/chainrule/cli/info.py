"""`chainrule info`: what a run directory holds, or what there is to choose from."""

from __future__ import annotations

import json
from pathlib import Path

from chainrule.config.defaults import DEFAULTS
from chainrule.config.registry import HEADS, NETWORKS, part_options
from chainrule.reporting.console import Console
from chainrule.runs.run import Run

__all__ = ["info_parts", "info_run"]


def info_run(path: Path, console: Console) -> None:
    """Print the configuration of a run and, once it is trained, its results."""
    run = Run.open(path)
    report_path = path / "report.json"
    report = json.loads(report_path.read_text()) if report_path.exists() else None
    config = run.config
    console.print(f"[bold]{path}[/]: {config['data']['name']}, {config['data']['note']}")
    for section in ("model", "training", "versions"):
        console.print(f"[bold]{section}[/] {json.dumps(config[section])}")
    if report is not None:
        for split, result in report["results"].items():
            console.print(f"{split}: {result['nats_per_example']} nats/example over {result['examples']} examples")
    console.result({"run": str(path), "config": config, "report": report})


def info_parts(console: Console) -> None:
    """Print the networks and heads with their options, and the defaults of each kind of data."""
    record = {
        "networks": {name: part_options("network", name) for name in NETWORKS},
        "heads": {name: part_options("head", name) for name in HEADS},
        "defaults": DEFAULTS,
    }
    for section, entries in record.items():
        console.print(f"[bold]{section}[/]")
        for name, options in entries.items():
            console.print(f"  {name}: {json.dumps(options)}")
    console.result(record)
