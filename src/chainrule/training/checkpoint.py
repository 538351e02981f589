"""Checkpoints: the state of training on disk, whole or not at all, and verified before it is used.

    checkpoints/step-00000100/
        model.safetensors, average.safetensors, kept.safetensors, optimizer.safetensors, random.safetensors
        state.json       everything that is not a tensor, with references to the tensors
        manifest.json    format, step, the run it belongs to, size and SHA-256 of each file, and of itself

Safetensors and JSON only: nothing that is loaded can run. Safetensors does not notice a flipped bit, hence the hashes.
Every file is synced before the directory gets its name, so a directory named `step-*` is whole; the last few are kept.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from time import perf_counter
from typing import Any, Protocol

from safetensors import SafetensorError
from safetensors.torch import load, save

from chainrule.atomic_files import read_inside, remove_directory, sweep, write_directory
from chainrule.errors import InputError, RunError
from chainrule.training.state_dict_json import join, split

__all__ = ["Checkpoints", "Stateful"]

FORMAT = 1
SHARE = 0.01  # of the time, at most, for checkpoints whose interval is not given
FIRST = 10.0  # seconds before the first of them, and at least between two
NAME = re.compile(r"step-(\d{8,})")


class Stateful(Protocol):
    """A state that can be saved and restored."""

    step: int

    def state_dict(self) -> dict[str, Any]:
        """Dictionaries, lists, numbers, text and tensors."""

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take the values of a saved state; raises InputError, and changes nothing, if it does not fit."""


class Checkpoints:
    """The checkpoints of one run.

    path: their directory.
    owner: text that says which run they belong to; those of another run are refused.
    keep: number of checkpoints that are kept.
    every: steps between two checkpoints; None for as often as costs 1 % of the time.
    say: called with messages for the user.
    writes: False in all processes of a job but the first; they take part in `save`, which gathers a sharded state.
    clock: the time in seconds, from any start.
    """

    def __init__(
        self,
        path: Path,
        owner: str = "",
        keep: int = 2,
        every: int | None = None,
        say: Callable[[str], Any] = lambda text: None,
        writes: bool = True,
        clock: Callable[[], float] = perf_counter,
    ) -> None:
        self.path, self.owner, self.keep, self.every, self.say, self.writes = path, owner, keep, every, say, writes
        self.saved_step: int | None = None
        self.seconds = 0.0
        self._clock, self._last, self._cost = clock, clock(), 0.0

    def steps(self) -> list[int]:
        """The steps that have a checkpoint, in order."""
        names = (NAME.fullmatch(path.name) for path in self.path.iterdir()) if self.path.is_dir() else ()
        return sorted(int(name[1]) for name in names if name)

    def place(self, step: int) -> Path:
        """The directory of a step's checkpoint."""
        return self.path / f"step-{step:08d}"

    def last(self) -> Path | None:
        """The directory of the newest checkpoint."""
        return self.place(self.steps()[-1]) if self.steps() else None

    def due(self, step: int) -> bool:
        """Whether it is time for another checkpoint after a step."""
        if self.every is not None:
            return step % self.every == 0
        return self._clock() - self._last >= max(FIRST, self._cost / SHARE)

    def save(self, state: Stateful) -> None:
        """Write a checkpoint of the state, then remove the oldest ones beyond the number that is kept."""
        if state.step == self.saved_step:
            return
        begun = self._clock()
        files = _files(state, self.owner)
        if self.writes:
            self._write(state.step, files)
        self.saved_step, self._last = state.step, self._clock()
        self._cost = self._last - begun
        self.seconds += self._cost

    def _write(self, step: int, files: dict[str, bytes]) -> None:
        try:
            self.path.mkdir(exist_ok=True)
            write_directory(self.place(step), files)
            for other in self.steps():
                if other > step:  # damaged, or this run would stand there
                    remove_directory(self.place(other))
            self._remove_oldest(step)
        except OSError as error:
            raise RunError(
                f"{self.path}: a checkpoint at step {step} cannot be written ({error.strerror}); "
                "make room, and go on from the one before with --resume"
            ) from None

    def _remove_oldest(self, step: int) -> None:
        """Remove older checkpoints: of those up to a step, only the last ones stay."""
        for other in [other for other in self.steps() if other <= step][: -self.keep]:
            remove_directory(self.place(other))

    def restore(self, state: Stateful) -> int:
        """Restore the newest undamaged checkpoint and return its step, 0 if there is no checkpoint at all.

        A damaged one is reported, and the one before it is used. Raises RunError if all of them are damaged. One that a
        killed process had no time to remove is removed.
        """
        if self.writes:
            sweep(self.path)
        damaged = ""
        for step in reversed(self.steps()):
            place = self.place(step)
            try:
                state.load_state_dict(read(place, step, self.owner))
            except (InputError, OSError) as error:
                damaged = f"{place} is damaged: {error}"
                self.say(f"{damaged}; trying the one before")
                continue
            self.saved_step = step
            if self.writes:
                with suppress(OSError):  # the next save tries again
                    self._remove_oldest(step)
            return step
        if damaged:
            raise RunError(
                f"none of the checkpoints can be loaded: {damaged}; restore one from a backup or train again"
            )
        return 0


