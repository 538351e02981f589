"""Boosted trees: for every element, sums of regression trees over the elements before it. Fitted, not trained."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from chainrule.errors import InputError
from chainrule.networks.base import AutoregressiveNetwork
from chainrule.networks.forest import UNIT, Forest

__all__ = ["BoostedTrees"]


@dataclass
class TreesState:
    """The position and the elements so far, shape (D, B)."""

    d: int
    values: Tensor


class BoostedTrees(AutoregressiveNetwork):
    """h_{d,i}(x_<d) = sum of trees over x_<d: the logit of the i-th binary decision about x_d (see `DecisionsHead`).

    The trees come from gradient boosting, one forest for each decision, fitted one element after the other (see
    `training.boosting`), with the number of rounds by early stopping on validation data. They are tensors here, and the
    library that fitted them is not needed. Without trees all decisions are even.

    num_symbols: V, number of symbols; None for real numbers.
    shape: layout of an example in elements.
    features: H, number of decisions per element; by default V - 1.
    rounds: largest number of boosting rounds.
    patience: rounds without improvement on validation data after which boosting stops.
    learning_rate: factor of what each tree adds.
    leaves: largest number of leaves of a tree.
    leaf_rows: smallest number of training rows in a leaf.
    l2: penalty of the squares of the leaves' values.
    column_share: share of the elements that a tree may read.
    row_share: share of the rows that a tree is fitted to.

    Papers: Friedman, *Greedy function approximation: a gradient boosting machine*, 2001; Ke et al., *LightGBM: a highly
    efficient gradient boosting decision tree*, NeurIPS 2017.

    >>> BoostedTrees(num_symbols=2, shape=6)(torch.zeros(5, 6, dtype=torch.long)).shape
    torch.Size([5, 6, 1])
    """

    fitted_by_gradients = False
    is_exact = True

    unit: Tensor

    def __init__(
        self,
        num_symbols: int | None,
        shape: int | tuple[int, ...],
        features: int | None = None,
        *,
        rounds: int = 300,
        patience: int = 15,
        learning_rate: float = 0.06,
        leaves: int = 12,
        leaf_rows: int = 3,
        l2: float = 2.0,
        column_share: float = 0.7,
        row_share: float = 0.8,
    ) -> None:
        if features is None:
            features = 1 if num_symbols is None else max(1, num_symbols - 1)
        if min(features, rounds, patience, leaf_rows) < 1 or not (0 < column_share <= 1 and 0 < row_share <= 1):
            raise InputError(
                "features, rounds, patience and leaf_rows start at 1, shares are above 0 and at most 1, got "
                f"{features}, {rounds}, {patience}, {leaf_rows}, {column_share} and {row_share}"
            )
        super().__init__(shape, features)
        self.num_symbols = num_symbols
        self.rounds, self.patience, self.learning_rate = rounds, patience, learning_rate
        self.leaves, self.leaf_rows, self.l2 = leaves, leaf_rows, l2
        self.column_share, self.row_share = column_share, row_share
        self.forest = Forest(self.length, features, leaves)
        self.register_buffer("unit", torch.tensor(UNIT), persistent=False)

    @property
    def symbols_read(self) -> int | None:
        return self.num_symbols

    @property
    def receptive_field(self) -> int:
        """The farthest that any tree looks back."""
        forest, element = self.forest.reads()
        return int((forest // self.features - element).max()) if len(element) else 0

    @property
    def choices(self) -> int:
        """One for each element that has trees, whose number was found on validation data."""
        return len(torch.unique(self.forest.owner // self.features))

    def layers(self, x: Tensor, context: Tensor | None = None) -> list[Tensor]:
        """The features alone, (B, D, H)."""
        self._check(x, context)
        total = self.forest(self._values(x.T), 0, x.shape[1] * self.features)
        return [(total.T.reshape(len(x), x.shape[1], self.features) * self.unit.double()).to(self.unit.dtype)]

    def initial_state(self, batch_size: int, context: Tensor | None = None) -> TreesState:
        dtype = torch.float64 if self.num_symbols is None else torch.float32
        values = torch.zeros(self.length, batch_size, dtype=dtype, device=self.unit.device)
        self._check(values[:0].T, context)
        return TreesState(0, values)

    def step(self, x_previous: Tensor | None, state: TreesState) -> tuple[Tensor, TreesState]:
        d = state.d
        if d >= self.length:
            raise InputError(f"an example has {self.length} elements, and all of them have been walked")
        if x_previous is not None:
            state.values[d - 1] = x_previous.to(state.values.dtype)
        total = self.forest(state.values, d * self.features, (d + 1) * self.features)
        state.d += 1
        return (total.T * self.unit.double()).to(self.unit.dtype), state

    def _values(self, x: Tensor) -> Tensor:
        """Elements as they are compared with thresholds: symbols are exact in float32."""
        return x.to(torch.float64 if self.num_symbols is None else torch.float32).contiguous()

    def _check(self, x: Tensor, context: Tensor | None) -> None:
        if context is not None:
            raise InputError("boosted trees take no context; take another network, or leave out --given")
        if x.shape[1] > self.length:
            raise InputError(
                f"examples have {x.shape[1]} elements, but the network was built for at most {self.length}"
            )
