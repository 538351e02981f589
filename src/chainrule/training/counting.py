"""Counting n-grams, and the weights of their orders."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from chainrule.batch import Array, Rows
from chainrule.data.examples.base import Examples
from chainrule.data.examples.in_batches import in_batches
from chainrule.errors import InputError
from chainrule.models.chain import AutoregressiveModel
from chainrule.networks.ngram import NGram
from chainrule.networks.ngram_counts import Followers
from chainrule.training.fitted_state import load_whole
from chainrule.training.simplex import weights_by_kind

__all__ = ["Counting"]

ENOUGH = 300_000  # elements of the validation split by which orders are weighed
ROWS = 64  # rows that are read at once
LEAST = 0.05  # of a discount, and of what it leaves
BLOCKS = 64  # parts of the text, each of which can be left out of the counts where it is learned from


class Counting:
    """N-grams while they are counted: all in one part, for it takes seconds.

    model: n-grams with a head of logits, changed in place.
    train: what is counted.
    valid: what the weights of the orders are found on.

    step: 1 when it is done.
    parts: 1.
    """

    def __init__(self, model: AutoregressiveModel, train: Examples, valid: Examples) -> None:
        if not isinstance(model.network, NGram):
            raise InputError(f"counting fits an NGram network, got a {type(model.network).__name__}")
        self.network, self.train, self.valid = model.network, train, valid
        self.step, self.parts = 0, 1

    def fit_next(self) -> None:
        """Count, and weigh."""
        self._count()
        self._weigh()
        self.step = 1

    def load_into_network(self) -> None:
        """Nothing is left to do."""

    def _count(self) -> None:
        network, symbols = self.network, self.network.num_symbols
        grams, x = self._grams()
        where = np.arange(len(x)) * BLOCKS // len(x)
        node, contexts = np.zeros(len(grams), dtype=np.int64), [np.zeros(1, dtype=np.int64)]
        kinds: list[Pairs] = []
        for k in range(network.order):
            if k:
                keys, node = np.unique(node * (symbols + 1) + grams[:, k - 1], return_inverse=True)
                contexts.append(keys)
            kinds.append(_pairs(node * symbols + x, where, where))
            if k + 1 in network.orders:
                _take(network.counted[network.orders.index(k + 1)], kinds[k], len(contexts[k]), symbols)
            network.register_buffer(f"contexts_{k}", torch.from_numpy(contexts[k]))
        for k in range(network.order - 1):  # of each longer context, whatever its oldest symbol, every kind once
            longer, symbol = np.divmod(kinds[k + 1].key, symbols)
            shorter = contexts[k + 1][longer] // (symbols + 1)
            pairs = _pairs(shorter * symbols + symbol, kinds[k + 1].first, kinds[k + 1].last)
            _take(network.continued[k], pairs, len(contexts[k]), symbols)
        network.symbols.see(torch.from_numpy(np.unique(x)))

    def _grams(self) -> tuple[Array, Array]:
        """The contexts (T, order - 1) of the elements that are counted, and these elements (T,)."""
        before, x, have = [], [], 0
        for _, batch in in_batches(self.train, 1024, self._counted_rows()):
            before.append(self.network.last.of(batch.x)[batch.mask].to(torch.int32).numpy())
            x.append(batch.x[batch.mask].long().numpy())
            have += len(x[-1])
            if have >= self.network.most:
                break
        if not have:
            raise InputError("n-grams need at least one element to count, got none")
        return np.concatenate(before), np.concatenate(x)

    def _counted_rows(self) -> Rows:
        """All rows, or some of them evenly apart where they hold more elements than are counted."""
        first = self.train.batch(np.arange(min(len(self.train), ROWS)))
        total = float(first.mask.sum()) / max(len(first.x), 1) * len(self.train)
        return np.arange(0, len(self.train), max(1, -(-int(total) // self.network.most)))

    def _weigh(self) -> None:
        """The weights of the orders by kind of context, drawn towards those of all contexts."""
        network = self.network
        log_p, buckets, have = [], [], 0
        some = np.arange(0, len(self.valid), max(1, len(self.valid) * network.length // ENOUGH))
        for _, batch in in_batches(self.valid, ROWS, some):
            rows = network.rows(network.nodes(network.last.of(batch.x)[batch.mask]))
            x = batch.x[batch.mask].long()
            place, share = network.symbols.place[x].unsqueeze(1), network.symbols.share[network.symbols.place[x]]
            p = torch.cat([p.gather(1, place) for p in network.of_orders(rows)], 1) * share.unsqueeze(1)
            log_p.append(p.double().log().numpy())
            buckets.append(network.bucket(rows).numpy())
            have += len(x)
        if not have:
            return
        ln, bucket = np.concatenate(log_p).T, np.concatenate(buckets)
        network.weight.copy_(weights_by_kind(ln, bucket, network.kinds))

    def state_dict(self) -> dict[str, Any]:
        """What a checkpoint holds."""
        return {"ngram": self.network.state_dict(), "progress": {"step": self.step}}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from a saved state; raises InputError, and changes nothing, if it does not fit."""
        if state["progress"]["step"]:
            load_whole(self.network, state["ngram"])
        self.step = state["progress"]["step"]


@dataclass(frozen=True)
class Pairs:
    """Contexts and what followed them.

    key: sorted keys node * V + symbol, each once.
    count: how often it occurs.
    first, last: the first and the last block of the text in which it does.
    """

    key: Rows
    count: Rows
    first: Rows
    last: Rows


def _pairs(keys: Rows, first: Rows, last: Rows) -> Pairs:
    """Equal keys together. first, last: the blocks of the text in which each of them stands."""
    key, place, count = np.unique(keys, return_inverse=True, return_counts=True)
    least, most = np.full(len(key), BLOCKS), np.zeros(len(key), dtype=np.int64)
    np.minimum.at(least, place, first)
    np.maximum.at(most, place, last)
    return Pairs(key, count, least, most)


def discounts(count: Rows) -> list[float]:
    """D_1, D_2, D_3 for counts of one, of two and of three or more (Chen, Goodman 1999).

        D_i = i - (i + 1) Y n_{i+1} / n_i,   Y = n_1 / (n_1 + 2 n_2),   n_i how many counts are i

    >>> [round(d, 2) for d in discounts(np.array([1] * 10 + [2] * 4 + [3] * 2 + [4]))]
    [0.56, 1.17, 1.89]
    """
    n = [0, *(int((count == i).sum()) for i in range(1, 5))]
    y = n[1] / (n[1] + 2 * n[2]) if n[1] and n[2] else 0.5
    return [min(max(i - (i + 1) * y * n[i + 1] / n[i] if n[i] else y, LEAST), i - LEAST) for i in (1, 2, 3)]


def _take(followers: torch.nn.Module, pairs: Pairs, contexts: int, symbols: int) -> None:
    """Counts of pairs, with their discounts."""
    if not isinstance(followers, Followers):
        raise InputError(f"counts are for Followers, got a {type(followers).__name__}")
    node, symbol = np.divmod(pairs.key, symbols)
    offset = np.searchsorted(node, np.arange(contexts + 1))
    discount = torch.tensor(discounts(pairs.count))
    block = torch.from_numpy(np.where(pairs.first == pairs.last, pairs.first, -1))
    followers.load(torch.from_numpy(offset), torch.from_numpy(symbol), torch.from_numpy(pairs.count), discount, block)
