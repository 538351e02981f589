"""The weights of an average by hindsight, found on validation data."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from chainrule.batch import Array
from chainrule.networks.hindsight import behind

__all__ = ["hindsight_weights"]

PRIOR = 4.0  # elements that equal weights are worth
DOUBT = 10.0  # nats that full strength must gain
FIRST = 0.2  # strength from which the search begins
LOWEST = -1e3  # ln p that counts


def hindsight_weights(log_prob: Array, prior: float = PRIOR) -> tuple[Tensor, Tensor]:
    """The weights w and the strength s at the maximum of the sum of ln sum_k w_k(x_<d) p_k, shape (K + 1,), float64.

    Equal weights are worth some elements, and strength costs some nats, so that a few rows of validation do not decide
    against a network.

    log_prob: ln p_k of rows, shape (K, N, D).
    prior: number of elements that equal weights are worth.

    Returns them, and the weight of each network on average over the elements, shape (K,).

    >>> right = np.arange(2)[:, None, None] == np.arange(300)[:, None] % 2
    >>> hindsight_weights(np.log(np.where(right, 0.9, 0.1)) + np.zeros((2, 300, 5)))[0].round(decimals=1)
    tensor([0.5000, 0.5000, 1.0000], dtype=torch.float64)
    """
    from scipy.optimize import minimize
    from scipy.special import log_softmax, logsumexp

    log_prob = np.maximum(log_prob, LOWEST)
    number = len(log_prob)
    if not log_prob.size:
        even = torch.full((number,), 1 / number, dtype=torch.float64)
        return torch.cat([even, even.new_zeros(1)]), even
    each = behind(torch.from_numpy(log_prob)).numpy()
    before = each.cumsum(2) - each

    def loss(at: Array) -> tuple[float, Array]:
        log_weight = log_softmax(at[:-1, None, None] + at[-1] * before, axis=0)
        joint = log_weight + log_prob
        total = logsumexp(joint, axis=0)
        off = np.exp(joint - total) - np.exp(log_weight)
        usual = log_softmax(at[:-1])
        slope = np.append(off.sum((1, 2)) + prior * (1 / number - np.exp(usual)), (off * before).sum() - DOUBT)
        return -(total.sum() + prior * usual.mean() - DOUBT * at[-1]) / total.size, -slope / total.size

    first = np.append(np.zeros(number), FIRST)
    bounds = [(None, None)] * number + [(0.0, 1.0)]
    found = minimize(loss, first, jac=True, method="L-BFGS-B", bounds=bounds).x
    log_weight = log_softmax(found[:-1, None, None] + found[-1] * before, axis=0)
    shares = np.exp(log_weight).mean((1, 2))
    weights = np.append(np.exp(log_softmax(found[:-1])), found[-1])
    return torch.from_numpy(weights), torch.from_numpy(shares)
