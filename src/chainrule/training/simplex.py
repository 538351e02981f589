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

ROUNDS = 500
ENOUGH = 1e-10  # nats per element that a round must gain
TINY = 1e-300
FLOOR = 1e-9  # of a weight on the way
LEAST = 1e-4  # a weight below it is zero: whoever says next to nothing is not asked


def simplex_weights(log_prob: Array, usual: Tensor | None = None, worth: float = 0.0) -> Tensor:
    """The weights w at the maximum of the mean of ln sum_k w_k p_k, shape (K,), float64.

    Expectation-maximisation multiplies each weight by the mean of p_k / sum_j w_j p_j. Powers of that factor are tried
    first, for alone it would take thousands of rounds to a weight of zero.

    log_prob: ln p_k of each element, shape (K, N).
    usual: weights towards which they are drawn, shape (K,); by default equal ones.
    worth: number of elements that this is worth.

    >>> simplex_weights(np.log([[0.5, 0.5, 0.5, 0.5], [0.9, 0.9, 0.9, 0.1]]))
    tensor([0.3750, 0.6250], dtype=torch.float64)
    """
    first = np.full(len(log_prob), 1 / len(log_prob)) if usual is None else usual.numpy()
    if not log_prob.size:
        return torch.from_numpy(first)
    highest = log_prob.max(0)
    share = np.exp(log_prob - np.where(np.isfinite(highest), highest, 0.0))

    def value(weights: Array) -> float:
        prior = worth * float(first @ np.log(np.maximum(weights, TINY)))
        return float(np.log(np.maximum(weights @ share, TINY)).sum()) + prior

    weights, now, power = first, value(first), 1.0
    for _ in range(ROUNDS):
        factor = (share / np.maximum(weights @ share, TINY)).sum(1) + worth * first / np.maximum(weights, TINY)
        factor /= factor.max()
        tried = np.maximum(weights * factor**power, FLOOR)  # what is zero could not come back
        tried /= tried.sum()
        gain = value(tried) - now
        if gain < ENOUGH * share.shape[1] and power == 1:
            break
        if gain > 0:
            weights, now = tried, now + gain
        power = 2 * power if gain > 0 else 1.0
    weights = np.where(weights < LEAST, 0.0, weights)
    return torch.from_numpy(weights / weights.sum())


def element_log_probs(model: Model, examples: Examples) -> Array:
    """ln p of every scored element, in order, float64, shape (N,)."""
    parts = []
    with evaluating(model):
        for _, batch in in_batches(examples, rows_at_once(examples, model.device)):
            batch = batch.to(model.device)
            parts.append(model.element_log_prob(batch)[batch.mask].double().cpu().numpy())
    return np.concatenate(parts) if parts else np.zeros(0)
