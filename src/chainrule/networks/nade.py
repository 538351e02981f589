"""NADE: hidden units that read the elements one after the other, and a readout of its own for every element."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from chainrule.errors import InputError
from chainrule.networks.base import AutoregressiveNetwork
from chainrule.networks.dropout import Dropout
from chainrule.networks.embedding import ContextEmbedding, ElementEmbedding

__all__ = ["NADE"]


@dataclass
class NADEState:
    """The position and the running sum u of the elements so far, shape (B, width)."""

    d: int
    units: Tensor


class NADE(AutoregressiveNetwork):
    """The neural autoregressive distribution estimator: one running sum, read anew for every element.

        u_d = c + sum_{j<d} W_j (e_j - m_j),   a_d = relu(norm(u_d)),   h_d = V_d a_d + b_d

    e_j is the vector of element j and m_j its mean over the data (see `initialise`), so that what is usual moves
    nothing. A unit means the same at every element, and a row of n elements teaches it n times: on few examples that is
    worth more than the freedom of `MADE`, whose units each belong to one place. With depth, the same residual layers
    u + A relu(norm(u)) stand at every element. All conditionals are one cumulative sum; a step adds one term to it.

    num_symbols: V, number of symbols; None for real numbers.
    shape: layout of an example in elements.
    features: H, size of the features; by default V - 1, which is enough for V symbols, at most 16.
    width: size of the running sum.
    depth: number of residual layers after it.
    element_width: E, size of the elements' vectors; by default V, at most 16, and 2 for real numbers.
    dropout: probability with which a unit is dropped, the same units for all elements of an example.
    ordinal: whether symbols are levels, so that their value is read as well.
    num_classes: number of classes of the context, for p(x | c).
    context_size: size of the vectors of the context, for p(x | c).

    Papers: Larochelle, Murray, *The neural autoregressive distribution estimator*, 2011; with more layers, Uria,
    Murray, Larochelle, *A deep and tractable density estimator*, 2014. The norm is Ba, Kiros, Hinton, 2016.

    >>> net = NADE(num_symbols=2, shape=6, width=32)
    >>> net(torch.zeros(5, 6, dtype=torch.long)).shape
    torch.Size([5, 6, 1])
    """

    takes_levels = takes_context = True

    mean: Tensor

    def __init__(
        self,
        num_symbols: int | None,
        shape: int | tuple[int, ...],
        features: int | None = None,
        depth: int = 0,
        *,
        width: int = 256,
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
        if min(features, width, element_width) < 1 or depth < 0:
            raise InputError(
                "features, width and element_width start at 1 and depth at 0, "
                f"got {features}, {width}, {element_width} and {depth}"
            )
        super().__init__(shape, features)
        self.embedding = ElementEmbedding(num_symbols, self.shape, element_width, ordinal=ordinal, positions=False)
        if num_symbols is not None and self.embedding.table is not None and element_width >= num_symbols:
            nn.init.eye_(self.embedding.table.weight)
        self.context = ContextEmbedding(width, num_classes, context_size)
        self.into = nn.Parameter(torch.randn(self.length, element_width, width) * 0.05)
        self.start = nn.Parameter(torch.randn(width) * 0.05)
        self.norms = nn.ModuleList(nn.LayerNorm(width) for _ in range(depth + 1))
        self.between: Sequence[nn.Linear] = nn.ModuleList(  # type: ignore[assignment]
            nn.Linear(width, width, bias=False) for _ in range(depth)
        )
        self.out = nn.Parameter(torch.zeros(self.length, width, features))
        self.bias = nn.Parameter(torch.zeros(self.length, features))
        self.dropout = Dropout(dropout)
        self.make_centre(element_width)

    def make_centre(self, element_width: int) -> None:
        """What the vectors of the elements are counted from."""
        self.register_buffer("mean", torch.zeros(self.length, element_width))

    @torch.no_grad()
    def initialise(self, x: Tensor) -> None:
        """Take the mean vector of every element from rows (N, D), and what the embedding takes from them."""
        super().initialise(x)
        self.mean.copy_(self.embedding.elements(x).mean(0))

    def layers(self, x: Tensor, context: Tensor | None = None) -> list[Tensor]:
        """The units after the sum and after every layer, (B, D, width), and last the features, (B, D, H)."""
        self.check(x)
        length = x.shape[1]
        known = slice(0, length - 1)
        vectors = self.deviation(x[:, known], known)
        terms = torch.bmm(vectors.transpose(0, 1), self.into[known])  # elements first, (D - 1, B, width)
        layers = self.residual(torch.cat([self.first(len(x), context).unsqueeze(0), terms]).cumsum(0))
        h = torch.baddbmm(self.bias[:length].unsqueeze(1), self.active(layers[-1], -1), self.out[:length])
        return [layer.transpose(0, 1) for layer in [*layers, h]]

    def check(self, x: Tensor) -> None:
        """Refuse what cannot be read."""
        self.embedding.check(x)
        if x.shape[1] > self.length:
            raise InputError(
                f"examples have {x.shape[1]} elements, but the network was built for at most {self.length}"
            )

    def deviation(self, x: Tensor, here: slice | int) -> Tensor:
        """e_j - m_j of the elements that stand there, shape of x plus (E,)."""
        return self.embedding.elements(x, here) - self.mean[here]

    def first(self, batch_size: int, context: Tensor | None) -> Tensor:
        """u before any element, shape (B, width)."""
        return (self.start + self.context(context, batch_size)).expand(batch_size, -1)

    def active(self, u: Tensor, layer: int, example: Tensor | None = None) -> Tensor:
        """relu(norm(u)), with the same units dropped for all elements of an example, of the shape of u.

        u: units, (D, B, width); or (S, width) of examples that are named.
        layer: which norm.
        example: the example of each of the S, in order.
        """
        a = F.relu(self.norms[layer](u))
        if not self.training:
            return a
        batch_size = u.shape[1] if example is None else int(example[-1]) + 1
        kept = self.dropout(u.new_ones(batch_size, u.shape[-1]))
        return a * (kept if example is None else kept[example])

    def residual(self, u: Tensor, example: Tensor | None = None) -> list[Tensor]:
        """u and what every residual layer makes of it; example: as for `active`."""
        layers = [u]
        for n, layer in enumerate(self.between):
            layers.append(layers[-1] + layer(self.active(layers[-1], n, example)))
        return layers

    def initial_state(self, batch_size: int, context: Tensor | None = None) -> NADEState:
        return NADEState(0, self.first(batch_size, context).clone())

    def step(self, x_previous: Tensor | None, state: NADEState) -> tuple[Tensor, NADEState]:
        d = state.d
        if d >= self.length:
            raise InputError(f"an example has {self.length} elements, and all of them have been walked")
        if x_previous is not None:
            state.units = torch.addmm(state.units, self.deviation(x_previous, d - 1), self.into[d - 1])
        u = self.residual(state.units.unsqueeze(0))[-1]
        state.d += 1
        return torch.addmm(self.bias[d], self.active(u, -1)[0], self.out[d]), state
