"""NADE by portable arithmetic: exact products of weights and activations of so many bits, and a norm in fixed order."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from torch import Tensor, nn

from chainrule.batch import Array
from chainrule.coding.exact_products import STEP_BITS, ExactProduct, on_grid
from chainrule.coding.portable_elements import PortableElements, as_float64, refuse_context
from chainrule.coding.portable_numbers import halved_sum, ordered_sum
from chainrule.networks.nade import NADE
from chainrule.networks.sparse_nade import SparseNADE

__all__ = ["PortableNADE", "portable_nade", "portable_sparse_nade"]

STEP = 2.0**-STEP_BITS


@dataclass
class PortableNADEState:
    """The position, the running sum u of the elements so far, and the active units after it, shape (B, width) each."""

    d: int
    units: Array
    active: Array


class NormedUnits:
    """a = relu(norm(u)) as multiples of 2^-16, of units whose mean is zero.

        norm(u) = g u / sqrt(mean(u^2) + epsilon) + b

    norm: the layer with g and b.
    """

    def __init__(self, norm: nn.LayerNorm) -> None:
        gain, offset, self.epsilon = as_float64(norm.weight), as_float64(norm.bias), norm.eps
        self.steps_gain, self.steps_offset = gain / STEP, offset / STEP
        self.bound = np.abs(gain) * np.sqrt(len(gain)) + np.maximum(offset, 0.0) + STEP

    def of(self, u: Array) -> Array:
        """The active units, shape of u."""
        spread = np.sqrt(halved_sum(u * u) / u.shape[-1] + self.epsilon)
        a = u / spread
        a *= self.steps_gain
        a += self.steps_offset
        np.rint(np.maximum(a, 0.0, out=a), out=a)
        a *= STEP
        return np.asarray(a)


class PortableNADE:
    """h_d of a `NADE`, a model of its own: its weights are rounded where products are summed, its units to 2^-16.

    All that enters a norm is counted from its mean over the units, which the norm would take away. Examples whose
    element is the usual one keep their sums, and what follows from them.

    network: the float32 network, without a context.
    centre: what vectors are counted from, shape (D, E).
    """

    def __init__(self, network: NADE, centre: Array) -> None:
        refuse_context(network.context, network)
        self.elements = PortableElements(network.embedding, centre)
        self.into = ExactProduct(_centred(as_float64(network.into)), self.elements.bound)
        self.start = _centred(as_float64(network.start))
        self.norms = [NormedUnits(norm) for norm in network.norms]  # type: ignore[arg-type]
        self.between = [
            ExactProduct(_centred(as_float64(layer.weight).T), norm.bound)
            for norm, layer in zip(self.norms, network.between, strict=False)
        ]
        self.out = ExactProduct(as_float64(network.out), np.broadcast_to(self.norms[-1].bound, network.out.shape[:2]))
        self.bias = as_float64(network.bias)
        self.bound = np.asarray((self.out.largest + np.abs(self.bias)).max(0)) + STEP

    def begin(self, batch_size: int) -> PortableNADEState:
        """The state before the first element."""
        units = np.repeat(self.start[None], batch_size, 0)
        return PortableNADEState(0, units, self._active(units))

    def next(self, x_previous: Tensor | None, state: PortableNADEState) -> Array:
        """The features of the next element, multiples of 2^-16, shape (B, H); moves the state on.

        x_previous: the elements before it, None for the first.
        """
        d = state.d
        if x_previous is not None:
            vectors = self.elements.of(x_previous, d - 1)
            moved = np.flatnonzero(vectors.any(1))
            rows = slice(None) if len(moved) == len(vectors) else moved
            if len(moved):
                state.units[rows] += self.into.of(vectors[rows], d - 1)
                state.active[rows] = self._active(state.units[rows])
        state.d += 1
        return on_grid(self.out.of(state.active, d) + self.bias[d])

    def _active(self, u: Array) -> Array:
        """The units that are read out, after all residual layers."""
        for norm, layer in zip(self.norms, self.between, strict=False):
            u = u + layer.of(norm.of(u))
        return self.norms[-1].of(u)


def portable_nade(network: NADE) -> PortableNADE:
    """The portable form of a NADE."""
    return PortableNADE(network, as_float64(network.mean))


def portable_sparse_nade(network: SparseNADE) -> PortableNADE:
    """The portable form of a SparseNADE, whose vectors are counted from those of the usual symbols."""
    zero = np.zeros((1, network.embedding.width))
    usual = PortableElements(network.embedding, zero).table
    if usual is None:
        raise AssertionError("real numbers have no usual symbol")  # a fault of ours
    return PortableNADE(network, usual[network.usual.cpu().numpy()])


def _centred(weight: Array) -> Array:
    """Weights whose mean over the units, the last axis, is zero."""
    return weight - ordered_sum(weight) / weight.shape[-1]
