"""One optimizer step: the exact objective over microbatches, its gradient clipped, the weights moved."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from chainrule.batch import Batch
from chainrule.errors import InputError
from chainrule.objective import Objective
from chainrule.training.settings import TrainingSettings

__all__ = ["TrainingDiverged", "take_step"]


class TrainingDiverged(InputError):
    """The loss is no number any more; the best weights so far are kept."""


def take_step(
    model: nn.Module,
    batch: Batch,
    objective: Objective,
    optimizer: torch.optim.Optimizer,
    rate: float,
    settings: TrainingSettings,
    number: int,
) -> tuple[float, float]:
    """One optimizer step over microbatches; the nats of its examples and the norm of its gradient."""
    batch = batch.to(next(model.parameters()).device)
    microbatches = batch.split(settings.microbatch or settings.batch_size)
    count = objective.count(microbatches)
    nats = 0.0
    for microbatch in microbatches:
        log_prob: Tensor = model(microbatch)
        objective.loss(log_prob, count).backward()  # type: ignore[no-untyped-call]
        nats -= float(log_prob.detach().sum(dtype=torch.float64))
    norm = float(nn.utils.clip_grad_norm_(model.parameters(), settings.clip_norm))
    if not (math.isfinite(nats) and math.isfinite(norm)):
        raise TrainingDiverged(
            f"at step {number} the log-likelihood is {-nats} and the gradient's norm {norm}; "
            "lower the learning rate or look at the data"
        )
    for group in optimizer.param_groups:
        group["lr"] = rate
    optimizer.step()
    optimizer.zero_grad(set_to_none=True)
    return nats, norm
