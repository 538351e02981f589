"""MADE by portable arithmetic: each step adds up, exactly, what its new units and its element read."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from torch import Tensor

from chainrule.batch import Array
from chainrule.coding.exact_products import ExactProduct, on_grid
from chainrule.coding.portable_elements import PortableElements, as_float64, refuse_context
from chainrule.coding.portable_layers import LARGEST
from chainrule.networks.made import MADE

__all__ = ["PortableMADE"]


@dataclass
class PortableMADEState:
    """The position and what is known so far.

    d: the position.
    vectors: the elements' vectors, shape (B, D E).
    direct: those after P, shape (B, D, H).
    units: the active units of each layer, shape (B, hidden).
    """

    d: int
    vectors: Array
    direct: Array
    units: list[Array]


class PortableMADE:
    """h_d of a `MADE`, a model of its own: its weights are rounded where products are summed, its units to 2^-16.

    Elements and units stand in the order in which they are needed, as in a step of the network.

    network: the float32 network, without a context.
    """

    def __init__(self, network: MADE) -> None:
        refuse_context(network.context, network)
        length, width = network.length, network.embedding.width
        order = network.order.cpu().numpy()
        degree = network.degree.cpu().numpy()
        unit = np.argsort(degree, kind="stable")
        self.order, self.length, self.features, self.width = order, length, network.features, width
        self.complete = np.searchsorted(degree[unit], np.arange(length), side="right").tolist()
        self.elements = PortableElements(network.embedding, as_float64(network.embedding.start)[None])
        of_element = self.elements.bound[0]
        into = as_float64(network.into.weight).reshape(-1, length, width)[unit][:, order]
        self.into = ExactProduct(into.reshape(len(unit), -1).T, np.tile(of_element, length))
        self.into_bias = as_float64(network.into.bias)[unit]
        bound = np.minimum(self.into.largest + np.abs(self.into_bias), LARGEST) + 2.0**-16
        layer_bound = bound
        self.between, self.between_bias = [], []
        for layer in network.between:
            self.between.append(ExactProduct(as_float64(layer.weight)[unit][:, unit].T, bound))
            self.between_bias.append(as_float64(layer.bias)[unit])
            layer_bound = layer_bound + self.between[-1].largest + np.abs(self.between_bias[-1])
            bound = np.minimum(layer_bound, LARGEST) + 2.0**-16
        out = as_float64(network.out.weight).reshape(length, network.features, -1)[order][:, :, unit]
        self.out = ExactProduct(out.transpose(0, 2, 1), np.broadcast_to(bound, (length, len(unit))))
        self.bias = as_float64(network.out.bias).reshape(length, -1)[order]
        self.direct = ExactProduct(as_float64(network.direct.weight).T, of_element)
        of_direct = self.direct.largest + 2.0**-16
        pairs = as_float64(network.pairs)[order][:, order]
        self.pairs = ExactProduct(pairs.T, np.full(length, of_direct.max()))
        most = self.out.largest.max(0) + np.abs(self.bias).max(0) + self.pairs.largest.max()
        self.bound = np.asarray(most) + 2.0**-16

    def begin(self, batch_size: int) -> PortableMADEState:
        """The state before the first element."""
        return PortableMADEState(
            d=0,
            vectors=np.zeros((batch_size, self.length * self.width)),
            direct=np.zeros((batch_size, self.features, self.length)),
            units=[np.zeros((batch_size, len(self.into_bias))) for _ in range(1 + len(self.between))],
        )

    def next(self, x_previous: Tensor | None, state: PortableMADEState) -> Array:
        """The features of the next element, multiples of 2^-16, shape (B, H); moves the state on.

        x_previous: the elements before it, None for the first.
        """
        d = state.d
        if x_previous is not None:
            vectors = self.elements.of(x_previous, int(self.order[d - 1]))
            state.vectors[:, (d - 1) * self.width : d * self.width] = vectors
            state.direct[:, :, d - 1] = on_grid(self.direct.of(vectors))
        self._complete(state, slice(self.complete[d - 1] if d else 0, self.complete[d]))
        known = slice(0, self.complete[d])
        h = self.out.of(state.units[-1][:, known], d, known) + self.bias[d]
        state.d += 1
        return on_grid(h + self.pairs.of(state.direct[:, :, :d], slice(0, d), slice(d, d + 1))[..., 0])

    def _complete(self, state: PortableMADEState, new: slice) -> None:
        """The units that nothing to come can change, layer by layer."""
        if new.start == new.stop:
            return
        size = state.d * self.width
        u = self.into.of(state.vectors[:, :size], slice(0, size), new) + self.into_bias[new]
        state.units[0][:, new] = _active(u)
        for k, (layer, bias) in enumerate(zip(self.between, self.between_bias, strict=True)):
            known = slice(0, new.stop)
            u = u + (layer.of(state.units[k][:, known], known, new) + bias[new])
            state.units[k + 1][:, new] = _active(u)


def _active(u: Array) -> Array:
    """relu(u) as multiples of 2^-16, cut at 1024."""
    return on_grid(np.clip(u, 0.0, LARGEST))
