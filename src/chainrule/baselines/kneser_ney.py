"""Interpolated Kneser-Ney n-grams: the strongest thing that only counts."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from chainrule.batch import Array, Batch, Rows
from chainrule.data.examples.base import Examples
from chainrule.data.examples.in_batches import in_batches
from chainrule.errors import InputError
from chainrule.models.base import Model

__all__ = ["KneserNey"]


@dataclass(frozen=True)
class Level:
    """The counts after contexts of one length.

    contexts: sorted keys (node of the context without its oldest symbol) * (V + 1) + oldest symbol; the place of a key
        is the context's node.
    pairs: sorted keys node * V + symbol.
    counts: how often each pair occurs.
    total: sum of the counts of each node.
    kinds: number of different symbols that follow each node.
    discount: D, what is subtracted from each count.
    """

    contexts: Rows
    pairs: Rows
    counts: Rows
    total: Rows
    kinds: Rows
    discount: float


class KneserNey(Model):
    """p_k(w | c) = max(N_k(c w) - D_k, 0) / N_k(c) + D_k N_{1+}(c .) / N_k(c) p_{k-1}(w | c without its oldest symbol).

    The longest contexts count occurrences, shorter ones the different symbols that stand before (continuations); the
    chain of mixtures ends in the uniform distribution, so every symbol has mass and the sum over all is one. Discounts
    D_k = n_1 / (n_1 + 2 n_2), from how many counts are one and two.

    Papers: Kneser & Ney, *Improved backing-off for m-gram language modeling*, 1995; Chen & Goodman, *An empirical study
    of smoothing techniques for language modeling*, 1999.
    """

    def __init__(self, levels: list[Level], num_symbols: int) -> None:
        super().__init__()
        self.levels, self.symbols = levels, num_symbols

    @classmethod
    def fit(cls, examples: Examples, num_symbols: int, order: int = 5, most: int = 5_000_000) -> KneserNey:
        """Count n-grams of an order, the symbol itself included, over the first `most` scored elements."""
        if order < 1:
            raise InputError(f"an n-gram has at least its own symbol, got order={order}")
        seen: list[Array] = []
        have = 0
        for _, batch in in_batches(examples, 1024):
            seen.append(_grams(batch, num_symbols, order))
            have += len(seen[-1])
            if have >= most:
                break
        grams = np.concatenate(seen)
        nodes, contexts = [np.zeros(len(grams), dtype=np.int64)], [np.zeros(1, dtype=np.int64)]
        for k in range(1, order):
            keys, place = np.unique(nodes[-1] * (num_symbols + 1) + grams[:, k], return_inverse=True)
            contexts.append(keys)
            nodes.append(place)
        pairs, counts = np.unique(nodes[-1] * num_symbols + grams[:, 0], return_counts=True)
        levels = [_level(contexts[-1], pairs, counts, num_symbols)]
        for k in range(order - 2, -1, -1):
            node, symbol = np.divmod(pairs, num_symbols)
            pairs, counts = np.unique(
                contexts[k + 1][node] // (num_symbols + 1) * num_symbols + symbol, return_counts=True
            )
            levels.append(_level(contexts[k], pairs, counts, num_symbols))
        return cls(levels[::-1], num_symbols)

    def _log_prob(self, grams: Array) -> Array:
        """ln p of symbols (T, 0) after their contexts (T, 1:), the nearest first."""
        p = np.full(len(grams), 1 / self.symbols)
        node = np.zeros(len(grams), dtype=np.int64)
        for k, level in enumerate(self.levels):
            if k:
                node = np.where(node < 0, -1, _find(level.contexts, node * (self.symbols + 1) + grams[:, k]))
            known = node >= 0
            here = node[known]
            place = _find(level.pairs, here * self.symbols + grams[known, 0])
            count = np.where(place >= 0, level.counts[place], 0)
            spared = level.discount * level.kinds[here]
            p[known] = (np.maximum(count - level.discount, 0) + spared * p[known]) / level.total[here]
        return np.log(p)

    def element_log_prob(self, batch: Batch) -> Tensor:
        """ln p(x_d | the order - 1 symbols before), shape (B, D), 0 where an element does not count."""
        log_prob = torch.zeros(batch.x.shape, dtype=torch.float64)
        log_prob[batch.mask] = torch.from_numpy(self._log_prob(_grams(batch, self.symbols, len(self.levels))))
        return log_prob


def _grams(batch: Batch, num_symbols: int, order: int) -> Array:
    """Each scored element and the symbols before it, nearest first, V where there are none; shape (T, order)."""
    x = batch.x.numpy()
    columns = []
    for k in range(order):
        shifted = np.full_like(x, num_symbols)
        shifted[:, k:] = x[:, : max(0, x.shape[1] - k)]  # a row may be shorter than the order
        columns.append(shifted[batch.mask.numpy()])
    return np.stack(columns, 1)


def _level(contexts: Rows, pairs: Rows, counts: Rows, num_symbols: int) -> Level:
    node = pairs // num_symbols
    total = np.bincount(node, weights=counts, minlength=len(contexts))
    kinds = np.bincount(node, minlength=len(contexts))
    once, twice = int((counts == 1).sum()), int((counts == 2).sum())
    return Level(contexts, pairs, counts, total, kinds, once / (once + 2 * twice) if once and twice else 0.5)


def _find(keys: Rows, wanted: Rows) -> Rows:
    """The place of each wanted key among sorted ones, -1 where it is not."""
    place = np.searchsorted(keys, wanted).clip(max=len(keys) - 1)
    return np.where(keys[place] == wanted, place, -1)
