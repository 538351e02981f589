"""The way in: elements, positions and context become vectors; the start is learned."""

from __future__ import annotations

from math import prod

import torch
from torch import Tensor, nn

from chainrule.errors import InputError

__all__ = ["ContextEmbedding", "ElementEmbedding"]


class ContextEmbedding(nn.Module):
    """What the whole example is conditioned on, as one vector.

    width: size of the vector.
    num_classes: number of classes, for contexts that are integers of shape (B,).
    context_size: C, for contexts that are real vectors of shape (B, C).

    With neither the network is unconditional, and the embedding zero. The weights start at zero: the context has to
    earn its influence.
    """

    def __init__(self, width: int, num_classes: int | None = None, context_size: int | None = None) -> None:
        super().__init__()
        if num_classes is not None and context_size is not None:
            raise InputError("a context is either classes (num_classes) or vectors (context_size), got both")
        self.num_classes, self.context_size = num_classes, context_size
        self.table = None if num_classes is None else nn.Embedding(num_classes, width)
        self.linear = None if context_size is None else nn.Linear(context_size, width, bias=False)
        for parameter in self.parameters():
            nn.init.zeros_(parameter)

    def forward(self, context: Tensor | None, batch_size: int) -> Tensor | float:
        """The context's vector, shape (B, width); 0.0 for none."""
        expected = self._expected(batch_size)
        if expected is None:
            if context is not None:
                raise InputError(
                    f"this network takes no context, got one of shape {tuple(context.shape)}; "
                    "build it with num_classes or context_size"
                )
            return 0.0
        if context is None or tuple(context.shape) != expected:
            got = "none" if context is None else f"one of shape {tuple(context.shape)}"
            raise InputError(f"this network needs a context of shape {expected}, got {got}")
        if self.linear is not None:
            return self.linear(context.to(self.linear.weight.dtype))
        if self.table is None or context.is_floating_point():
            raise InputError(f"classes are integers, got {context.dtype}")
        if len(context) and not torch.compiler.is_compiling():
            low, high = (int(end) for end in torch.aminmax(context))
            if low < 0 or high >= self.table.num_embeddings:
                raise InputError(f"classes run from {low} to {high}, expected 0 to {self.table.num_embeddings - 1}")
        return self.table(context)

    def _expected(self, batch_size: int) -> tuple[int, ...] | None:
        if self.num_classes is not None:
            return (batch_size,)
        return None if self.context_size is None else (batch_size, self.context_size)


