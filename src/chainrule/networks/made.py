"""MADE: a multilayer perceptron whose masks make it autoregressive."""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from chainrule.errors import InputError
from chainrule.networks.base import AutoregressiveNetwork
from chainrule.networks.dropout import Dropout
from chainrule.networks.embedding import ContextEmbedding, ElementEmbedding

__all__ = ["MADE"]


@dataclass
class MADEState:
    """The position, what is known so far, and the weights with elements and units sorted by when they are needed.

    vectors: the elements' vectors so far, (B, D, E), and direct: those after P, (B, D, H).
    units: the activations of each layer's units so far, (B, hidden).
    complete: number of units that are complete at each position.

    The others are the parameters of the network, permuted.
    """

    d: int
    vectors: Tensor
    direct: Tensor
    units: list[Tensor]
    complete: list[int]
    into: Tensor
    into_plus: Tensor
    between: list[tuple[Tensor, Tensor]]
    out: Tensor
    out_plus: Tensor
    pairs: Tensor


class MADE(AutoregressiveNetwork):
    """A masked residual perceptron: all conditionals from one pass, in any order of the elements.

        u_0 = (W_0 M_0) e + b_0,   u_l = u_{l-1} + (W_l M) f(u_{l-1}) + b_l,   f = relu
        h_d = sum_{k: m_k <= d} V_{dk} f(u_L)_k + c_d + sum_{j<d} D_{dj} P e_j

    Each hidden unit k has a degree m_k from 1 to D-1: by way of M_0 it sees the first m_k elements, by way of M the
    units of no higher degree. The last sum are direct connections. Masks multiply weights in the forward pass. e_j is
    the vector of element j, relative to a learned one for an element that is not known.

    A step computes the hidden units that element d - 1 completes, and no other: all steps together cost one pass.

    num_symbols: V, number of symbols; None for real numbers.
    shape: layout of an example in elements.
    features: H, size of the features; by default V - 1, which is enough for V symbols, at most 16.
    depth: number of residual layers after the first.
    hidden: number of units per layer.
    element_width: E, size of the elements' vectors; by default V, at most 16, and 2 for real numbers.
    dropout: probability with which a unit is dropped.
    ordinal: whether symbols are levels, so that their value is read as well.
    num_classes: number of classes of the context, for p(x | c).
    context_size: size of the vectors of the context, for p(x | c).

    Paper: Germain, Gregor, Murray, Larochelle, *MADE: masked autoencoder for distribution estimation*, 2015.

    >>> net = MADE(num_symbols=2, shape=6, hidden=32)
    >>> net(torch.zeros(5, 6, dtype=torch.long)).shape
    torch.Size([5, 6, 1])
    """

    takes_levels = takes_context = True

    order: Tensor
    degree: Tensor

    def __init__(
        self,
        num_symbols: int | None,
        shape: int | tuple[int, ...],
        features: int | None = None,
        depth: int = 1,
        *,
        hidden: int = 512,
        element_width: int | None = None,
        dropout: float = 0.0,
        ordinal: bool = False,
        num_classes: int | None = None,
        context_size: int | None = None,
    ) -> None:
        if features is None:
            features = 16 if num_symbols is None else max(1, min(16, num_symbols - 1))
        if element_width is None:
            element_width = 2 if num_symbols is None else min(16, num_symbols)
        if min(features, hidden, element_width) < 1 or depth < 0:
            raise InputError(
                "features, hidden and element_width start at 1 and depth at 0, "
                f"got {features}, {hidden}, {element_width} and {depth}"
            )
        super().__init__(shape, features)
        length = self.length
        self.embedding = ElementEmbedding(num_symbols, self.shape, element_width, ordinal=ordinal, positions=False)
        if num_symbols is not None and self.embedding.table is not None and element_width >= num_symbols:
            nn.init.eye_(self.embedding.table.weight)
        self.context = ContextEmbedding(hidden + length * features, num_classes, context_size)
        self.into = nn.Linear(length * element_width, hidden)
        self.between: Sequence[nn.Linear] = nn.ModuleList(  # type: ignore[assignment]
            nn.Linear(hidden, hidden) for _ in range(depth)
        )
        self.out = nn.Linear(hidden, length * features)
        nn.init.zeros_(self.out.weight)
        self.pairs = nn.Parameter(torch.zeros(length, length))
        self.direct = nn.Linear(element_width, features, bias=False)
        self.dropout = Dropout(dropout)
        self.register_buffer("order", torch.arange(length))
        self.register_buffer("degree", 1 + torch.arange(hidden) * (length - 1) // hidden)

    @property
    def position(self) -> Tensor:
        """When each element comes: the inverse of the order."""
        return self.order.argsort()

    def in_order(self, order: Tensor, degree: Tensor | None = None) -> MADE:
        """The same parameters, read in another order: x_0 of the new network is element order[0] of this one.

        A weight stays with its element, only the masks change, so that networks of many orders share what they learn.
        degree: m_k of each unit, by default what it is.
        """
        if not torch.equal(order.sort().values, torch.arange(self.length, device=order.device)):
            raise InputError(f"an order is a permutation of 0..{self.length - 1}, got {order.tolist()}")
        other = copy(self)
        degree = self.degree if degree is None else degree
        other._buffers = self._buffers | {"order": self.order[order], "degree": degree}
        return other

    def layers(self, x: Tensor, context: Tensor | None = None) -> list[Tensor]:
        """What the output reads after every layer, each of shape (B, D, H)."""
        vectors = self.vectors(x)
        return [self.read(u, vectors, context)[:, : x.shape[1]] for u in self.units(vectors, context)]

    def forward(self, x: Tensor, context: Tensor | None = None) -> Tensor:
        vectors = self.vectors(x)
        return self.read(self.units(vectors, context)[-1], vectors, context)[:, : x.shape[1]]

    def vectors(self, x: Tensor) -> Tensor:
        """The vectors of the elements, in this network's own order, zero for those that are not given, (B, D, E)."""
        self.embedding.check(x)
        if x.shape[1] > self.length:
            raise InputError(
                f"examples have {x.shape[1]} elements, but the network was built for at most {self.length}"
            )
        given = self.embedding.elements(x, self.order[: x.shape[1]]) - self.embedding.start
        return F.pad(given, (0, 0, 0, self.length - x.shape[1]))[:, self.position]

    def units(self, vectors: Tensor, context: Tensor | None) -> list[Tensor]:
        """u_0, ..., u_L, each (B, hidden)."""
        position = self.position.repeat_interleave(vectors.shape[2])
        u = F.linear(vectors.flatten(1), self.into.weight * (position < self.degree.unsqueeze(1)), self.into.bias)
        layers = [u + self.background(len(vectors), context)[0]]
        mask = self.degree <= self.degree.unsqueeze(1)
        for layer in self.between:
            u = layers[-1]
            layers.append(u + F.linear(self.dropout(F.relu(u)), layer.weight * mask, layer.bias))
        return layers

    def read(self, u: Tensor, vectors: Tensor, context: Tensor | None) -> Tensor:
        """h from the units of a layer, with the elements in the order in which they are predicted, (B, D, H)."""
        position = self.position
        mask = self.degree <= position.repeat_interleave(self.features).unsqueeze(1)
        h = F.linear(self.dropout(F.relu(u)), self.out.weight * mask, self.out.bias)
        h = (h + self.background(len(vectors), context)[1]).view(-1, self.length, self.features)
        h = h + torch.matmul(self.pairs * (position < position.unsqueeze(1)), self.direct(vectors))
        return h[:, self.order]

    def background(self, batch_size: int, context: Tensor | None) -> tuple[Tensor | float, Tensor | float]:
        """What the context adds to the first hidden layer, (B, hidden), and to the features, (B, D * H)."""
        vector = self.context(context, batch_size)
        if not isinstance(vector, Tensor):
            return 0.0, 0.0
        hidden = len(self.degree)
        return vector[:, :hidden], vector[:, hidden:]

    def initial_state(self, batch_size: int, context: Tensor | None = None) -> MADEState:
        length, features, order = self.length, self.features, self.order
        unit = self.degree.argsort(stable=True)
        hidden, extra = self.background(batch_size, context)
        zeros = self.pairs.new_zeros
        into_plus = (self.into.bias + hidden).expand(batch_size, -1)
        out_plus = (self.out.bias + extra).expand(batch_size, -1).reshape(-1, length, features)
        vector = self.into.in_features // length
        return MADEState(
            d=0,
            vectors=zeros(batch_size, length, vector),
            direct=zeros(batch_size, length, features),
            units=[zeros(batch_size, len(unit)) for _ in range(1 + len(self.between))],
            complete=torch.searchsorted(
                self.degree[unit], torch.arange(length, device=unit.device), right=True
            ).tolist(),
            into=self.into.weight.view(-1, length, vector)[unit][:, order].flatten(1),
            into_plus=into_plus[:, unit],
            between=[(layer.weight[unit][:, unit], layer.bias[unit]) for layer in self.between],
            out=self.out.weight.view(length, features, -1)[order][:, :, unit],
            out_plus=out_plus[:, order],
            pairs=self.pairs[order][:, order],
        )

    def step(self, x_previous: Tensor | None, state: MADEState) -> tuple[Tensor, MADEState]:
        d, s = state.d, state
        if d >= self.length:
            raise InputError(f"an example has {self.length} elements, and all of them have been walked")
        if x_previous is not None:
            s.vectors[:, d - 1] = self.embedding.elements(x_previous, self.order[d - 1]) - self.embedding.start
            s.direct[:, d - 1] = self.direct(s.vectors[:, d - 1])
        known, new = s.complete[d], slice(s.complete[d - 1] if d else 0, s.complete[d])
        if new.start < known:
            size = d * s.vectors.shape[2]
            u = s.into_plus[:, new] + s.vectors.flatten(1)[:, :size] @ s.into[new, :size].T
            s.units[0][:, new] = F.relu(u)
            for below, above, (weight, bias) in zip(s.units, s.units[1:], s.between, strict=False):
                u = u + bias[new] + below[:, :known] @ weight[new, :known].T
                above[:, new] = F.relu(u)
        h = s.out_plus[:, d] + s.units[-1][:, :known] @ s.out[d, :, :known].T
        h = h + torch.matmul(s.pairs[d, :d], s.direct[:, :d])
        s.d += 1
        return h, s
