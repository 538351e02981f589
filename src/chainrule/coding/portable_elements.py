"""The way into a network by portable arithmetic: elements become vectors of multiples of 2^-16."""

from __future__ import annotations

import numpy as np
from torch import Tensor

from chainrule.batch import Array
from chainrule.coding.exact_products import on_grid
from chainrule.errors import InputError
from chainrule.networks.embedding import ContextEmbedding, ElementEmbedding

__all__ = ["PortableElements", "as_float64", "refuse_context"]

FARTHEST = 32.0  # standard deviations from the mean at which numbers are cut


def as_float64(tensor: Tensor) -> Array:
    """The numbers of a parameter, each of them exact; raises InputError where they are not finite."""
    if not bool(tensor.isfinite().all()):
        raise InputError("weights of the model are not finite numbers; train it again")
    return np.asarray(tensor.detach().double().cpu().numpy())


def refuse_context(context: ContextEmbedding, network: object) -> None:
    """Raise InputError for a network that is given classes or vectors."""
    if context.num_classes is not None or context.context_size is not None:
        raise InputError(f"a {type(network).__name__} given conditions has no portable form")


class PortableElements:
    """e(x_j) - c_j, see `ElementEmbedding`; numbers farther than 32 standard deviations from their mean are cut.

    embedding: e.
    centre: c, what vectors are counted from, for each element or for all of them, shape (D, E) or (1, E).
    """

    def __init__(self, embedding: ElementEmbedding, centre: Array) -> None:
        self.centre = centre
        value = embedding.value
        self.scale = np.zeros((1, embedding.width)) if value is None else as_float64(value.weight).T
        self.offset = np.zeros(embedding.width) if value is None else as_float64(value.bias)
        self.table = None if embedding.table is None else self._table(as_float64(embedding.table.weight))
        if self.table is None:
            self.missing = as_float64(embedding.missing)
            self.mean, self.spread = as_float64(embedding.centre), as_float64(embedding.spread)

    def _table(self, table: Array) -> Array:
        """The vector of each symbol, shape (V, E)."""
        levels = np.arange(len(table), dtype=np.float64) * (2 / max(len(table) - 1, 1)) - 1
        return table + (levels[:, None] * self.scale + self.offset)

    @property
    def bound(self) -> Array:
        """The largest absolute value of each entry of a vector, shape of the centre."""
        if self.table is not None:
            low, high = self.table.min(0), self.table.max(0)
        else:
            ends = FARTHEST * np.abs(self.scale[0])
            low, high = (
                np.minimum(self.offset - ends, self.missing),
                np.maximum(self.offset + ends, self.missing),
            )
        return np.asarray(on_grid(np.maximum(np.abs(low - self.centre), np.abs(high - self.centre))) + 2.0**-16)

    def of(self, x: Tensor, d: int) -> Array:
        """The vectors of elements (B,) that stand at place d of the network, shape (B, E)."""
        centre = self.centre[d if len(self.centre) > 1 else 0]
        if self.table is not None:
            if x.is_floating_point():
                raise InputError(f"this network reads symbols 0..{len(self.table) - 1} as integers, got {x.dtype}")
            return on_grid(self.table[x.numpy()] - centre)
        z = np.clip((x.double().numpy() - self.mean[d]) / self.spread[d], -FARTHEST, FARTHEST)[:, None]
        vectors = z * self.scale
        vectors = np.where(np.isnan(z), self.missing, vectors + self.offset)
        return on_grid(vectors - centre)