class ElementEmbedding(nn.Module):
    """e_d = E[x_{d-1}] + v(x_{d-1}) + sum over axes of P_axis[coordinate of d] + context;  E[x_0] is learned.

    The shift by one is here: e_d is a function of x_{d-1} alone and of what is known without x, so that causal layers
    on top of it make h_d a function of x_<d.

    num_symbols: V for symbols, None for real numbers, which enter standardised (see `initialise`) through a linear map,
        or as a learned vector where they are missing (NaN).
    shape: layout of the elements.
    width: size of the vectors.
    ordinal: symbols are levels, so that their value enters as well, scaled to [-1, 1].
    positions: whether to add a learned table for each axis of the shape.
    """

    centre: Tensor
    spread: Tensor

    def __init__(
        self,
        num_symbols: int | None,
        shape: tuple[int, ...],
        width: int,
        *,
        ordinal: bool = False,
        positions: bool = True,
        num_classes: int | None = None,
        context_size: int | None = None,
    ) -> None:
        super().__init__()
        self.num_symbols, self.shape, self.width = num_symbols, shape, width
        self.table = None if num_symbols is None else nn.Embedding(num_symbols, width)
        self.value = nn.Linear(1, width) if ordinal or num_symbols is None else None
        self.start = nn.Parameter(torch.randn(width) * 0.02)
        self.axes = nn.ParameterList(torch.randn(side, width) * 0.02 for side in shape if positions and side > 1)
        self.context = ContextEmbedding(width, num_classes, context_size)
        if self.table is not None:
            nn.init.normal_(self.table.weight, std=0.02 if self.value is not None else 1.0)
        else:
            self.missing = nn.Parameter(torch.randn(width) * 0.02)
            self.register_buffer("centre", torch.zeros(prod(shape), dtype=torch.float64))
            self.register_buffer("spread", torch.ones(prod(shape), dtype=torch.float64))

    def initialise(self, x: Tensor) -> None:
        """Take the mean and the standard deviation of each real element from rows (N, D); NaN is skipped."""
        if self.table is None:
            rows = x.double()
            self.centre.copy_(rows.nanmean(0).nan_to_num())
            spread = (rows - self.centre).square().nanmean(0).sqrt()
            self.spread.copy_(torch.where(spread > 0, spread, 1.0))

    def reals(self, x: Tensor, here: slice | int | Tensor) -> Tensor:
        """v(z), z = (x - centre) / spread, or the vector for a missing value, shape of x plus (width,)."""
        z = ((x - self.centre[here]) / self.spread[here]).to(self.start.dtype).unsqueeze(-1)
        return torch.where(z.isnan(), self.missing, self.value(torch.where(z.isnan(), 0.0, z)))  # type: ignore[misc]

    def elements(self, x: Tensor, here: slice | int | Tensor = slice(None)) -> Tensor:
        """E[x] + v(x), shape of x plus (width,); `here` says which elements of the example they are."""
        if self.table is None or self.num_symbols is None:
            return self.reals(x, here)
        if x.is_floating_point():
            raise InputError(f"this network reads symbols 0..{self.num_symbols - 1} as integers, got {x.dtype}")
        embedded = self.table(x)
        if self.value is not None:
            scaled = x.to(self.start.dtype) * (2 / max(self.num_symbols - 1, 1)) - 1
            embedded = embedded + self.value(scaled.unsqueeze(-1))
        return embedded

    def positions(self) -> Tensor | float:
        """The sum of the axes' tables over the whole layout, shape (D, width); 0.0 for none."""
        table: Tensor | float = 0.0
        sides = [side for side in self.shape if side > 1]
        for axis, weight in enumerate(self.axes):
            layout = [1] * len(sides)
            layout[axis] = sides[axis]
            table = table + weight.view(*layout, self.width)
        return table.reshape(-1, self.width) if isinstance(table, Tensor) else table

    def forward(self, x: Tensor, context: Tensor | None = None) -> Tensor:
        """The embeddings e_1, ..., e_D, shape (B, D, width), from elements (B, D)."""
        self.check(x)
        positions = self.positions()
        if isinstance(positions, Tensor) and x.shape[1] > len(positions):
            raise InputError(
                f"examples have {x.shape[1]} elements, but the network was built for at most {len(positions)}"
            )
        start = self.start.expand(len(x), 1, self.width)
        embedded = torch.cat([start, self.elements(x[:, :-1], slice(0, x.shape[1] - 1))], 1)
        if isinstance(positions, Tensor):
            embedded = embedded + positions[: x.shape[1]]
        vector = self.context(context, len(x))
        return embedded + (vector.unsqueeze(1) if isinstance(vector, Tensor) else vector)

    def check(self, x: Tensor) -> None:
        """Refuse symbols outside 0..V-1."""
        if self.num_symbols is not None and not x.is_floating_point() and not torch.compiler.is_compiling():
            low, high = (int(end) for end in torch.aminmax(x)) if x.numel() else (0, 0)
            if low < 0 or high >= self.num_symbols:
                raise InputError(f"symbols run from {low} to {high}, but the network reads 0 to {self.num_symbols - 1}")

    def background(self, batch_size: int, context: Tensor | None = None) -> Tensor:
        """What `step` adds to the element before: positions and context, shape (D or 1, B or 1, width)."""
        positions, vector = self.positions(), self.context(context, batch_size)
        table = positions.unsqueeze(1) if isinstance(positions, Tensor) else self.start.new_zeros(1, 1, self.width)
        return table + vector

    def step(self, x_previous: Tensor | None, position: Tensor, background: Tensor, batch_size: int) -> Tensor:
        """e_d alone, shape (B, width); position: d as an integer of shape (1,), so that no graph depends on it."""
        if x_previous is None:
            element = self.start.expand(batch_size, self.width)
        else:
            element = self.elements(x_previous, position - 1)
        if len(background) == 1:
            return element + background[0]
        return element + background.index_select(0, position).squeeze(0)
