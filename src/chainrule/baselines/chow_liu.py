"""The Chow-Liu tree: of all models in which every element depends on one other, the most likely."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from chainrule.batch import Batch
from chainrule.data.examples.base import Examples
from chainrule.data.examples.in_batches import in_batches
from chainrule.errors import InputError
from chainrule.models.base import Model

__all__ = ["ChowLiuTree"]


class ChowLiuTree(Model):
    """p(x) = p(x_r) prod_{d != r} p(x_d | x_parent(d)), over the tree of largest total mutual information.

    Pairs are counted, plus one for each cell (Laplace), and the tree is a maximum spanning tree of
    I(i, j) = sum_ab p_ij(a, b) ln [p_ij(a, b) / (p_i(a) p_j(b))].

    pairs: counts n_ij(a, b), shape (D, V, D, V).
    sizes: number of symbols of each element, D numbers, by default V.

    Paper: Chow and Liu, *Approximating discrete probability distributions with dependence trees*, 1968.

    >>> import numpy as np
    >>> from chainrule.data.examples.arrays import ArrayExamples
    >>> x = np.array([[0, 0], [1, 1]] * 50)  # two equal bits
    >>> tree = ChowLiuTree.fit(ArrayExamples(x), 2)
    >>> tree(Batch(torch.tensor([[0, 0], [0, 1]]))).exp()
    tensor([0.4904, 0.0096], dtype=torch.float64)
    """

    def __init__(self, pairs: Tensor, sizes: list[int] | None = None) -> None:
        super().__init__()
        length, symbols = pairs.shape[:2]
        real = torch.arange(symbols) < torch.tensor(sizes or [symbols] * length)[:, None]
        cells = real[:, :, None, None] & real[None, None]
        joint = torch.where(cells, pairs.double() + 1, 0.0).transpose(1, 2)  # (D, D, V, V)
        parent = spanning_tree(mutual_information(joint))
        table = joint[torch.arange(length), parent]  # (D, V, V): x_d, x_parent
        root = int((parent == torch.arange(length)).nonzero()[0, 0])
        alone = torch.where(real[root], pairs[root, :, root].diagonal().double() + 1, 0.0)
        table[root] = alone[:, None].expand(-1, symbols)
        self.register_buffer("parent", parent)
        self.register_buffer("log_table", (table / table.sum(1, keepdim=True).clamp(min=1)).log())

    parent: Tensor
    log_table: Tensor

    @classmethod
    def fit(cls, examples: Examples, num_symbols: int, sizes: list[int] | None = None) -> ChowLiuTree:
        """Count the pairs of examples of one length: the product of their indicators."""
        pairs: Tensor | None = None
        for _, batch in in_batches(examples, 4096):
            indicators = nn.functional.one_hot(batch.x, num_symbols).flatten(1).float()
            seen = (indicators.T @ indicators).double()  # whole numbers up to 4096 are exact in float32
            pairs = seen if pairs is None else pairs + seen
        if pairs is None:
            raise InputError("a baseline needs at least one example, got none")
        length = len(pairs) // num_symbols
        return cls(pairs.view(length, num_symbols, length, num_symbols), sizes)

    def element_log_prob(self, batch: Batch) -> Tensor:
        """ln p(x_d | x_parent(d)), shape (B, D)."""
        position = torch.arange(batch.x.shape[1])
        return self.log_table[position, batch.x, batch.x[:, self.parent]]


def mutual_information(joint: Tensor) -> Tensor:
    """I(i, j) in nats from counts of pairs, shape (D, D, V, V) -> (D, D); a row at a time, to save memory."""
    rows = []
    for row in joint:
        p = row / row.sum((1, 2), keepdim=True)
        independent = p.sum(2, keepdim=True) * p.sum(1, keepdim=True)
        rows.append(torch.where(p > 0, p * (p / independent).log(), 0.0).sum((1, 2)))
    return torch.stack(rows)


def spanning_tree(weight: Tensor) -> Tensor:
    """The parent of each vertex in a maximum spanning tree (Prim 1957); the root, vertex 0, is its own parent.

    >>> spanning_tree(torch.tensor([[0.0, 1.0, 5.0], [1.0, 0.0, 2.0], [5.0, 2.0, 0.0]]))
    tensor([0, 2, 0])
    """
    best, parent = weight[0].clone(), torch.zeros(len(weight), dtype=torch.long)
    outside = torch.ones(len(weight), dtype=torch.bool)
    outside[0] = False
    for _ in range(len(weight) - 1):
        vertex = int(torch.where(outside, best, -torch.inf).argmax())
        outside[vertex] = False
        better = outside & (weight[vertex] > best)
        best, parent = torch.where(better, weight[vertex], best), torch.where(better, vertex, parent)
    return parent
