"""N-grams by portable arithmetic: counts are whole numbers, and sums of what follows from them have a fixed order."""

from __future__ import annotations

import numpy as np
from torch import Tensor

from chainrule.batch import Array
from chainrule.coding.portable_numbers import normalised
from chainrule.networks.ngram import NGram, NGramState
from chainrule.networks.ngram_counts import Followers, Found

__all__ = ["PortableNGram"]


class PortableNGram:
    """p(x_d | x_<d) of n-grams in float64, see `NGram`.

    network: the n-grams.
    """

    def __init__(self, network: NGram) -> None:
        self.network = network
        self.place = network.symbols.place.cpu().numpy()
        self.seen = len(network.symbols.share) - 1
        self.weight = network.weight.double().cpu().numpy()
        self.lowest = np.bincount(self.place, minlength=self.seen + 1) / len(self.place)

    def begin(self, batch_size: int) -> NGramState:
        """The state before the first element."""
        return NGramState(self.network.last.none(batch_size, self.network.weight.device))

    def next(self, x_previous: Tensor | None, state: NGramState) -> Array:
        """The probabilities of the symbols of the next element, float64, shape (B, V); moves the state on.

        x_previous: the elements before it, None for the first.
        """
        network = self.network
        state.before = network.last.after(x_previous, state.before)
        rows = network.rows(network.nodes(state.before))
        weight = self.weight[network.bucket(rows).cpu().numpy()]
        shape = (rows.contexts, self.seen + 1)
        lower, total = self.lowest[None], np.zeros(shape)  # all contexts share the empty one, so that it is one row
        for k in range(network.order):
            if k + 1 in network.orders:
                n = network.orders.index(k + 1)
                p = self._interpolated(network.counted[n], rows.counted[n], lower)
                total = total + weight[:, n : n + 1] * p
            if k < network.order - 1:
                lower = np.broadcast_to(self._interpolated(network.continued[k], rows.continued[k], lower), shape)
        share = np.append(np.ones(self.seen), 1 / max(len(self.place) - self.seen, 1))
        return normalised((total * share)[:, self.place])

    def _interpolated(self, followers: Followers, found: Found, lower: Array) -> Array:
        """max(N(x) - D, 0) / N + sum D / N lower(x), and `lower` where a context is not known, shape of lower."""
        if not len(found.known):
            return lower
        known, owner, count = found.known.cpu().numpy(), found.owner.cpu().numpy(), found.count.cpu().numpy()
        discount = followers.discount.double().cpu().numpy()
        taken = np.append(0.0, np.broadcast_to(discount, 3))[np.minimum(count, 3)]
        seen = found.seen.cpu().numpy()
        total = np.maximum(seen, 1).astype(np.float64)
        spared = np.bincount(owner, weights=taken, minlength=len(known)) / total
        scale = np.ones(len(lower))
        scale[known] = np.where(seen > 0, spared, 1.0)
        p = lower * scale[:, None]
        p[known[owner], self.place[found.symbol.cpu().numpy()]] += np.maximum(count - taken, 0.0) / total[owner]
        return np.asarray(p)
