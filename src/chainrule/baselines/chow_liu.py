"""The Chow-Liu tree: of all models in which every element depends on one other, the most likely."""

from __future__ import annotations

import torch
from torch import Tensor

from chainrule.baselines.pair_counts import (
    conditional_tables,
    counted_pairs,
    mutual_information,
    real_symbols,
    spanning_tree,
)
from chainrule.batch import Batch
from chainrule.data.examples.base import Examples
from chainrule.data.examples.in_batches import in_batches
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
        real = real_symbols(length, symbols, sizes)
        parent = spanning_tree(mutual_information(pairs, real))
        counts = pairs[torch.arange(length), :, parent]
        self.register_buffer("parent", parent)
        self.register_buffer("log_table", conditional_tables(counts, parent, real))

    parent: Tensor
    log_table: Tensor

    @classmethod
    def fit(cls, examples: Examples, num_symbols: int, sizes: list[int] | None = None) -> ChowLiuTree:
        """Count the pairs of examples of one length."""
        return cls(counted_pairs((batch.x for _, batch in in_batches(examples, 4096)), num_symbols), sizes)

    def element_log_prob(self, batch: Batch) -> Tensor:
        """ln p(x_d | x_parent(d)), shape (B, D)."""
        position = torch.arange(batch.x.shape[1])
        return self.log_table[position, batch.x, batch.x[:, self.parent]]
