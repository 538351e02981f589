"""Everything that changes while training goes on, as one value: what a checkpoint holds, and nothing else.

The position in the data is the number of steps, since the order of batches is a pure function of it (see `batches`).
The random state is torch's own, from which dropout draws; nothing here draws from those of Python and numpy.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from time import perf_counter
from typing import Any

import torch
from torch import Tensor, nn

from chainrule.errors import InputError
from chainrule.training.ema import WeightEMA
from chainrule.training.engine import Engine, sharded_like
from chainrule.training.forward import TrainingForward
from chainrule.training.state_dict_json import difference
from chainrule.training.step import StepResult
from chainrule.training.throughput import Throughput

__all__ = ["StepMetrics", "TrainingState", "random_state", "set_random_state"]

StepMetrics = dict[str, Any]  # figures of one step by name; each holds its "step"


class TrainingState:
    """Where training stands after a number of steps.

    model: the model, whose weights are moved in place.
    ema: the exponential moving average of its weights.
    optimizer: the optimizer, with what it remembers of the gradients.
    forward: the model as training sees it.
    trained: the module whose parameters the optimizer moves, `forward` itself unless the weights are sharded.
    engine: the processes that take part.
    step: optimizer steps taken.
    kept: the weights of the best validation.
    best_step: the step of that validation.
    best_valid_nats: its nats per example.
    validations: the metrics of each validation, in order.
    throughput: sums since the last validation.
    ended: why training is over ("steps" or "patience"), "" until then.
    """

    def __init__(
        self,
        model: nn.Module,
        ema: WeightEMA[nn.Module],
        optimizer: torch.optim.Optimizer,
        forward: TrainingForward,
        trained: nn.Module,
        engine: Engine,
    ) -> None:
        self.model, self.ema, self.optimizer = model, ema, optimizer
        self.forward, self.trained, self.engine = forward, trained, engine
        self.step = 0
        self.kept = _copy(model.state_dict())
        self.best_step, self.best_valid_nats = 0, math.inf
        self.validations: list[StepMetrics] = []
        self.throughput = Throughput()
        self.ended = ""
        self._before, self._since = 0.0, perf_counter()

    @property
    def seconds(self) -> float:
        """How long training has lasted, in all processes that took part."""
        return self._before + perf_counter() - self._since

    def count(self, result: StepResult) -> None:
        """Take in a step that the optimizer has taken."""
        self.ema.update(self.model)
        self.throughput.add(result)
        self.step += 1

    def add_validation(self, metrics: StepMetrics) -> bool:
        """Take in a validation of the averaged weights, keep them if they are the best so far, and return whether.

        Where there is nothing to validate on, the newest weights count as the best.
        """
        self.validations.append(metrics)
        self.throughput.restart()
        nats: float | None = metrics.get("valid_nats_per_example")
        best = nats is None or nats < self.best_valid_nats
        if best:
            self.best_step, self.best_valid_nats = self.step, self.best_valid_nats if nats is None else nats
            self.kept = _copy(self.ema.model.state_dict())
        return best

    @property
    def validations_since_best(self) -> int:
        """How many validations came after the best one."""
        return sum(metrics["step"] > self.best_step for metrics in self.validations)

    def not_finite(self) -> str | None:
        """The name of a weight that is NaN or infinite; None if all are finite."""
        return next((name for name, weight in self.model.named_parameters() if not weight.isfinite().all()), None)

    def state_dict(self) -> dict[str, Any]:
        """The whole state as dictionaries, lists, numbers and tensors, under the names of the checkpoint format."""
        return {
            "model": self.model.state_dict(),
            "average": self.ema.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "scaler": self.forward.precision.scaler.state_dict(),
            "kept": self.kept,
            "random": random_state(),
            "progress": {
                "step": self.step,
                "best_step": self.best_step,
                "best_valid_nats": self.best_valid_nats,
                "ended": self.ended,
                "seconds": self.seconds,
                "pace": self.throughput.state_dict(),
            },
            "records": self.validations,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from a saved state; raises InputError, and changes nothing, if it does not fit."""
        reason = next(self._misfits(state), None)
        if reason is not None:
            raise InputError(f"the state does not fit: {reason}")
        self.model.load_state_dict(state["model"])
        self.ema.load_state_dict(state["average"])
        self._load_optimizer(state["optimizer"])
        if state["scaler"]:
            self.forward.precision.scaler.load_state_dict(state["scaler"])
        self.kept = {name: tensor.to(self.kept[name].device) for name, tensor in state["kept"].items()}
        progress = state["progress"]
        for name in ("step", "best_step", "best_valid_nats", "ended"):
            setattr(self, name, progress[name])
        self._before, self._since = progress["seconds"], perf_counter()
        self.validations = state["records"]
        self.throughput.load_state_dict(progress["pace"])
        set_random_state(state["random"])

    def _load_optimizer(self, saved: dict[str, Any]) -> None:
        """Load what is whole into an optimizer whose parameters may be sharded, and the weights into their shards."""
        parameters = [parameter for group in self.optimizer.param_groups for parameter in group["params"]]
        for number, entries in saved["state"].items():
            for name, value in entries.items():
                if isinstance(value, Tensor) and value.ndim > 0:
                    entries[name] = sharded_like(parameters[number], value)
        self.optimizer.load_state_dict(saved)
        if self.trained is not self.forward:
            with torch.no_grad():
                for shard, whole in zip(self.trained.parameters(), self.forward.parameters(), strict=True):
                    shard.copy_(sharded_like(shard, whole.detach()))

    def _misfits(self, state: dict[str, Any]) -> Iterator[str]:
        """The reasons why a saved state cannot take the place of this one."""
        live = self.state_dict()
        for name in ("optimizer", "records"):  # what grows: empty before the first step
            live.pop(name)
        if unmatched := live.keys() ^ (state.keys() - {"optimizer", "records"}):
            yield f"{min(unmatched)} is missing or unknown"
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
            yield "progress holds impossible values"
        if not isinstance(records, list) or not all(_is_validation(entry, progress["step"]) for entry in records):
            yield "records are not the metrics of validations"
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


