"""Evaluation: every example once, in order, whatever the batch size."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from chainrule.batch import Batch
from chainrule.data.base import Examples
from chainrule.errors import InputError
from chainrule.likelihood import LogLikelihood, Protocol
from chainrule.model import evaluating

__all__ = ["Evaluation", "evaluate"]


@dataclass(frozen=True)
class Evaluation:
    """What a model says of a set of examples.

    likelihood: sums, counts and metrics. nats: ln p of each example, in order, float64, shape (N,).
    """

    likelihood: LogLikelihood
    nats: npt.NDArray[np.float64]


def evaluate(
    model: torch.nn.Module,
    examples: Examples,
    *,
    batch_size: int = 256,
    protocol: Protocol | None = None,
    progress: Callable[[int], Any] | None = None,
) -> Evaluation:
    """Score every example once, in evaluation mode and without gradients, summing in float64.

    model: a module from a Batch to ln p of each of its examples (B,), such as an AutoregressiveModel. batch_size: a
    matter of speed only. progress: called with the number of examples done.

    >>> from chainrule import AutoregressiveModel, CategoricalHead, CausalConv
    >>> from chainrule.data import ArrayExamples
    >>> model = AutoregressiveModel(CausalConv(3, 4, width=8), CategoricalHead(8, 3))
    >>> evaluate(model, ArrayExamples(np.zeros((5, 4), dtype=np.int64))).likelihood.examples
    5
    """
    if batch_size < 1:
        raise InputError(f"a batch has at least one example, got batch_size={batch_size}")
    device = next((p.device for p in model.parameters()), torch.device("cpu"))
    total = LogLikelihood.zero()
    nats: list[npt.NDArray[np.float64]] = []
    with evaluating(model):
        for start in range(0, len(examples), batch_size):
            rows = np.arange(start, min(start + batch_size, len(examples)))
            batch = examples.batch(rows).to(device)
            log_prob = summed(model, batch)
            total += LogLikelihood.of(batch, log_prob, protocol)
            nats.append(log_prob.cpu().numpy())
            if progress is not None:
                progress(len(rows))
    return Evaluation(total, np.concatenate(nats) if nats else np.zeros(0))


def summed(model: Any, batch: Batch) -> Tensor:
    """L_n of a batch, its elements added in float64 where the model shows them."""
    if hasattr(model, "element_log_prob"):
        element_log_prob: Tensor = model.element_log_prob(batch)
        return element_log_prob.sum(1, dtype=torch.float64)
    log_prob: Tensor = model(batch)
    return log_prob.double()
