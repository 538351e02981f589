"""Evaluation: every example once, in order, whatever the batch size."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from chainrule.batch import Batch
from chainrule.data.examples.base import Examples
from chainrule.errors import InputError
from chainrule.evaluation.batch_rows import batch_rows
from chainrule.evaluation.block_bootstrap import block_length
from chainrule.likelihood import LogLikelihood, Protocol, Units
from chainrule.models.base import Model, as_model, evaluating

__all__ = ["Evaluation", "evaluate"]


@dataclass(frozen=True)
class Evaluation:
    """What a model says of a set of examples.

    likelihood: sums, counts and metrics.
    nats: ln p of each example, in order, float64, shape (N,).
    counts: its elements, dims and bytes, shape (N, 3).
    block: number of neighbours that the standard errors take together, by the correlation along a stream; 1 where
        examples are independent.
    units: which examples belong together, None where every example is a unit of its own.
    """

    likelihood: LogLikelihood
    nats: npt.NDArray[np.float64]
    counts: npt.NDArray[np.int64]
    block: int = 1
    units: Units | None = None

    @classmethod
    def of(
        cls,
        nats: npt.NDArray[np.float64],
        counts: npt.NDArray[np.int64],
        examples: Examples,
        protocol: Protocol | None = None,
    ) -> Evaluation:
        """From ln p and the counts of every example; the examples say what belongs together."""
        block = correlated(nats, counts) if examples.is_stream else 1
        units = Units.blocks(len(nats), block) if block > 1 else examples.units
        return cls(LogLikelihood.of_counts(nats, counts, protocol, units), nats, counts, block, units)


def evaluate(
    model: nn.Module,
    examples: Examples,
    *,
    batch_size: int | None = None,
    protocol: Protocol | None = None,
    progress: Callable[[int], Any] | None = None,
) -> Evaluation:
    """Score every example once, in evaluation mode and without gradients, summing in float64.

    model: a `Model`, or any module from a Batch to ln p of each of its examples (B,).
    examples: what is scored.
    batch_size: how many examples are scored at a time, by default by their length; it changes the speed only.
    protocol: how the examples are scored, kept with the result.
    progress: called with the number of rows done.

    Examples that are longer than a window come in several rows, whose `owner` says which example they belong to; their
    log-probabilities add up. Standard errors are those of independent units: of examples, or of what the examples say
    belongs together (`Examples.units`). The windows of one long stream are not independent: their units are blocks, see
    `block_length`.

    >>> from chainrule import AutoregressiveModel, CategoricalHead, CausalConv
    >>> from chainrule.data import ArrayExamples
    >>> model = AutoregressiveModel(CausalConv(3, 4, width=8), CategoricalHead(8, 3))
    >>> evaluate(model, ArrayExamples(np.zeros((5, 4), dtype=np.int64))).likelihood.examples
    5
    """
    model = as_model(model)
    if batch_size is not None and batch_size < 1:
        raise InputError(f"a batch has at least one example, got batch_size={batch_size}")
    # allocated before the first batch: results must not lie between the large blocks that all batches reuse
    nats, counts = np.empty(len(examples)), np.empty((len(examples), 3), dtype=np.int64)
    with evaluating(model):
        for rows in batch_rows(model, examples, batch_size):
            batch = examples.batch(rows).to(model.device)
            if batch.segment_ids is not None:
                raise InputError(
                    "packed rows are for training, because a row is not one example; evaluate the examples one per row"
                )
            nats[rows] = summed(model, batch).cpu().numpy()
            counts[rows] = torch.stack([batch.elements, batch.dims, batch.bytes], 1).cpu().numpy()
            if progress is not None:
                progress(len(rows))
    if (owner := examples.owner) is not None and len(nats):
        starts = np.flatnonzero(np.diff(owner, prepend=-1))
        nats, counts = np.add.reduceat(nats, starts), np.add.reduceat(counts, starts)
    return Evaluation.of(nats, counts, examples, protocol)


def correlated(nats: npt.NDArray[np.float64], counts: npt.NDArray[np.int64]) -> int:
    """How many neighbouring windows of a stream belong together, by what they give beyond the mean of all elements."""
    possible = nats > -np.inf
    if possible.sum() < 2:
        return 1
    nats, elements = nats[possible], counts[possible, 0]
    return block_length(nats - nats.sum() / max(elements.sum(), 1) * elements)


def summed(model: Model, batch: Batch) -> Tensor:
    """L_n of a batch (B,), its elements added in float64 where the model has them; -inf outside the domain."""
    if model.has_conditionals:
        log_prob = model.element_log_prob(batch).sum(1, dtype=torch.float64)
    else:
        log_prob = model(batch).double()
    return log_prob if batch.impossible is None else torch.where(batch.impossible, -torch.inf, log_prob)
