"""Recurrent networks: a state of fixed size carries the whole past."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from chainrule.errors import InputError
from chainrule.networks.base import AutoregressiveNetwork
from chainrule.networks.dropout import Dropout
from chainrule.networks.embedding import ElementEmbedding

__all__ = ["Recurrent"]


@dataclass
class RecurrentState:
    """The position, the hidden state of each layer, with an LSTM its cell too, and the embedding's background."""

    position: Tensor
    batch_size: int
    layers: list[tuple[Tensor, ...]]
    background: Tensor


class Recurrent(AutoregressiveNetwork):
    """A stack of GRU or LSTM layers; h_d sees every element before it through a state of fixed size.

        s_d = cell(n(y_d), s_{d-1}),   y_d' = y_d + s_d

    y is the layer's input, at first the embedding of x_{d-1}; n is a norm. A step costs the same at every position.

    num_symbols: V, number of symbols; None for real numbers.
    shape: layout of the longest example; an image's rows and columns enter as learned coordinates.
    width: H, size of the features.
    depth: number of layers.
    lstm: whether the cells are LSTMs instead of GRUs.
    dropout: probability with which a feature that a layer adds is dropped.
    ordinal: whether symbols are levels, so that their value is read as well.
    num_classes: number of classes of the context, for p(x | c).
    context_size: size of the vectors of the context, for p(x | c).

    Papers: Cho et al., *Learning phrase representations using RNN encoder-decoder*, 2014 (GRU); Hochreiter,
    Schmidhuber, *Long short-term memory*, 1997.

    >>> net = Recurrent(num_symbols=256, shape=32, width=16, depth=2)
    >>> net(torch.zeros(2, 32, dtype=torch.long)).shape
    torch.Size([2, 32, 16])
    """

    takes_levels = takes_context = True

    def __init__(
        self,
        num_symbols: int | None,
        shape: int | tuple[int, ...],
        width: int = 128,
        depth: int = 1,
        *,
        lstm: bool = False,
        dropout: float = 0.0,
        ordinal: bool = False,
        num_classes: int | None = None,
        context_size: int | None = None,
    ) -> None:
        super().__init__(shape, width)
        if min(width, depth) < 1:
            raise InputError(f"width and depth start at 1, got {width} and {depth}")
        self.lstm = lstm
        self.embedding = ElementEmbedding(
            num_symbols,
            self.shape,
            width,
            ordinal=ordinal,
            positions=len(self.shape) > 1,
            num_classes=num_classes,
            context_size=context_size,
        )
        kind = nn.LSTM if lstm else nn.GRU
        self.cells: Sequence[nn.LSTM | nn.GRU] = nn.ModuleList(  # type: ignore[assignment]
            kind(width, width, batch_first=True) for _ in range(depth)
        )
        self.norms = nn.ModuleList(nn.LayerNorm(width, bias=False) for _ in range(depth))
        self.norm = nn.LayerNorm(width, bias=False)
        self.dropout = Dropout(dropout)

    @property
    def carries_state(self) -> bool:
        return len(self.shape) == 1

    def layers(self, x: Tensor, context: Tensor | None = None) -> list[Tensor]:
        h = [self.embedding(x, context)]
        for norm, cell in zip(self.norms, self.cells, strict=True):
            h.append(h[-1] + self.dropout(cell(norm(h[-1]))[0]))
        return [*h[:-1], self.norm(h[-1])]

    def initial_state(self, batch_size: int, context: Tensor | None = None) -> RecurrentState:
        nothing = self.norm.weight.new_zeros(batch_size, self.features)
        layers = [(nothing,) * (2 if self.lstm else 1) for _ in self.cells]
        position = torch.zeros(1, dtype=torch.long, device=nothing.device)
        return RecurrentState(position, batch_size, layers, self.embedding.background(batch_size, context))

    def _cell(self, cell: nn.LSTM | nn.GRU, y: Tensor, state: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        """The state after one element, the hidden one first."""
        into, across, into_bias, across_bias = cell.all_weights[0]
        if self.lstm:
            return torch.lstm_cell(y, state, into, across, into_bias, across_bias)
        return (torch.gru_cell(y, state[0], into, across, into_bias, across_bias),)

    def step(self, x_previous: Tensor | None, state: RecurrentState) -> tuple[Tensor, RecurrentState]:
        y = self.embedding.step(x_previous, state.position, state.background, state.batch_size)
        for number, (norm, cell) in enumerate(zip(self.norms, self.cells, strict=True)):
            after = self._cell(cell, norm(y), state.layers[number])
            state.layers[number] = after
            y = y + after[0]
        state.position += 1
        return self.norm(y), state
