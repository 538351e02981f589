"""One optimizer step: the exact objective over microbatches and processes, its gradient clipped, the weights moved.

    loss = -( sum over microbatches and processes of L_n - R_n ) / N_step - ln p(theta) / N_data

N_step is known before the first backward pass; the prior's gradient is added once, after the sum.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from time import perf_counter
from typing import Any

import torch
from torch import Tensor, nn

from chainrule.batch import Batch
from chainrule.errors import InputError
from chainrule.training.engine import Engine, unsharded
from chainrule.training.forward import TrainingForward
from chainrule.training.objective import Objective
from chainrule.training.settings import TrainingSettings

__all__ = ["StepResult", "Stepper", "TrainingDiverged"]


class TrainingDiverged(InputError):
    """The loss is NaN or infinite; the best weights so far are kept."""


@dataclass(frozen=True)
class StepResult:
    """The figures of one optimizer step, over all microbatches and processes.

    nats: -sum L_n of its examples, nats.
    exact: whether that is a log-likelihood, not the training estimate of one.
    penalty: what priors and regularisers add to the loss, nats per example or per element as the objective divides.
    gradient_norm: norm of the gradient before clipping.
    examples: number of examples.
    elements: number of scored elements.
    dims: number of raw scalars.
    first_step_seconds: seconds of forward and backward in the step that compiled the network, else None.
    """

    nats: float
    exact: bool
    penalty: float
    gradient_norm: float
    examples: int
    elements: int
    dims: int
    first_step_seconds: float | None = None

    @property
    def nats_name(self) -> str:
        """The name under which the nats are reported: an estimate is never called nats."""
        return "nats_per_example" if self.exact else "estimate_per_example"

    def metrics(self) -> dict[str, Any]:
        """Gradient norm and penalty, which is never part of the nats; after a compilation its seconds, too."""
        compiled = {} if self.first_step_seconds is None else {"first_step_seconds": self.first_step_seconds}
        return {"gradient_norm": self.gradient_norm, "penalty": self.penalty} | compiled


class Stepper:
    """Takes optimizer steps.

    Each process cuts its share of the batch into microbatches.

    forward: the model as training sees it.
    trained: the same, or its sharded copy, whose parameters the optimizer moves.
    objective: the loss, divided once by a count of the whole step.
    optimizer: what moves the weights.
    engine: the processes that take part.
    settings: of which the norm at which gradients are clipped, the seed and the size of a microbatch are used.
    """

    def __init__(
        self,
        forward: TrainingForward,
        trained: nn.Module,
        objective: Objective,
        optimizer: torch.optim.Optimizer,
        engine: Engine,
        settings: TrainingSettings,
    ) -> None:
        self.forward, self.trained, self.objective, self.optimizer = forward, trained, objective, optimizer
        self.engine, self.clip_norm, self.seed = engine, settings.clip_norm, settings.seed
        self.microbatch = settings.microbatch if isinstance(settings.microbatch, int) else settings.batch_size
        self.parameters = [parameter for parameter in trained.parameters() if parameter.requires_grad]
        self.scaler = forward.precision.scaler
        self.compiling = forward.compiled

    def __call__(self, batch: Batch, rate: float, number: int) -> StepResult:
        """One optimizer step. Raises TrainingDiverged.

        batch: this process's share of the batch.
        rate: learning rate.
        number: number of the step, from 1.
        """
        batch = batch.to(self.parameters[0].device)
        microbatches = self.engine.microbatches(batch, self.microbatch)
        self.engine.reseed(self.seed, number)
        local = [self.objective.count(microbatches), batch.examples, int(batch.mask.sum()), int(batch.dims.sum())]
        count, examples, elements, dims = (int(total) for total in self.engine.add_up(local))
        begun = perf_counter()
        nats, added = self._backward(microbatches, count)
        compiled, self.compiling = (perf_counter() - begun if self.compiling else None), False
        norm, prior = self._gradient()
        nats, added = self.engine.add_up([nats, added])
        if not math.isfinite(nats + added) or not (math.isfinite(norm) or self.scaler.is_enabled()):
            raise TrainingDiverged(
                f"at step {number} the log-likelihood is {-nats} and the gradient's norm {norm}; "
                "lower the learning rate or check the data"
            )
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        self.scaler.step(self.optimizer)
        self.scaler.update()
        self.optimizer.zero_grad(set_to_none=True)
        self.engine.gather(self.trained, self.forward)
        return StepResult(nats, self.forward.exact, added / count + prior, norm, examples, elements, dims, compiled)

    def _backward(self, microbatches: list[Batch], count: int) -> tuple[float, float]:
        """Add up the gradients of the microbatches and return -sum L_n and sum R_n."""
        nats, added = 0.0, 0.0
        with self.engine.together():
            for microbatch in microbatches:
                log_prob, penalty = self.trained(microbatch)
                loss = self.objective.loss(log_prob - penalty, count)
                self.scaler.scale(loss).backward()  # type: ignore[no-untyped-call]
                nats -= float(log_prob.detach().sum(dtype=torch.float64))
                added += float(penalty.detach().sum(dtype=torch.float64))
        return nats, added

    def _gradient(self) -> tuple[float, float]:
        """Add the gradients of all processes and of the prior and clip the sum; its norm, and the prior's penalty."""
        self.engine.add_gradients(self.parameters)
        if self.scaler.is_enabled():
            self.scaler.unscale_(self.optimizer)
        with self.engine.together():
            penalty = self.objective.penalty(self.trained.get_submodule("model"))
            if penalty is not None:
                penalty.backward()  # type: ignore[no-untyped-call]
            norm = unsharded(nn.utils.clip_grad_norm_(self.parameters, self.clip_norm))
            return float(norm), 0.0 if penalty is None else _number(penalty)


def _number(penalty: Tensor) -> float:
    return float(unsharded(penalty.detach()))
