"""Everything that changes while training goes on, as one value: what a checkpoint holds, and nothing else.

The position in the data is the number of steps, since the order is a pure function of it (see `order`). The random
state is torch's own, of which dropout draws; nothing here draws from those of Python and numpy.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from time import perf_counter
from typing import Any

import torch
from torch import Tensor, nn

from chainrule.errors import InputError
from chainrule.training.averaging import WeightAverage
from chainrule.training.engine import sharded_like
from chainrule.training.forward import TrainingForward
from chainrule.training.state_dict_json import difference
from chainrule.training.step import StepResult
from chainrule.training.throughput import Pace

__all__ = ["Record", "TrainingState", "random_state", "set_random_state"]

Record = dict[str, Any]


class TrainingState:
    """Where training stands after a number of steps.

    model, average, optimizer: the live objects, which are moved in place. step: optimizer steps taken. kept, best_step,
    best_valid_nats: the weights of the best validation, its step and its nats per example. records: one a validation.
    pace: sums since the last of them. climb, trained: the model as training sees it, and the module whose parameters
    the optimizer moves, the same unless sharded. ended: why training is over ("steps", "patience"), "" until then.
    """

    def __init__(
        self,
        model: nn.Module,
        average: WeightAverage[nn.Module],
        optimizer: torch.optim.Optimizer,
        climb: TrainingForward,
        trained: nn.Module,
    ) -> None:
        self.model, self.average, self.optimizer = model, average, optimizer
        self.climb, self.trained = climb, trained
        self.step = 0
        self.kept = _copy(model.state_dict())
        self.best_step, self.best_valid_nats = 0, math.inf
        self.records: list[Record] = []
        self.pace = Pace()
        self.ended = ""
        self._before, self._since = 0.0, perf_counter()

    @property
    def seconds(self) -> float:
        """How long training has lasted, in all processes that took part."""
        return self._before + perf_counter() - self._since

    def count(self, taken: StepResult) -> None:
        """A step was taken."""
        self.average.update(self.model)
        self.pace.add(taken)
        self.step += 1

    def validated(self, record: Record) -> bool:
        """Take in a validation of the averaged weights, and keep them if they are the best so far; whether they are."""
        self.records.append(record)
        self.pace.restart()
        better: bool = record["valid_nats_per_example"] < self.best_valid_nats
        if better:
            self.best_step, self.best_valid_nats = self.step, record["valid_nats_per_example"]
            self.kept = _copy(self.average.model.state_dict())
        return better

    @property
    def without_better(self) -> int:
        """Validations since the best one."""
        return sum(record["step"] > self.best_step for record in self.records)

    def not_finite(self) -> str | None:
        """The name of a weight that is no number any more; None if all are."""
        return next((name for name, weight in self.model.named_parameters() if not weight.isfinite().all()), None)

    def state_dict(self) -> dict[str, Any]:
        """All of it as dictionaries, lists, numbers and tensors."""
        return {
            "model": self.model.state_dict(),
            "average": self.average.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "scaler": self.climb.precision.scaler.state_dict(),
            "kept": self.kept,
            "random": random_state(),
            "progress": {
                "step": self.step,
                "best_step": self.best_step,
                "best_valid_nats": self.best_valid_nats,
                "ended": self.ended,
                "seconds": self.seconds,
                "pace": self.pace.state_dict(),
            },
            "records": self.records,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from such a state; raises InputError, and changes nothing, if it does not fit."""
        reason = next(self._misfits(state), None)
        if reason is not None:
            raise InputError(f"the state does not fit: {reason}")
        self.model.load_state_dict(state["model"])
        self.average.load_state_dict(state["average"])
        self._load_optimizer(state["optimizer"])
        if state["scaler"]:
            self.climb.precision.scaler.load_state_dict(state["scaler"])
        self.kept = {name: tensor.to(self.kept[name].device) for name, tensor in state["kept"].items()}
        progress = state["progress"]
        for name in ("step", "best_step", "best_valid_nats", "ended"):
            setattr(self, name, progress[name])
        self._before, self._since = progress["seconds"], perf_counter()
        self.records = state["records"]
        self.pace.load_state_dict(progress["pace"])
        set_random_state(state["random"])

    def _load_optimizer(self, saved: dict[str, Any]) -> None:
        """Load what is whole into an optimizer whose parameters may be sharded, and the weights into their shards."""
        parameters = [parameter for group in self.optimizer.param_groups for parameter in group["params"]]
        for number, entries in saved["state"].items():
            for name, value in entries.items():
                if isinstance(value, Tensor) and value.ndim > 0:
                    entries[name] = sharded_like(parameters[number], value)
        self.optimizer.load_state_dict(saved)
        if self.trained is not self.climb:
            with torch.no_grad():
                for shard, whole in zip(self.trained.parameters(), self.climb.parameters(), strict=True):
                    shard.copy_(sharded_like(shard, whole.detach()))

    def _misfits(self, state: dict[str, Any]) -> Iterator[str]:
        """Why a state cannot take the place of this one."""
        live = self.state_dict()
        for name in ("optimizer", "records"):  # what grows: empty before the first step
            live.pop(name)
        if odd := live.keys() ^ (state.keys() - {"optimizer", "records"}):
            yield f"{min(odd)} is missing or unknown"
            return
        if found := difference(live, {name: state[name] for name in live}):
            yield found
            return
        if found := _optimizer_misfit(self.optimizer, state.get("optimizer")):
            yield found
        progress, records = state["progress"], state.get("records")
        numbers = [progress["step"] - progress["best_step"], progress["best_step"], *progress["pace"].values()]
        ended = progress["ended"] in ("", "steps", "patience")
        if not min(numbers) >= 0 or math.isnan(progress["best_valid_nats"]) or not ended:
            yield "progress holds what cannot be"
        if not isinstance(records, list) or not all(_is_record(record, progress["step"]) for record in records):
            yield "records are not records of validations"
        try:
            torch.Generator().set_state(state["random"]["torch"])
        except RuntimeError as error:
            yield f"random: {error}"


