"""Counts of pairs of elements, the tree of largest mutual information, and its tables: a Chow-Liu tree in its parts."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor

from chainrule.errors import InputError

__all__ = [
    "conditional_tables",
    "counted_pairs",
    "counts_beside",
    "mutual_information",
    "real_symbols",
    "spanning_tree",
]

ROWS = 4096  # whole numbers up to it are exact in float32


def real_symbols(length: int, symbols: int, sizes: list[int] | None = None) -> Tensor:
    """Which symbols each element has, shape (D, V). sizes: how many each has, by default V."""
    return torch.arange(symbols) < torch.tensor(sizes or [symbols] * length)[:, None]


def counted_pairs(rows: Iterable[Tensor], symbols: int) -> Tensor:
    """How often elements i and j were a and b, float64, shape (D, V, D, V).

    rows: parts of the examples, symbols of shape (N, D).
    symbols: V.

    >>> counted_pairs([torch.tensor([[0, 1], [0, 0], [1, 1]])], 2)[0, :, 1]
    tensor([[1., 1.],
            [0., 1.]], dtype=torch.float64)
    """
    found: Tensor | None = None
    count = length = 0
    for part in rows:
        for x in torch.split(part, ROWS):
            indicators = (x.unsqueeze(2) == torch.arange(1, symbols)).flatten(1).float()
            seen = (indicators.T @ indicators).double()
            found = seen if found is None else found + seen
            count, length = count + len(x), x.shape[1]
    if found is None:
        raise InputError("a baseline needs at least one example, got none")
    pairs = found.new_zeros(length, symbols, length, symbols)
    both = found.view(length, symbols - 1, length, symbols - 1)
    one = found.diagonal().view(length, symbols - 1)
    pairs[:, 1:, :, 1:] = both
    pairs[:, 0, :, 1:] = one - both.sum(1)
    pairs[:, 1:, :, 0] = one.unsqueeze(2) - both.sum(3)
    pairs[:, 0, :, 0] = count - one.sum(1, keepdim=True) - pairs[:, 0, :, 1:].sum(2)
    return pairs


def counts_beside(rows: Iterable[Tensor], parent: Tensor, symbols: int) -> Tensor:
    """How often each element d was a where its parent was b, float64, shape (D, V, V). rows: as for `counted_pairs`."""
    length = len(parent)
    counts = torch.zeros(length * symbols * symbols, dtype=torch.long)
    first = torch.arange(length) * symbols
    for x in rows:
        cell = (first + x) * symbols + x[:, parent]
        counts += torch.bincount(cell.flatten(), minlength=len(counts))
    return counts.view(length, symbols, symbols).double()


def conditional_tables(counts: Tensor, parent: Tensor, real: Tensor, smoothing: float = 1.0) -> Tensor:
    """ln p(x_d | x_parent(d)), shape (D, V, V), from counts with a number added to each cell.

    counts: how often d was a where its parent was b, shape (D, V, V).
    parent: number of the parent of each element, its own where it depends on none, shape (D,).
    real: which symbols each element has, shape (D, V).
    smoothing: what is added to each count.
    """
    root = parent == torch.arange(len(parent))
    alone = counts.diagonal(dim1=1, dim2=2).unsqueeze(2).expand_as(counts)
    counts = torch.where(root[:, None, None], alone, counts)
    beside = real[parent].unsqueeze(1) | root[:, None, None]
    table = torch.where(real.unsqueeze(2) & beside, counts + smoothing, 0.0)
    return (table / table.sum(1, keepdim=True).clamp(min=1e-9)).log()


def mutual_information(pairs: Tensor, real: Tensor) -> Tensor:
    """I(i, j) = sum_ab p_ij(a, b) ln [p_ij(a, b) / (p_i(a) p_j(b))] in nats, shape (D, D), from counts plus one.

    pairs: counts, shape (D, V, D, V); a row at a time, to save memory.
    real: which symbols each element has, shape (D, V).
    """
    rows = []
    for counts, here in zip(pairs, real, strict=True):
        cells = here[:, None, None] & real
        joint = torch.where(cells, counts + 1, 0.0)  # (V, D, V)
        p = joint / joint.sum((0, 2), keepdim=True)
        independent = p.sum(2, keepdim=True) * p.sum(0, keepdim=True)
        rows.append(torch.where(p > 0, p * (p / independent).log(), 0.0).sum((0, 2)))
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
