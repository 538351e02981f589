"""`Run.info`: what a run holds; and what parts there are to choose from. Imports no torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from chainrule.runs.stored import StoredRun

__all__ = ["PartsInfo", "RunInfo", "info", "info_of_parts"]


@dataclass(frozen=True)
class RunInfo:
    """What a run holds.

    run: its name.
    config: the content of `config.json`.
    report: the content of `report.json`, None before training has ended.
    """

    run: str
    config: dict[str, Any]
    report: dict[str, Any] | None

    def to_json(self) -> dict[str, Any]:
        """Everything by name."""
        return {"run": self.run, "config": self.config, "report": self.report}


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
    return RunInfo(run.name, run.config, run.report_dict)


def info_of_parts() -> PartsInfo:
    """Say which networks, heads and defaults there are."""
    from chainrule.config.defaults import DEFAULTS
    from chainrule.config.registry import HEADS, NETWORKS, part_options

    networks = {name: part_options("network", name) for name in NETWORKS}
    heads = {name: part_options("head", name) for name in HEADS}
    return PartsInfo(networks, heads, DEFAULTS)
