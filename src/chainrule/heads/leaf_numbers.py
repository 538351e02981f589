"""How numbers are distributed inside the leaves of a bisection: values that repeat, and something smooth for the rest.

    p(x | leaf) = share * (how often x was seen) + (1 - share) * smooth(x)

The smooth part is uniform between the ends of the leaf. Outside of all that was seen, the outermost leaves have a tail
with P(farther than e) = (s / (s + e))^2. The share of the values that repeat is learned by leaving one row out.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from chainrule.batch import Array
from chainrule.heads.bisection import Bisection, bisected
from chainrule.heads.whole_search import first_reached

__all__ = ["LEAST", "LeafNumbers"]

LEAST = 20  # rows of a leaf, twice as many of one that is divided
ATOMS = 512  # values that repeat, the most frequent ones
PRIOR = 4.0  # rows that the share of the whole column is worth in a leaf
MOST = 1 - 1e-6  # share of the values that repeat


class LeafNumbers(nn.Module):
    """Numbers at a resolution by the leaf that they are in. Positions are whole numbers of steps, as float64.

    leaves: L, largest number of leaves.
    resolution: step of the numbers.
    naturals: whether there is nothing below zero.

    cut: first position of every leaf but the first, infinite for leaves that do not exist, shape (L - 1,).
    low, high: ends of the uniform part of each leaf, shape (L,).
    below, above: mass of its tails.
    scale: s of the tails.
    share: share of the values that repeat.
    atom, atom_mass: positions that repeat, sorted, and their mass among those of their leaf.

    >>> numbers = LeafNumbers(leaves=4, resolution=0.5)
    >>> _ = numbers.fit(np.array([0.0] * 60 + [0.5, 1.0, 1.5, 2.0] * 10))
    >>> numbers.leaf_of(torch.tensor([-9.0, 0.0, 0.5, 2.0, 99.0], dtype=torch.float64))
    tensor([0, 0, 1, 2, 2])
    """

    cut: Tensor
    low: Tensor
    high: Tensor
    below: Tensor
    above: Tensor
    scale: Tensor
    share: Tensor
    atom: Tensor
    atom_mass: Tensor

    def __init__(self, leaves: int, resolution: float, naturals: bool = False) -> None:
        super().__init__()
        self.resolution, self.naturals = resolution, naturals
        self._take("cut", np.zeros(0), torch.full((leaves - 1,), torch.inf))
        tail = 0.0 if naturals else 0.25
        first = {"low": 0.0, "high": 1.0, "below": tail, "above": 0.25, "scale": 1.0, "share": 0.0}
        for name, value in first.items():
            self._take(name, np.array([value]), torch.ones(leaves))
        self._take("atom", np.zeros(0), torch.full((ATOMS,), torch.inf))
        self._take("atom_mass", np.zeros(0), torch.zeros(ATOMS))

    def _take(self, name: str, values: Array, filling: Tensor | None = None) -> None:
        """Set the first numbers of a buffer, and the others to those of `filling`."""
        whole = (self.get_buffer(name) if filling is None else filling).double().clone()
        whole[: len(values)] = torch.from_numpy(values)
        self.register_buffer(name, whole)

    def position(self, x: Tensor) -> Tensor:
        """Numbers as positions."""
        return (x.double() / self.resolution).round()

    def leaf_of(self, x: Tensor) -> Tensor:
        """The leaf of each number."""
        return torch.searchsorted(self.cut, self.position(x).contiguous(), right=True)

    def fit(self, x: Array) -> Bisection:
        """Find leaves and what is in them from numbers, shape (N,), at least one; the tree of the decisions."""
        position = self.position(torch.from_numpy(np.ascontiguousarray(x))).numpy()
        values, counts = np.unique(position, return_counts=True)
        tree = bisected(counts, len(self.low), 2 * LEAST)
        rows = np.add.reduceat(counts, tree.starts)
        low = values[tree.starts]
        self._take("cut", low[1:], torch.full_like(self.cut, torch.inf))
        high = np.append(low[1:], values[-1] + 1)
        low[0] = 0 if self.naturals else low[0]
        below, above = np.zeros(len(low)), np.zeros(len(low))
        below[0], above[-1] = 0 if self.naturals else 1 / (rows[0] + 2), 1 / (rows[-1] + 2)
        parts = {"low": low, "high": high, "below": below, "above": above, "scale": high - low}
        for name, part in parts.items():
            self._take(name, part, torch.ones_like(self.low))
        self._repeated(values, counts, np.repeat(np.arange(len(low)), np.diff(np.append(tree.starts, len(values)))))
        return tree

    def _repeated(self, values: Array, counts: Array, leaf: Array) -> None:
        """The values that repeat and, by expectation-maximisation with one row left out, the share that they have."""
        often = np.where(counts > 1, counts, 0)
        if np.count_nonzero(often) > ATOMS:
            often[np.argsort(-often, kind="stable")[ATOMS:]] = 0
        of_leaf = np.bincount(leaf, weights=often)
        smooth = self._log_smooth(*(torch.from_numpy(part) for part in (values, leaf))).exp().numpy()
        left_out = np.where(often > 2, often - 1, 0) / np.maximum(of_leaf[leaf] - 1, 1)  # one of two is left alone
        share, seen = 0.5, smooth
        for _ in range(50):
            seen = share * left_out / (share * left_out + (1 - share) * smooth)
            share = min(float((counts * seen).sum() / counts.sum()), MOST)
        rows = np.bincount(leaf, weights=counts)
        each = (np.bincount(leaf, weights=counts * seen) + PRIOR * share) / (rows + PRIOR)
        self._take("share", np.where(of_leaf > 0, each, 0.0).clip(max=MOST), torch.zeros_like(self.share))
        kept = np.flatnonzero(often)
        self._take("atom", values[kept], torch.full_like(self.atom, torch.inf))
        self._take("atom_mass", often[kept] / of_leaf[leaf[kept]], torch.zeros_like(self.atom_mass))

    def log_prob(self, x: Tensor) -> Tensor:
        """ln p(x | leaf of x) in nats, float64."""
        k, leaf = self.position(x), self.leaf_of(x)
        smooth = self._log_smooth(k, leaf) + torch.log1p(-self.share[leaf])
        place = torch.searchsorted(self.atom, k.contiguous()).clamp(max=ATOMS - 1)
        seen = torch.where(self.atom[place] == k, self.atom_mass[place] * self.share[leaf], 0.0)
        return torch.logaddexp(seen.log(), smooth)

    def _log_smooth(self, k: Tensor, leaf: Tensor) -> Tensor:
        low, high, s = self.low[leaf], self.high[leaf], self.scale[leaf]
        below, above = self.below[leaf], self.above[leaf]
        inside = torch.log1p(-below - above) - (high - low).log()
        near = s + torch.where(k < low, low - 1 - k, k - high).clamp(min=0)
        tail = 2 * s.log() + (2 * near + 1).log() - 2 * (near * (near + 1)).log()
        return torch.where(k < low, below.log() + tail, torch.where(k >= high, above.log() + tail, inside))

    def cdf(self, k: Tensor, leaf: Tensor) -> Tensor:
        """P(X <= k | leaf) of positions, which may lie outside of the leaf."""
        low, high, s = self.low[leaf], self.high[leaf], self.scale[leaf]
        below, above = self.below[leaf], self.above[leaf]
        inside = below + (1 - below - above) * ((k + 1 - low) / (high - low)).clamp(0, 1)
        under, over = (low - 1 - k).clamp(min=0), (k + 1 - high).clamp(min=0)
        smooth = torch.where(k < low, below * (s / (s + under)) ** 2, inside + above * (1 - (s / (s + over)) ** 2))
        running = torch.cat([self.atom_mass.new_zeros(1), self.atom_mass.cumsum(0)])
        first = torch.cat([self.cut.new_full((1,), -torch.inf), self.cut])[leaf]
        last = torch.cat([self.cut, self.cut.new_full((1,), torch.inf)])[leaf]
        before = running[torch.searchsorted(self.atom, first)]
        reached = running[torch.searchsorted(self.atom, k.contiguous(), right=True)]
        all_of_it = running[torch.searchsorted(self.atom, last)]
        seen = torch.minimum(torch.maximum(reached, before), all_of_it) - before
        return self.share[leaf] * seen + (1 - self.share[leaf]) * smooth

    def quantile(self, v: Tensor, leaf: Tensor) -> Tensor:
        """The smallest number x with P(X <= x | leaf) > v, for v in [0, 1)."""
        low, high, s = self.low[leaf], self.high[leaf], self.scale[leaf]
        below, above = self.below[leaf], self.above[leaf]
        inside = low + (high - low) * ((v - below) / (1 - below - above)).clamp(0, 1)
        under = low - s * ((below / v.clamp(min=1e-300)).sqrt() - 1)
        over = high + s * ((above / (1 - v)).sqrt() - 1)
        smooth = torch.where(v < below, under, torch.where(1 - v <= above, over, inside))
        first = torch.cat([self.low[:1], self.cut])[leaf]
        last = torch.cat([self.cut, self.high[-1:]])[leaf]
        last = torch.where(last.isfinite(), last, high)
        ends = torch.minimum(smooth.floor(), first) - 2, torch.maximum(smooth.ceil(), last) + 2
        return first_reached(lambda k: self.cdf(k, leaf) > v, *ends) * self.resolution