def random_state() -> dict[str, Any]:
    """The state of torch's generators."""
    cuda = torch.cuda.get_rng_state_all() if torch.cuda.is_available() else []
    return {"torch": torch.get_rng_state(), "cuda": cuda}


def set_random_state(state: dict[str, Any]) -> None:
    """Set torch's generators."""
    torch.set_rng_state(state["torch"])
    if state["cuda"]:
        torch.cuda.set_rng_state_all(state["cuda"])


def _copy(state: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name: tensor.detach().clone() for name, tensor in state.items()}


def _is_record(record: Any, step: int) -> bool:
    if not isinstance(record, dict) or not all(type(value) in (int, float) for value in record.values()):
        return False
    return type(record.get("step")) is int and record["step"] <= step and "valid_nats_per_example" in record


def _optimizer_misfit(optimizer: torch.optim.Optimizer, saved: Any) -> str | None:
    """Why a saved state is not one of this optimizer's: a tensor has its parameter's shape or is a number."""
    live = optimizer.state_dict()
    if not isinstance(saved, dict) or saved.keys() != live.keys() or not isinstance(saved["state"], dict):
        return "optimizer is no state of an optimizer"
    if found := difference(live["param_groups"], saved["param_groups"], "optimizer.param_groups"):
        return found
    if [group["params"] for group in live["param_groups"]] != [group["params"] for group in saved["param_groups"]]:
        return "optimizer numbers the parameters otherwise"
    left = dict(saved["state"])
    for group, numbers in zip(optimizer.param_groups, live["param_groups"], strict=True):
        held = {number: left.pop(number) for number in numbers["params"] if number in left}
        if not all(isinstance(entries, dict) for entries in held.values()) or len({*map(tuple, held.values())}) > 1:
            return "optimizer holds other entries for some parameters than for others"
        shapes = dict(zip(numbers["params"], (parameter.shape for parameter in group["params"]), strict=True))
        for number, entries in held.items():
            for name, value in entries.items():
                if isinstance(value, Tensor) and value.ndim > 0 and value.shape != shapes[number]:
                    return f"optimizer.state.{number}.{name} is {tuple(value.shape)}, expected {tuple(shapes[number])}"
    return f"optimizer.state.{next(iter(left))} is of no parameter" if left else None
