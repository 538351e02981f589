"""A run that is still in training, or whose training broke off: what can be read of it already."""

from __future__ import annotations

import warnings
from typing import Any

from torch import nn

from chainrule.errors import InputError, RunError
from chainrule.runs.lock import writer_of
from chainrule.runs.stored import StoredRun

__all__ = ["load_newest_weights", "warn_of_training"]


def warn_of_training(run: StoredRun) -> None:
    """Warn that the weights are not final where another process is training the run."""
    if run.path is not None and (who := writer_of(run.path, but_this=True)) is not None:
        warnings.warn(
            f"{run.name}: is in training by {who}; its weights so far, of the best validation, are used", stacklevel=3
        )


def load_newest_weights(run: StoredRun, model: nn.Module) -> None:
    """Load the averaged weights of the newest checkpoint, for a run that has no kept weights yet.

    Raises RunError where there are none to be had, which says whether the run is in training; and where training has
    ended, so that the kept weights were there: those of a checkpoint would give other figures than the report has.
    """
    who = None if run.path is None else writer_of(run.path, but_this=True)
    if who is None and run.files.read("report.json") is not None:
        raise RunError(
            f"{run.name}/model.safetensors: there are no weights, though training has ended; restore the file or train "
            "again"
        )
    for step, state in _checkpoints(run):
        weights = state["average"]["model"] if "average" in state else None
        if weights is not None:
            model.load_state_dict(weights)
            is_in = f"is in training by {who}" if who else "has no kept weights"
            warnings.warn(f"{run.name}: {is_in}; the weights of its checkpoint at step {step} are used", stacklevel=3)
            return
    if who is None:
        raise RunError(
            f"{run.name}/model.safetensors: there are no weights; training ended before its first validation"
        )
    if (run.directory / "members").is_dir():
        members = f"name a member, such as {run.directory / 'members' / '1'}"
        raise RunError(f"{run.name}: in training by {who}; the average has weights once all members have; {members}")
    raise RunError(f"{run.name}: in training by {who}, no checkpoint with weights yet; look again later")


def _checkpoints(run: StoredRun) -> list[tuple[int, dict[str, Any]]]:
    """The newest checkpoint that can be read, if there is one: its step and its state."""
    if run.path is None:
        return []
    from chainrule.training.checkpoint import Checkpoints, read

    checkpoints = Checkpoints(run.path / "checkpoints", run.identity)
    for step in reversed(checkpoints.steps()):
        try:
            return [(step, read(checkpoints.place(step), step, checkpoints.owner))]
        except (InputError, OSError):
            continue  # damaged, or removed while it was read
    return []
