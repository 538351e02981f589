"""What `fit --resume` was given when the run was begun."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from chainrule.config.option import options_of
from chainrule.config.options import TrainingOptions
from chainrule.errors import InputError, RunError
from chainrule.runs.moved import options_of_moved, refuse_lost
from chainrule.runs.stored import StoredRun
from chainrule.runs.whereabouts import found_again
from chainrule.training.decisions import FILE

__all__ = ["recalled"]


def recalled(
    path: Path | None, source: Any, options: Mapping[str, Any], moved_to: str | None = None
) -> tuple[Any, dict[str, Any]]:
    """The data and the options that the run at a path was begun with, where they are not given again.

    path: the run directory.
    source: the data, None for those of the run.
    options: those that are given again.
    moved_to: where the data of the run are now, None where they were not moved.

    What was chosen by default or found by trial when the run was begun stays, whatever machine is used today.
    """
    if path is None:
        raise InputError("--resume does not know which run is meant; name it with --out")
    if moved_to is not None and source is not None:
        raise InputError(f"--moved-to {moved_to} and DATA {source} both say where the data are; give one of them")
    given = {name: value for name, value in options.items() if value is not None}
    source = moved_to if source is None else source
    if not (path / "config.json").exists():
        return source, given
    stored = StoredRun.open(path)
    stored.refuse_damaged()
    config = stored.config
    if origin := config.get("imported"):
        raise RunError(
            f"{path}: was imported from {origin['from']}, there is no training to go on with; import it again"
        )
    asked = config.get("asked", {})
    before = dict(asked.get("options", {}))
    before.pop("plan", None)  # its decisions stand in the run itself
    minutes = before.pop("minutes", None)
    _refuse_other_minutes(path, minutes, given.pop("minutes", None))
    before |= {stated.name: stated.default for stated in options_of(TrainingOptions)} | config.get("training", {})
    before |= {part: config["model"][part] for part in ("network", "head")}
    experts = [expert["network"]["name"] for expert in config["model"].get("experts", ())]
    before |= {"experts": ",".join(experts) or "none"}
    before |= {"members": config["model"].get("members", 1)} if "orders" not in before else {}
    stored_options = config["data"]["options"]
    before |= {"pixel_block": stored_options.get("pixel_block", 1)}
    if config["data"]["encoding"]["kind"] == "text":  # the default depends on the minutes
        before |= {name: stored_options[name] for name in ("window", "stride") if name in stored_options}
    by_hand = {"steps", "evaluate_every"} & given.keys()  # which are held against those of the run
    if minutes is not None and not by_hand and stored.files.read(FILE) is not None:  # earlier versions planned once
        before |= {"minutes": minutes, "plan": str(path)}
    if source in (None, asked.get("source")) and config["data"]["options"].get("builtin"):
        before["builtin"] = True  # whatever path has its name by now
    given = {name: value for name, value in given.items() if value != "auto"}
    if isinstance(source, str):
        return source, options_of_moved(before, source) | given
    known = asked.get("source") if source is None else None
    if known is not None:
        known = _found(str(known), before, config.get("places", {}), path)
        refuse_lost(str(path), known, before | given)
    return source if known is None else known, before | given


def _found(source: str, options: dict[str, Any], places: Mapping[str, Any], run: Path) -> str:
    """Where the data of a run are now. options: of `load`, in which the test set is put where that is now."""
    if options.get("test") is not None:
        options["test"] = found_again(str(options["test"]), places.get("test"), run)
    return found_again(source, places.get("data"), run)


def _refuse_other_minutes(path: Path, before: float | None, given: float | None) -> None:
    """A time from which the steps were planned once cannot be changed, and is not planned from again."""
    if given not in (None, before):
        planned = "for a number of steps" if before is None else f"for {before} minutes"
        raise RunError(
            f"{path}: was planned {planned}, not for {given} minutes; go on with the same, or train anew elsewhere"
        )
