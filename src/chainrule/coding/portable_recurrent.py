"""GRU and LSTM by portable arithmetic: exact products, norms in fixed order, gates by a table."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from torch import Tensor, nn

from chainrule.batch import Array
from chainrule.coding.exact_products import on_grid
from chainrule.coding.portable_elements import refuse_context
from chainrule.coding.portable_layers import ExactLinear, PortableEmbedding, PortableNorm, gate, gate_tanh
from chainrule.networks.recurrent import Recurrent

__all__ = ["PortableRecurrent"]


@dataclass
class PortableRecurrentState:
    """The position, the number of examples, and the hidden state of each layer, with an LSTM its cell behind it."""

    d: int
    batch_size: int
    layers: list[tuple[Array, ...]]


class PortableCell:
    """One layer's state after an element; the hidden state is a multiple of 2^-16 within [-1, 1].

    cell: the layer in float32.
    bound: largest absolute value of each input.
    """

    def __init__(self, cell: nn.LSTM | nn.GRU, bound: Array) -> None:
        into, across, into_bias, across_bias = cell.all_weights[0]
        self.into = ExactLinear(into, into_bias, bound)
        self.across = ExactLinear(across, across_bias, np.ones(across.shape[1]))

    def gru(self, y: Array, s: Array) -> tuple[Array, ...]:
        """r, z = sigmoid(...), n = tanh(W y + b + r (U s + c)), s' = (1 - z) n + z s."""
        r, z, n = np.split(self.into.of(y), 3, 1)
        of_r, of_z, of_n = np.split(self.across.of(s), 3, 1)
        r, z = gate(r + of_r), gate(z + of_z)
        n = gate_tanh(n + r * of_n)
        return (on_grid((1.0 - z) * n + z * s),)

    def lstm(self, y: Array, s: Array, c: Array) -> tuple[Array, ...]:
        """i, f, o = sigmoid(...), g = tanh(...), c' = f c + i g, s' = o tanh(c')."""
        i, f, g, o = np.split(self.into.of(y) + self.across.of(s), 4, 1)
        c = gate(f) * c + gate(i) * gate_tanh(g)
        return on_grid(gate(o) * gate_tanh(c)), c


class PortableRecurrent:
    """h_d of a `Recurrent`, a model of its own, see `ExactProduct`.

    network: the float32 network, without a context.
    """

    def __init__(self, network: Recurrent) -> None:
        refuse_context(network.embedding.context, network)
        self.embedding = PortableEmbedding(network.embedding)
        self.norms = [PortableNorm(norm) for norm in network.norms]  # type: ignore[arg-type]
        self.cells = [PortableCell(cell, norm.bound) for cell, norm in zip(network.cells, self.norms, strict=True)]
        self.norm, self.lstm = PortableNorm(network.norm), network.lstm
        self.bound = self.norm.bound

    def begin(self, batch_size: int) -> PortableRecurrentState:
        """The state before the first element."""
        nothing = np.zeros((batch_size, len(self.bound)))
        return PortableRecurrentState(0, batch_size, [(nothing,) * (1 + self.lstm) for _ in self.cells])

    def next(self, x_previous: Tensor | None, state: PortableRecurrentState) -> Array:
        """The features of the next element, multiples of 2^-16, shape (B, H); moves the state on.

        x_previous: the elements before it, None for the first.
        """
        y = self.embedding.of(state.d, x_previous, state.batch_size)
        for number, (norm, cell) in enumerate(zip(self.norms, self.cells, strict=True)):
            step = cell.lstm if self.lstm else cell.gru
            state.layers[number] = step(norm.of(y), *state.layers[number])
            y = y + state.layers[number][0]
        state.d += 1
        return self.norm.of(y)
