"""Hierarchical softmax: a walk down a binary tree, one Bernoulli decision per node."""

from __future__ import annotations

from heapq import heapify, heappop, heappush
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

from chainrule.errors import InputError
from chainrule.heads.base import Distribution, Head
from chainrule.heads.finite import check_symbols
from chainrule.heads.frequencies import Counts, count_symbols, symbol_counts

__all__ = ["HierarchicalSoftmax", "HierarchicalSoftmaxHead", "huffman"]

CHUNK = 2**21  # numbers gathered at once, 8 MiB in float32


def huffman(counts: Tensor) -> Tensor:
    """The tree in which a symbol of share p lies about -log2 p decisions deep: the left and right child of each node.

    Leaves are numbered by their symbols, 0 to V - 1; inner nodes are V, V + 1, ..., 2V - 2, the last of them the root.
    Equal counts make a balanced tree. counts: shape (V,). Returns shape (V - 1, 2); row i belongs to node V + i.

    Paper: Huffman, *A method for the construction of minimum-redundancy codes*, 1952.

    >>> huffman(torch.tensor([1.0, 5.0, 1.0]))
    tensor([[0, 2],
            [3, 1]])
    """
    lightest = [(count, node) for node, count in enumerate(counts.tolist())]
    heapify(lightest)
    children = []
    for node in range(len(counts), 2 * len(counts) - 1):
        (a, left), (b, right) = heappop(lightest), heappop(lightest)
        children.append((left, right))
        heappush(lightest, (a + b, node))
    return torch.tensor(children)