def _is_validation(metrics: Any, step: int) -> bool:
    """Whether these are the metrics of a validation, not after a step."""
    if not isinstance(metrics, dict) or not all(type(value) in (int, float) for value in metrics.values()):
        return False
    return type(metrics.get("step")) is int and metrics["step"] <= step


def _optimizer_misfit(optimizer: torch.optim.Optimizer, saved: Any) -> str | None:
    """Why a saved state is not one of this optimizer: each tensor must have its parameter's shape or be a scalar."""
    live = optimizer.state_dict()
    if not isinstance(saved, dict) or saved.keys() != live.keys() or not isinstance(saved["state"], dict):
        return "optimizer is not the state of an optimizer"
    if found := difference(live["param_groups"], saved["param_groups"], "optimizer.param_groups"):
        return found
    if [group["params"] for group in live["param_groups"]] != [group["params"] for group in saved["param_groups"]]:
        return "optimizer numbers the parameters differently"
    left = dict(saved["state"])
    for group, numbers in zip(optimizer.param_groups, live["param_groups"], strict=True):
        entries_of = {number: left.pop(number) for number in numbers["params"] if number in left}
        if (
            not all(isinstance(entries, dict) for entries in entries_of.values())
            or len({*map(tuple, entries_of.values())}) > 1
        ):
            return "optimizer holds other entries for some parameters than for others"
        shapes = dict(zip(numbers["params"], (parameter.shape for parameter in group["params"]), strict=True))
        for number, entries in entries_of.items():
            for name, value in entries.items():
                if isinstance(value, Tensor) and value.ndim > 0 and value.shape != shapes[number]:
                    return f"optimizer.state.{number}.{name} is {tuple(value.shape)}, expected {tuple(shapes[number])}"
    return f"optimizer.state.{next(iter(left))} belongs to no parameter" if left else None
