"""`Run.info`: what a run holds; and what parts there are to choose from. Imports no torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from chainrule.runs.lock import writer_of
from chainrule.runs.stored import StoredRun

__all__ = ["PartsInfo", "RunInfo", "info", "info_of_parts"]


@dataclass(frozen=True)
class RunInfo:
    """What a run holds.

    run: its name.
    config: the content of `config.json`.
    report: the content of `report.json`, None before training has ended.
    in_training: which process is training it and how far it is, in words; None where none is.
    """

    run: str
    config: dict[str, Any]
    report: dict[str, Any] | None
    in_training: str | None = None

    def to_json(self) -> dict[str, Any]:
        """Everything by name."""
        training = {} if self.in_training is None else {"in_training": self.in_training}
        return {"run": self.run, "config": self.config, "report": self.report} | training


@dataclass(frozen=True)
class PartsInfo:
    """What there is to choose from: networks and heads with their options, and the defaults of each kind of data."""

    networks: dict[str, dict[str, Any]]
    heads: dict[str, dict[str, Any]]
    defaults: dict[str, Any]

    def to_json(self) -> dict[str, Any]:
        """Everything by name."""
        return {"networks": self.networks, "heads": self.heads, "defaults": self.defaults}


def info(run: StoredRun) -> RunInfo:
    """Say what a run holds: its configuration and, once it is trained, its results."""
    run.refuse_damaged()
    return RunInfo(run.name, run.config, run.report_dict, _in_training(run))


def _in_training(run: StoredRun) -> str | None:
    """Which process is training a run, and the last validation that it wrote down."""
    if run.path is None or (who := writer_of(run.path, but_this=True)) is None:
        return None
    validations = run.metrics()
    steps = run.config.get("training", {}).get("steps")
    return f"by {who}; " + (
        f"validated at step {validations[-1]['step']} of {steps}" if validations else "not validated yet"
    )


def info_of_parts() -> PartsInfo:
    """Say which networks, heads and defaults there are."""
    from chainrule.config.defaults import DEFAULTS
    from chainrule.config.registry import HEADS, NETWORKS, part_options

    networks = {name: part_options("network", name) for name in NETWORKS}
    heads = {name: part_options("head", name) for name in HEADS}
    return PartsInfo(networks, heads, DEFAULTS)
