"""Weights of an average, found on validation data."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from chainrule.batch import Array

__all__ = ["simplex_weights", "weights_by_kind"]

ROUNDS = 500
ENOUGH = 1e-10  # nats per element that a round must gain
TINY = 1e-300
FLOOR = 1e-9  # of a weight on the way
PRIOR = 50  # elements that the weights of all contexts are worth in those of a kind
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


def weights_by_kind(log_prob: Array, kind: Array, kinds: int) -> Tensor:
    """The best weights for each kind of element, drawn towards those that are best for all, shape (kinds, K), float64.

    log_prob: ln p_k of each element, shape (K, N).
    kind: the kind of each element, 0 to kinds - 1, shape (N,).
    kinds: the number of them.

    >>> ln = np.log([[0.5] * 300, [0.9, 0.9, 0.1] * 100])
    >>> weights_by_kind(ln, np.array([0, 0, 1] * 100), 3).round(decimals=1)
    tensor([[0.2000, 0.8000],
            [0.8000, 0.2000],
            [0.6000, 0.4000]], dtype=torch.float64)
    """
    usual = simplex_weights(log_prob)
    return torch.stack([simplex_weights(log_prob[:, kind == k], usual, PRIOR) for k in range(kinds)])
