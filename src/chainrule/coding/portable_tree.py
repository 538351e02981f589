"""A Chow-Liu tree by portable arithmetic: sums over what is not known yet, one term after the other."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from torch import Tensor

from chainrule.batch import Array
from chainrule.coding.portable_numbers import LEAST, normalised, ordered_sum, portable_exp, share_of_product
from chainrule.networks.chow_liu import ChowLiu
from chainrule.networks.tree_messages import neighbours_of, schedule_of

__all__ = ["PortableTree", "PortableTreeState"]


@dataclass
class PortableTreeState:
    """What the elements so far say, the largest entry of each row 1.

    d: the position.
    known: the product of p(x_j | x_d) over the known neighbours j of each element d, shape (D, B, G).
    messages: all messages so far, by their number in the schedule, shape (B, G) each.
    """

    d: int
    known: Array
    messages: dict[int, Array]


class PortableTree:
    """p(x_d | x_<d) of a Chow-Liu tree, see `TreeBelief`, with probabilities in place of their logarithms.

    network: the tree.
    """

    def __init__(self, network: ChowLiu) -> None:
        self.network = network
        self.parents = network.parent.tolist()
        self.table = portable_exp(network.log_table.double().cpu().numpy())
        self.schedule, self.neighbours = schedule_of(self.parents), neighbours_of(self.parents)
        self.alone = np.maximum(self._alone(), LEAST)
        self.conditionals: dict[tuple[int, int], Array] = {}
        self.place = network.place.cpu().numpy()
        self.within = portable_exp(network.log_within.double().cpu().numpy())

    def begin(self, batch_size: int) -> PortableTreeState:
        """The state before the first element."""
        return PortableTreeState(0, np.ones((len(self.parents), batch_size, self.network.places)), {})

    def next(self, x_previous: Tensor | None, state: PortableTreeState) -> Array:
        """The probabilities of the symbols of the next element, float64, shape (B, V); moves the state on.

        x_previous: the elements before it, None for the first.
        """
        d = state.d
        if x_previous is not None:
            self._see(d - 1, x_previous.long().cpu().numpy(), state)
        begins = self.schedule.begins
        for number in range(begins[d], begins[d + 1]):
            message = self.schedule.messages[number]
            about = state.known[message.source]
            for k in message.inputs:
                about = share_of_product(about, state.messages[k])
            said = _product(about, self._conditional(message.source, message.target))
            state.messages[number] = np.maximum(said / said.max(-1, keepdims=True), LEAST)
        p = share_of_product(self.alone[d], state.known[d])
        for k in self.schedule.inputs[d]:
            p = share_of_product(p, state.messages[k])
        state.d += 1
        p = normalised(p)
        if self.network.places < self.network.num_symbols:
            p = p[:, self.place[d]] * self.within[d]
        return p

    def _see(self, d: int, x: Array, state: PortableTreeState) -> None:
        """Element d becomes known, shape (B,)."""
        place = x if self.network.places == self.network.num_symbols else self.place[d, x]
        for later in self.neighbours[d]:
            if later > d:
                said = np.maximum(self._conditional(d, later)[place], LEAST)
                state.known[later] = share_of_product(state.known[later], said)

    def _alone(self) -> Array:
        """p(x_d) of each element, shape (D, G)."""
        alone = np.zeros(self.table.shape[:2])
        done = [False] * len(self.parents)
        for d in range(len(self.parents)):
            path = [d]
            while not done[path[-1]] and self.parents[path[-1]] != path[-1]:
                path.append(self.parents[path[-1]])
            for v in reversed(path):
                if not done[v]:
                    above = self.parents[v]
                    alone[v] = self.table[v, :, 0] if above == v else _product(alone[above], self.table[v].T)
                    done[v] = True
        return alone

    def _conditional(self, u: int, v: int) -> Array:
        """p(x_u | x_v) of neighbours, shape (G, G), x_u first."""
        if (u, v) not in self.conditionals:
            if self.parents[u] == v:
                found = self.table[u]
            else:
                both = self.table[v].T * self.alone[u][:, None]
                total = ordered_sum(both.T).T
                found = np.where(total > 0, both / np.maximum(total, LEAST), 1 / len(both))
            self.conditionals[u, v] = found
        return self.conditionals[u, v]


def _product(a: Array, b: Array) -> Array:
    """The product of (..., G) and (G, H), its terms added in their order."""
    total = a[..., :1] * b[0]
    for g in range(1, len(b)):
        total = total + a[..., g : g + 1] * b[g]
    return np.asarray(total)
