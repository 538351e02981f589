"""A path of binary decisions to the value of an element: for networks that end in the logits of these decisions."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from chainrule.domain import Column
from chainrule.errors import InputError
from chainrule.heads.base import Distribution, Head
from chainrule.heads.bernoulli import Bernoulli
from chainrule.heads.bisection import Bisection, bisected
from chainrule.heads.finite import at_least_float32, check_symbols
from chainrule.heads.leaf_gaussians import LeafGaussians
from chainrule.heads.leaf_numbers import LeafNumbers
from chainrule.heads.missing import Missing

__all__ = ["Decisions", "DecisionsHead"]

LEAVES = 32  # of the tree over the values of an element


def log_leaves(logits: Tensor, signs: Tensor) -> Tensor:
    """ln p of each leaf, shape (..., L), from the logits of the decisions (..., L - 1).

    Beyond the first, a leaf to which no decision leads does not exist.
    """
    asked = F.logsigmoid(logits) @ (signs > 0).to(logits.dtype) + F.logsigmoid(-logits) @ (signs < 0).to(logits.dtype)
    exists = (signs != 0).any(0)
    exists = exists | (torch.arange(len(exists), device=exists.device) == 0)
    return torch.where(exists, asked, -torch.inf)


class Decisions(Distribution):
    """p(x) = prod over the decisions i on the path to the leaf of x of sigmoid(+-s_i), times p(x | leaf).

    logits: s, of the decision to go right, shape (..., L - 1).
    head: the tree over the values, and what is inside the leaves.
    """

    def __init__(self, logits: Tensor, head: DecisionsHead) -> None:
        self.logits, self.head = at_least_float32(logits), head
        self.num_symbols: int | None = head.symbols or None
        self.numbers = head.numbers
        self.resolution: float | Tensor | None = None if head.numbers is None else head.numbers.resolution

    @property
    def batch_shape(self) -> torch.Size:
        return self.logits.shape[:-1]

    @property
    def device(self) -> torch.device:
        return self.logits.device

    def _log_leaves(self) -> Tensor:
        logits = self.logits if self.num_symbols is not None else self.logits.double()
        return log_leaves(logits, self.head.signs)

    def log_prob(self, x: Tensor) -> Tensor:
        numbers = self.numbers
        if numbers is None:
            check_symbols(x, self.batch_shape, self.head.symbols)
            return self.log_pmf().gather(-1, x.long().unsqueeze(-1)).squeeze(-1)
        if x.shape != self.batch_shape:
            raise InputError(
                f"the distribution scores numbers of shape {tuple(self.batch_shape)}, got {tuple(x.shape)}"
            )
        reached = self._log_leaves().gather(-1, numbers.leaf_of(x).unsqueeze(-1)).squeeze(-1)
        return reached + numbers.log_prob(x)

    def log_pmf(self) -> Tensor:
        if self.num_symbols is None:
            return super().log_pmf()
        return self._log_leaves()[..., self.head.leaf] + self.head.log_within.to(self.logits.dtype)

    def pmf(self) -> Tensor:
        return super().pmf() if self.num_symbols is None else self.log_pmf().exp()

    def cdf(self, x: Tensor) -> Tensor:
        numbers = self.numbers
        if numbers is None:
            return super().cdf(x)
        leaf = numbers.leaf_of(x)
        p = self._log_leaves().exp().expand(*leaf.shape, -1)
        before = (p.cumsum(-1) - p).gather(-1, leaf.unsqueeze(-1)).squeeze(-1)
        inside = p.gather(-1, leaf.unsqueeze(-1)).squeeze(-1)
        return before + inside * numbers.cdf(numbers.position(x), leaf)

    def icdf(self, u: Tensor) -> Tensor:
        numbers = self.numbers
        if numbers is None:
            return super().icdf(u)
        p = self._log_leaves().detach().exp()
        running = p.cumsum(-1)
        target = u.detach().double().unsqueeze(-1) * running[..., -1:]
        leaf = torch.searchsorted(running, target, right=True).clamp(max=p.shape[-1] - 1)
        before = running.gather(-1, leaf) - p.gather(-1, leaf)
        inside = ((target - before) / p.gather(-1, leaf)).clamp(0, 1 - 2.0**-53)
        return numbers.quantile(inside.squeeze(-1), leaf.squeeze(-1))


class DecisionsHead(Head):
    """The features are the logits of binary decisions; where they lead, `initialise` finds from the data.

    The values of an element are divided again and again into halves of like mass: symbols by falling frequency, or in
    their order where they are levels; numbers by size. A leaf of the tree holds one symbol, or the rare ones, or a
    stretch of numbers, with a distribution of its own that does not depend on the features, see `LeafNumbers`; where
    numbers have no resolution, `LeafGaussians`. Of a
    column of numbers that may be missing the first decision is whether there is one.

    features: H, number of decisions, of which the first `decisions_of` the column are in use.
    num_symbols: V, number of symbols; None for numbers.
    column: what the element may be; by default symbols without an order.
    leaves: largest number of leaves.

    It has no parameters.

    >>> head = DecisionsHead(features=2, num_symbols=3)
    >>> head(torch.zeros(1, 2)).pmf()
    tensor([[0.5000, 0.2500, 0.2500]])
    """

    needs_counts = True

    signs: Tensor
    leaf: Tensor
    log_within: Tensor

    def __init__(
        self, features: int, num_symbols: int | None = None, *, column: Column | None = None, leaves: int = LEAVES
    ) -> None:
        column = Column(num_symbols) if column is None else column
        self.column, self.symbols = column, 0
        optional = column.num_symbols is None and column.missing
        if column.num_symbols is not None:
            self.symbols = column.num_symbols + column.missing
        if (wanted := self.decisions_of(column, leaves)) > features:
            raise InputError(f"{wanted} decisions lead to a value, got {features} features; give at least {wanted}")
        super().__init__(features, self.symbols or None)
        self.optional = optional
        decisions = wanted - optional
        self.register_buffer("signs", torch.zeros(decisions, decisions + 1, dtype=torch.int8))
        self.numbers: LeafNumbers | None = None
        self.gaussians: LeafGaussians | None = None
        if self.symbols:
            self.register_buffer("leaf", torch.zeros(self.symbols, dtype=torch.long))
            self.register_buffer("log_within", torch.zeros(self.symbols, dtype=torch.float64))
            self._fit_symbols(torch.ones(self.symbols).numpy())
        elif column.resolution is None and not column.count:
            self.gaussians = LeafGaussians(decisions + 1)
        else:
            self.numbers = LeafNumbers(decisions + 1, column.resolution or 1.0, column.count)

    @staticmethod
    def decisions_of(column: Column, leaves: int = LEAVES) -> int:
        """The number of decisions about a value of a column."""
        if column.num_symbols is None:
            return leaves - 1 + column.missing
        return max(1, min(column.num_symbols + column.missing, leaves) - 1)

    def forward(self, h: Tensor) -> Distribution:
        logits = h[..., self.optional : self.optional + len(self.signs)]
        value: Distribution = Decisions(logits, self)
        if self.gaussians is not None:
            value = self.gaussians.mixture(log_leaves(logits.double(), self.signs))
        return Missing(Bernoulli(h[..., 0]), value) if self.optional else value

    def initialise(self, x: Tensor) -> None:
        """Find the decisions from elements of any shape, NaN where a number is missing; one tree for all of them."""
        values = x.detach().cpu().flatten().numpy()
        leaves = self.numbers or self.gaussians
        if leaves is None:
            self._fit_symbols(np.bincount(values.astype(np.int64), minlength=self.symbols))
        elif len(present := values[~np.isnan(values)]):
            self._take(leaves.fit(present))

    def _fit_symbols(self, counts: np.ndarray) -> None:
        order = np.arange(self.symbols) if self.column.ordinal else np.argsort(-counts, kind="stable")
        tree = bisected(counts[order] + 1e-3, len(self.signs) + 1)
        leaf = np.empty(self.symbols, dtype=np.int64)
        leaf[order] = np.searchsorted(tree.starts, np.arange(self.symbols), side="right") - 1
        kinds = np.bincount(leaf, weights=counts > 0).clip(min=1)
        mass = (counts + (kinds / np.bincount(leaf))[leaf]) / (np.bincount(leaf, weights=counts) + kinds)[leaf]
        self.leaf.copy_(torch.from_numpy(leaf))
        self.log_within.copy_(torch.from_numpy(np.log(mass)))
        self._take(tree)

    def _take(self, tree: Bisection) -> None:
        self.signs.zero_()
        self.signs[: len(tree.signs), : len(tree.starts)] = torch.from_numpy(tree.signs)

    def decisions(self, d: int, x: Tensor) -> Tensor:
        leaves = self.numbers or self.gaussians
        leaf = self.leaf[x.long()] if leaves is None else leaves.leaf_of(x.nan_to_num())
        answers = torch.zeros(len(x), self.features, dtype=torch.int8)
        asked = self.signs.T[leaf].cpu()
        if self.optional:
            missing = x.isnan().cpu()
            asked[missing] = 0
            answers[:, 0] = torch.where(missing, -1, 1)
        answers[:, self.optional : self.optional + len(self.signs)] = asked
        return answers
