"""Weights of an average, found on validation data."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from chainrule.batch import Array
from chainrule.data.examples.base import Examples
from chainrule.data.examples.in_batches import in_batches
from chainrule.evaluation.evaluate import rows_at_once
from chainrule.models.base import Model, evaluating

__all__ = ["element_log_probs", "simplex_weights"]

ROUNDS = 1000
ENOUGH = 1e-9  # nats per element that a round must gain
LEAST = 1e-4  # a weight below it is zero: whoever says next to nothing is not asked


def simplex_weights(log_prob: Array, usual: Tensor | None = None, worth: float = 0.0) -> Tensor:
    """The weights w of the mean of ln sum_k w_k p_k at its maximum, by expectation-maximisation, shape (K,), float64.

    log_prob: ln p_k of each element, shape (K, N).
    usual: weights towards which they are drawn, shape (K,); by default equal ones.
    worth: number of elements that this is worth.

    >>> simplex_weights(np.log([[0.5, 0.5, 0.5, 0.5], [0.9, 0.9, 0.9, 0.1]]))
    tensor([0.3750, 0.6250], dtype=torch.float64)
    """
    weights = np.full(len(log_prob), 1 / len(log_prob)) if usual is None else usual.numpy()
    if not log_prob.size:
        return torch.from_numpy(weights)
    drawn = worth * weights
    highest = log_prob.max(0)
    share = np.exp(log_prob - np.where(np.isfinite(highest), highest, 0.0))
    before = -np.inf
    for _ in range(ROUNDS):
        total = weights @ share
        weights = weights * (share / np.maximum(total, 1e-300)).sum(1) + drawn
        weights /= weights.sum()
        now = float(np.log(np.maximum(total, 1e-300)).mean())
        if now - before < ENOUGH:
            break
        before = now
    weights[weights < LEAST] = 0.0
    return torch.from_numpy(weights / weights.sum())


def element_log_probs(model: Model, examples: Examples) -> Array:
    """ln p of every scored element, in order, float64, shape (N,)."""
    parts = []
    with evaluating(model):
        for _, batch in in_batches(examples, rows_at_once(examples, model.device)):
            batch = batch.to(model.device)
            parts.append(model.element_log_prob(batch)[batch.mask].double().cpu().numpy())
    return np.concatenate(parts) if parts else np.zeros(0)