def read(place: Path, step: int, owner: str) -> dict[str, Any]:
    """The state in a checkpoint, after its hashes were verified; raises InputError with what is wrong with it."""
    manifest = _manifest(place / "manifest.json")
    if (manifest["format"], manifest["step"], manifest["run"]) != (FORMAT, step, owner):
        raise InputError(f"it has another format, step or run (format {manifest['format']}, step {manifest['step']})")
    if {path.name for path in place.iterdir()} != {"manifest.json", *manifest["files"]}:
        raise InputError("a file is missing or unknown")
    contents = {name: read_inside(place, name) for name in manifest["files"]}
    for name, content in contents.items():
        if manifest["files"][name] != {"bytes": len(content), "sha256": sha256(content).hexdigest()}:
            raise InputError(f"{name} is not what was written (its hash differs)")
    try:
        values = json.loads(contents.pop("state.json"))
        tensors = {
            f"{name.removesuffix('.safetensors')}.{key}": tensor
            for name, content in contents.items()
            for key, tensor in load(content).items()
        }
    except (KeyError, TypeError, ValueError, RuntimeError, SafetensorError) as error:
        raise InputError(f"it cannot be read ({error})") from None
    state = join(values, tensors)
    if not isinstance(state, dict):
        raise InputError("it does not hold a state")
    return state


def _files(state: Stateful, owner: str) -> dict[str, bytes]:
    """The content of each file of a checkpoint; the manifest comes last."""
    values, tensors = split(state.state_dict())
    parts: dict[str, dict[str, Any]] = {}
    for path, tensor in tensors.items():
        part, _, name = path.partition(".")
        parts.setdefault(part, {})[name] = tensor.detach().cpu().clone().contiguous()
    files = {f"{part}.safetensors": save(of_part) for part, of_part in parts.items()}
    files["state.json"] = _json(values)
    hashes = {name: {"bytes": len(content), "sha256": sha256(content).hexdigest()} for name, content in files.items()}
    manifest = {"format": FORMAT, "step": state.step, "run": owner, "files": hashes}
    return files | {"manifest.json": _json(manifest | {"sha256": sha256(_json(manifest)).hexdigest()})}


def _manifest(path: Path) -> dict[str, Any]:
    """A manifest, after a check that it is, to the last byte, what was written."""
    content = read_inside(path.parent, path.name)
    try:
        manifest = json.loads(content)
        body = {key: manifest[key] for key in ("format", "step", "run", "files")}
    except (KeyError, TypeError, ValueError, RecursionError) as error:
        raise InputError(f"manifest.json cannot be read ({error})") from None
    if content != _json(body | {"sha256": sha256(_json(body)).hexdigest()}):
        raise InputError("manifest.json is not what was written (its hash differs)")
    if not isinstance(body["files"], dict) or "state.json" not in body["files"]:
        raise InputError("manifest.json does not name the files")
    return body


def _json(value: Any) -> bytes:
    return (json.dumps(value, indent=1) + "\n").encode()  # with Infinity: it is read here only, and exactly
