"""The generative classifier: p(y | x) by Bayes from a class-conditional model p(x | y)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from math import sqrt
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from chainrule.batch import Batch
from chainrule.data.examples.base import Examples
from chainrule.data.examples.in_batches import in_batches
from chainrule.errors import InputError
from chainrule.evaluation.batch_rows import rows_at_once
from chainrule.likelihood import LogLikelihood, Ratio
from chainrule.models.base import evaluating
from chainrule.models.chain import AutoregressiveModel

__all__ = ["Classification", "class_log_posterior", "class_prior", "classify"]


def class_log_posterior(
    model: AutoregressiveModel, batch: Batch, num_classes: int, prior: Tensor | None = None
) -> Tensor:
    """ln p(y | x) = ln p(x | y) + ln p(y) - logsumexp_k [ln p(x | k) + ln p(k)], nats, shape (B, num_classes).

    model: model that is conditional on classes.
    batch: the examples, whose context is replaced by each class in turn.
    num_classes: K, number of classes.
    prior: p(y), shape (K,); uniform by default.

    The probabilities of an example sum to one over y; the logsumexp that is subtracted is ln p(x), the marginal
    likelihood.

    >>> from chainrule import CategoricalHead, CausalConv
    >>> model = AutoregressiveModel(CausalConv(3, 4, width=8, num_classes=2), CategoricalHead(8, 3))
    >>> class_log_posterior(model, Batch(torch.zeros(5, 4, dtype=torch.long)), 2).exp().sum(1).sum().round()
    tensor(5., dtype=torch.float64)
    """
    if prior is None:
        prior = torch.full((num_classes,), 1 / num_classes, dtype=torch.float64)
    if prior.shape != (num_classes,) or bool((prior < 0).any()) or abs(float(prior.sum()) - 1) > 1e-6:
        raise InputError(f"the prior is {num_classes} probabilities that sum to one, got {prior.tolist()}")
    columns = []
    with evaluating(model):
        for y in range(num_classes):
            context = torch.full((len(batch),), y, device=batch.x.device)
            columns.append(model.element_log_prob(replace(batch, context=context)).sum(1, dtype=torch.float64))
        joint = torch.stack(columns, 1) + prior.double().log().to(batch.x.device)
        posterior = joint - joint.logsumexp(1, keepdim=True)
    return posterior.clone()


@dataclass(frozen=True, eq=False)
class Classification:
    """What a model says of the classes of examples.

    log_posterior: ln p(y | x) of every class, float64, shape (N, K).
    labels: class of each example, shape (N,).

    >>> halves = Classification(np.log([[0.75, 0.25], [0.25, 0.75]]), np.array([0, 0]))
    >>> halves.accuracy.value, round(halves.likelihood.nats_per_example.value, 4)  # -(ln 0.75 + ln 0.25) / 2
    (0.5, 0.837)
    """

    log_posterior: npt.NDArray[np.float64]
    labels: npt.NDArray[np.int64]

    @property
    def accuracy(self) -> Ratio:
        """The share of examples whose most probable class is theirs, and its standard error."""
        right = self.log_posterior.argmax(1) == self.labels
        error = float(right.std(ddof=1)) / sqrt(len(right)) if len(right) > 1 else float("nan")
        return Ratio(float(right.mean()), error)

    @property
    def likelihood(self) -> LogLikelihood:
        """The log-likelihood of the labels, ln p(y | x), each of them one element; nats, not of the examples."""
        nats = np.take_along_axis(self.log_posterior, self.labels[:, None], 1)[:, 0]
        return LogLikelihood.of_counts(nats, np.ones((len(nats), 3), dtype=np.int64))


def class_prior(examples: Examples, num_classes: int) -> Tensor:
    """p(y) as the share of each class among examples that are conditioned on classes, shape (num_classes,), float64."""
    count = torch.bincount(_labels(examples.batch(np.arange(len(examples)))), minlength=num_classes)
    return count.double() / count.sum()


def classify(
    model: AutoregressiveModel,
    examples: Examples,
    prior: Tensor,
    *,
    batch_size: int | None = None,
    progress: Callable[[int], Any] | None = None,
) -> Classification:
    """p(y | x) of every example, which is conditioned on its class; costs one evaluation for each class.

    model: model that is conditional on classes.
    examples: examples with their classes as context.
    prior: p(y), shape (K,), for example `class_prior` of the training split.
    batch_size: number of examples that are scored at a time, by default by their length.
    progress: called with the number of examples done.
    """
    batch_size = rows_at_once(examples, model.device) if batch_size is None else batch_size
    rows: list[npt.NDArray[np.float64]] = []
    labels: list[npt.NDArray[np.int64]] = []
    for numbers, batch in in_batches(examples, batch_size):
        labels.append(_labels(batch).numpy())
        if batch.impossible is not None and bool(batch.impossible.any()):
            row = int(numbers[0]) + int(batch.impossible.nonzero()[0])
            raise InputError(f"example {row} lies outside the domain, so that no class explains it; leave it out")
        rows.append(class_log_posterior(model, batch.to(model.device), len(prior), prior).cpu().numpy())
        if progress is not None:
            progress(len(batch))
    return Classification(np.concatenate(rows), np.concatenate(labels))


def _labels(batch: Batch) -> Tensor:
    if batch.context is None or batch.context.ndim != 1 or batch.context.is_floating_point():
        raise InputError("these examples are not conditioned on classes; open the data with given='label'")
    return batch.context
