"""What `fit --resume` was given when the run was begun."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from chainrule.errors import InputError, RunError
from chainrule.runs.stored import StoredRun

__all__ = ["recalled"]


def recalled(path: Path | None, source: str | None, options: dict[str, Any]) -> tuple[str | None, dict[str, Any]]:
    """The data and the options that the run at a path was begun with, where they are not given again."""
    if path is None:
        raise InputError("--resume does not know which run is meant; name it with --out")
    if not (path / "config.json").exists():
        return source, options
    config = StoredRun.open(path).config
    if origin := config.get("imported"):
        raise RunError(
            f"{path}: was imported from {origin['from']}, there is no training to go on with; import it again"
        )
    asked = config.get("asked", {})
    before = asked.get("options", {}) | {part: config["model"][part] for part in ("network", "head")}
    before |= {"pixel_block": config["data"]["options"].get("pixel_block", 1)}  # what was chosen by default stays
    before |= {name: config["training"][name] for name in ("optimizer", "learning_rate", "precision")}
    before |= {"common_start": config["training"].get("common_start", 0.0)}
    if "minutes" in before:  # what was planned once stays, however fast the machine is today
        if (minutes := options.get("minutes", before["minutes"])) != before["minutes"]:
            told = f"was planned for {before['minutes']} minutes, not for {minutes}"
            raise RunError(f"{path}: {told}; go on with the same, or train anew elsewhere")
        before = before | {name: config["training"][name] for name in ("steps", "evaluate_every")}
        before |= {"members": config["model"].get("members", 1)}  # the time decided these, too
        before, options = ({k: v for k, v in given.items() if k != "minutes"} for given in (before, options))
    options = before | options
    for name in ("microbatch", "precision"):
        if options.get(name) == "auto":  # what was found once stays, whatever memory is free or machine is used today
            options[name] = config["training"][name]
    return source or asked.get("source"), options
