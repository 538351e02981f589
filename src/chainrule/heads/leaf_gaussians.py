"""Real numbers without a resolution: one Gaussian for each leaf of a bisection."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from chainrule.batch import Array
from chainrule.heads.bisection import Bisection, bisected
from chainrule.heads.gaussian_mixture import GaussianMixture
from chainrule.heads.leaf_numbers import LEAST

__all__ = ["LeafGaussians"]

WIDER = 1.3  # than the numbers of the leaf are spread, so that neighbours overlap
FLOOR = 1e-3  # of a scale, in standard deviations of the column


class LeafGaussians(nn.Module):
    """p(x) = sum over the leaves l of p(l) N(x; m_l, s_l^2): a density, with weights from the decisions.

    leaves: L, largest number of leaves.

    >>> leaves = LeafGaussians(leaves=2)
    >>> _ = leaves.fit(np.arange(100.0))
    >>> leaves.mean
    tensor([24.5000, 74.5000], dtype=torch.float64)
    """

    cut: Tensor
    mean: Tensor
    log_scale: Tensor

    def __init__(self, leaves: int) -> None:
        super().__init__()
        self.register_buffer("cut", torch.full((leaves - 1,), torch.inf, dtype=torch.float64))
        self.register_buffer("mean", torch.zeros(leaves, dtype=torch.float64))
        self.register_buffer("log_scale", torch.zeros(leaves, dtype=torch.float64))

    def leaf_of(self, x: Tensor) -> Tensor:
        """The leaf of each number."""
        return torch.searchsorted(self.cut, x.double().contiguous(), right=True)

    def fit(self, x: Array) -> Bisection:
        """Find the leaves from numbers, shape (N,), at least one; the tree of the decisions."""
        values, counts = np.unique(x, return_counts=True)
        tree = bisected(counts, len(self.mean), 2 * LEAST)
        cut = values[tree.starts[1:]]
        self.cut.fill_(torch.inf)
        self.cut[: len(cut)] = torch.from_numpy(cut)
        leaf = np.searchsorted(cut, x, side="right")
        rows = np.bincount(leaf)
        mean = np.bincount(leaf, weights=x) / rows
        spread = np.sqrt(np.bincount(leaf, weights=(x - mean[leaf]) ** 2) / rows)
        least = FLOOR * float(x.std()) or 1.0
        self.mean[: len(mean)] = torch.from_numpy(mean)
        self.log_scale[: len(mean)] = torch.from_numpy(np.log(np.maximum(WIDER * spread, least)))
        return tree

    def mixture(self, log_leaves: Tensor) -> GaussianMixture:
        """The density, from ln p of the leaves, shape (..., L)."""
        shape = log_leaves.shape
        return GaussianMixture(log_leaves, self.mean.expand(shape), self.log_scale.expand(shape))