class PairLogits(torch.autograd.Function):
    """s_m = w_{node_m} . h_{row_m} for pairs m, with memory for a chunk of pairs."""

    @staticmethod
    def forward(ctx: Any, h: Tensor, weight: Tensor, rows: Tensor, nodes: Tensor) -> Tensor:
        ctx.save_for_backward(h, weight, rows, nodes)
        pairs = max(1, CHUNK // h.shape[1])
        chunks = zip(torch.split(rows, pairs), torch.split(nodes, pairs), strict=True)
        return torch.cat([(h[row] * weight[node]).sum(1) for row, node in chunks])

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, g: Tensor) -> tuple[Tensor | None, ...]:
        h, weight, rows, nodes = ctx.saved_tensors
        h_gradient, weight_gradient = torch.zeros_like(h), torch.zeros_like(weight)
        pairs = max(1, CHUNK // h.shape[1])
        for row, node, g_here in zip(*(torch.split(t, pairs) for t in (rows, nodes, g[:, None])), strict=True):
            h_gradient.index_add_(0, row, g_here * weight[node])
            weight_gradient.index_add_(0, node, g_here * h[row])
        return h_gradient, weight_gradient, None, None


class HierarchicalSoftmax(Distribution):
    """ln p(x) = sum over the nodes i above x of ln sigmoid(s_i), s_i = +-(w_i . h + b_i), + where x lies to the right.

    `log_prob` goes up from the symbol and `icdf` down from the root, so both read O(log V) nodes per element.
    `icdf` therefore runs through the symbols in the tree's order, from its leftmost leaf; `cdf` goes by their numbers.

    h: features, shape (..., H).
    head: holds the tree and the parameters of its nodes.
    """

    def __init__(self, h: Tensor, head: HierarchicalSoftmaxHead) -> None:
        dtype = torch.promote_types(head.weight.dtype, torch.float32)
        self.h, self.weight, self.bias, self.head = h.to(dtype), head.weight.to(dtype), head.bias.to(dtype), head
        self.num_symbols: int = len(head.weight) + 1

    @property
    def batch_shape(self) -> torch.Size:
        return self.h.shape[:-1]

    @property
    def device(self) -> torch.device:
        return self.h.device

    @property
    def order(self) -> Tensor:
        """The symbols from the leftmost leaf to the rightmost, the order in which `icdf` runs, shape (V,)."""
        return self.head.leaves()

    def log_prob(self, x: Tensor) -> Tensor:
        check_symbols(x, self.batch_shape, self.num_symbols)
        h = self.h.reshape(-1, self.h.shape[-1])
        rows, nodes, right = self.head.paths(x.reshape(-1).long())
        s = PairLogits.apply(h, self.weight, rows, nodes)  # type: ignore[no-untyped-call]
        s = s + self.bias.index_select(0, nodes)
        decisions = F.logsigmoid(torch.where(right, s, -s)).double()
        return decisions.new_zeros(len(h)).index_add(0, rows, decisions).to(h.dtype).view(x.shape)

    def masked_log_prob(self, x: Tensor, mask: Tensor) -> Tensor:
        scored = HierarchicalSoftmax(self.h[mask], self.head).log_prob(x[mask])
        return scored.new_zeros(mask.shape).masked_scatter(mask, scored)

    def icdf(self, u: Tensor) -> Tensor:
        h, v = self.h.reshape(-1, self.h.shape[-1]), self.num_symbols
        x = torch.empty(len(h), dtype=torch.long, device=self.device)
        rows, node, u_here = torch.arange(len(h), device=self.device), torch.full_like(x, v - 2), u.reshape(-1).double()
        while len(rows):
            s = ((h[rows] * self.weight[node]).sum(1) + self.bias[node]).double()
            left = torch.sigmoid(-s)
            right = u_here >= left
            u_here = torch.where(right, (u_here - left) / torch.sigmoid(s), u_here / left).clamp(max=1 - 2.0**-53)
            child = self.head.children_of[node, right.long()]
            x[rows] = child
            inner = child >= v
            rows, node, u_here = rows[inner], child[inner] - v, u_here[inner]
        return x.view(u.shape)

    def pmf(self) -> Tensor:
        """p(x) of every symbol, down the tree level by level, in float64 until the end."""
        v = self.num_symbols
        s = F.linear(self.h, self.weight, self.bias).double()
        decisions = torch.sigmoid(-s), torch.sigmoid(s)
        reached = torch.ones(*self.batch_shape, 2 * v - 1, dtype=torch.float64, device=self.device)
        level = torch.tensor([v - 2], device=self.device)
        while len(level):
            for child, decision in zip(self.head.children_of[level].unbind(1), decisions, strict=True):
                reached[..., child] = reached[..., level + v] * decision[..., level]
            below = self.head.children_of[level].flatten()
            level = below[below >= v] - v
        return reached[..., :v].to(self.h.dtype)


class HierarchicalSoftmaxHead(Head):
    """A binary tree over the symbols with a logistic decision at each of its V - 1 inner nodes, exact and normalised.

    The tree is Huffman's where counts are known, so that frequent symbols are near the root, and balanced otherwise.
    It is saved with the parameters: a head that is built without counts and then loaded is the same head.

    features: H, size of the features.
    num_symbols: V, number of symbols, at least 2.
    counts: how often each symbol occurs in the training data, shape (V,); without them `initialise` counts.

    Papers: Morin and Bengio, *Hierarchical probabilistic neural network language model*, AISTATS 2005; Mikolov et al.,
    *Distributed representations of words and phrases and their compositionality*, NeurIPS 2013 (Huffman's tree).

    >>> head = HierarchicalSoftmaxHead(features=16, num_symbols=1000)
    >>> p = head(torch.randn(2, 5, 16))
    >>> p.log_prob(torch.randint(1000, (2, 5))).shape, p.sample().shape
    (torch.Size([2, 5]), torch.Size([2, 5]))
    """

    children_of: Tensor
    parent_of: Tensor
    is_right: Tensor

    needs_counts = True

    def __init__(self, features: int, num_symbols: int, counts: Counts = None) -> None:
        if num_symbols < 2:
            raise InputError(f"a tree needs at least two symbols, got {num_symbols}; use a categorical head")
        super().__init__(features, num_symbols)
        self.weight = nn.Parameter(torch.randn(num_symbols - 1, features) * features**-0.5)
        self.bias = nn.Parameter(torch.zeros(num_symbols - 1))
        self.register_buffer("children_of", torch.zeros(num_symbols - 1, 2, dtype=torch.long))
        self.register_buffer("parent_of", torch.zeros(2 * num_symbols - 2, dtype=torch.long))
        self.register_buffer("is_right", torch.zeros(2 * num_symbols - 2, dtype=torch.bool))
        self.counted = counts is not None
        self.grow(symbol_counts(counts, num_symbols))

    def grow(self, counts: Tensor) -> None:
        """Build the tree. `children_of` has nodes as huffman() numbers them, `parent_of` has rows of `children_of`."""
        self.children_of.copy_(huffman(counts))
        for side in (0, 1):
            child = self.children_of[:, side]
            self.parent_of[child] = torch.arange(len(child), device=child.device)
            self.is_right[child] = bool(side)

    def initialise(self, x: Tensor) -> None:
        """Count the symbols of the data, unless counts were given."""
        if not self.counted:
            self.grow(count_symbols(x, len(self.weight) + 1))

    def paths(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Every decision on the way to the symbols x, shape (N,): its number in x, its node, and whether it is right.

        Level by level from the leaves; each of the three has as many entries as there are decisions.
        """
        root = len(self.weight) - 1
        found: list[tuple[Tensor, Tensor, Tensor]] = []
        rows, at = torch.arange(len(x), device=x.device), x
        while len(rows) or not found:
            above = self.parent_of[at]
            found.append((rows, above, self.is_right[at]))
            below_root = above < root
            rows, at = rows[below_root], above[below_root] + len(self.weight) + 1
        rows, nodes, right = (torch.cat(part) for part in zip(*found, strict=True))
        return rows, nodes, right

    def leaves(self) -> Tensor:
        """The symbols in the order of the tree, left to right, shape (V,)."""
        v, children = len(self.weight) + 1, self.children_of.tolist()
        stack, order = [2 * v - 2], []
        while stack:
            node = stack.pop()
            if node < v:
                order.append(node)
            else:
                stack += reversed(children[node - v])
        return torch.tensor(order, device=self.children_of.device)

    def forward(self, h: Tensor) -> HierarchicalSoftmax:
        return HierarchicalSoftmax(h, self)
