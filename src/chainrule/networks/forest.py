"""Sums of regression trees as tensors: many forests over the elements of an example, evaluated for a batch at once.

    s_f(x) = start_f + sum over the trees t of forest f of value[t, leaf_t(x)]

The leaves of a tree are numbered from left to right. A node whose condition x_j <= threshold fails takes the leaves of
its left subtree out of the running; of those that remain after all nodes, the leftmost is the one that x falls into.
Values are whole multiples of 2^-20, so that any order of summation gives the same bits.

Paper: Lucchese, Nardini, Orlando, Perego, Tonellotto, Venturini, *QuickScorer: a fast algorithm to rank documents with
additive ensembles of regression trees*, SIGIR 2015.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from chainrule.errors import InputError

__all__ = ["MOST_LEAVES", "UNIT", "Forest"]

UNIT = 2.0**-20  # of the values of leaves, in nats
MOST_LEAVES = 31  # leaves of a tree: bits of a mask that is a positive number
CELLS = 1 << 17  # trees times examples that are evaluated at once
TENSORS = ("start", "owner", "feature", "threshold", "kept", "value")


class Forest(nn.Module):
    """F = D H forests over the same D elements, H for each of them; those of element d read the elements before it.

    length: D, number of elements.
    per_element: H, number of forests for each element.
    leaves: largest number of leaves of a tree.

    start: constant of each forest, in units of 2^-20, shape (F,).
    owner: number of the forest that each tree belongs to, never falling, shape (T,).
    feature: element that each inner node reads, shape (T, leaves - 1).
    threshold: largest value that goes left, shape (T, leaves - 1); a missing value (NaN) goes right.
    kept: bits of the leaves that remain where the value goes right, all of them for a node that is not used; shape
        (T, leaves - 1). The nodes in use come first.
    value: of each leaf, in units of 2^-20, shape (T, leaves).

    >>> forest = Forest(length=2, per_element=1, leaves=2)
    >>> forest.load([1], *(torch.tensor([[v]]) for v in (0, 0.5, ~1)), torch.tensor([[-(2**20), 2**19]]))
    >>> forest(torch.tensor([[0.0, 1.0]]), 1, 2)  # of the second element, for two values of the first
    tensor([[-1048576,   524288]])
    """

    start: Tensor
    owner: Tensor
    feature: Tensor
    threshold: Tensor
    kept: Tensor
    value: Tensor

    def __init__(self, length: int, per_element: int, leaves: int) -> None:
        super().__init__()
        if not 2 <= leaves <= MOST_LEAVES:
            raise InputError(f"a tree has 2 to {MOST_LEAVES} leaves, got {leaves}")
        self.per_element, self.leaves = per_element, leaves
        self.register_buffer("start", torch.zeros(length * per_element, dtype=torch.int64))
        self.register_buffer("owner", torch.zeros(0, dtype=torch.int32))
        self.register_buffer("feature", torch.zeros(0, leaves - 1, dtype=torch.int32))
        self.register_buffer("threshold", torch.zeros(0, leaves - 1, dtype=torch.float64))
        self.register_buffer("kept", torch.zeros(0, leaves - 1, dtype=torch.int32))
        self.register_buffer("value", torch.zeros(0, leaves, dtype=torch.int32))

    def load(self, owner: Any, feature: Tensor, threshold: Tensor, kept: Tensor, value: Tensor) -> None:
        """Take trees in place of those before, sorted by their owner."""
        owner = torch.as_tensor(owner)
        for name, tensor in zip(TENSORS[1:], (owner, feature, threshold, kept, value), strict=True):
            before = self.get_buffer(name)
            self.register_buffer(name, tensor.to(before.device, before.dtype).contiguous())

    def forward(self, values: Tensor, first: int, last: int) -> Tensor:
        """The sums of the forests `first`, ..., `last` - 1 in units of 2^-20, shape (last - first, B).

        values: elements, shape (D, B), floating point.
        """
        ends = torch.searchsorted(self.owner, torch.tensor([first, last], dtype=torch.int32, device=self.owner.device))
        begin, end = (int(tree) for tree in ends)
        total = self.start[first:last].unsqueeze(1).repeat(1, values.shape[1])
        size = max(1, CELLS // max(1, values.shape[1]))
        for low in range(begin, end, size):
            trees = slice(low, min(low + size, end))
            total.index_add_(0, self.owner[trees].long() - first, self._of_trees(values, trees).long())
        return total

    def _of_trees(self, values: Tensor, trees: slice) -> Tensor:
        """The value of each tree, shape (trees, B)."""
        feature, kept = self.feature[trees], self.kept[trees]
        threshold = self.threshold[trees].to(values.dtype)
        left = torch.full((len(kept), values.shape[1]), -1, dtype=torch.int32, device=values.device)
        for node in range(int((kept != -1).any(0).sum())):
            goes_left = values.index_select(0, feature[:, node]) <= threshold[:, node, None]
            left &= torch.where(goes_left, -1, kept[:, node, None])
        lowest = (left & -left).float().view(torch.int32)  # a power of two: its exponent is the number of the leaf
        return self.value[trees].gather(1, ((lowest >> 23) - 127).long())

    def reads(self) -> tuple[Tensor, Tensor]:
        """The forest and the element of every node that is in use."""
        used = self.kept != -1
        return self.owner.long().unsqueeze(1).expand_as(used)[used], self.feature.long()[used]

    def fault(self) -> str | None:
        """What is wrong with the tensors, None if nothing: forest f may read elements before f // H only."""
        trees, nodes = len(self.owner), (len(self.owner), self.leaves - 1)
        shapes = [tuple(self.get_buffer(name).shape) for name in TENSORS[1:]]
        if shapes != [(trees,), nodes, nodes, nodes, (trees, self.leaves)]:
            return f"trees have the shapes {shapes}"
        owner = self.owner.long()
        if trees and (int(owner.min()) < 0 or int(owner.max()) >= len(self.start) or bool((owner.diff() < 0).any())):
            return "trees do not belong to forests in order"
        forest, element = self.reads()
        if bool((element < 0).any() | (element >= forest // self.per_element).any()):
            return "a tree reads an element that is not before its own"
        return None

    def _load_from_state_dict(self, state_dict: Mapping[str, Any], prefix: str, *rest: Any) -> None:
        for name in TENSORS[1:]:  # the number of trees is known from the file alone
            if (saved := state_dict.get(prefix + name)) is not None:
                before = self.get_buffer(name)
                self.register_buffer(name, before.new_zeros(saved.shape))
        super()._load_from_state_dict(state_dict, prefix, *rest)
        errors: list[str] = rest[-1]
        if not errors and (fault := self.fault()) is not None:
            errors.append(f"{prefix.rstrip('.')}: {fault}")
