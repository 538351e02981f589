"""The contract of a network: a module that turns x_<d into features h_d, all at once or one element at a time."""

from __future__ import annotations

from abc import ABC, abstractmethod
from math import prod
from typing import Any

from torch import Tensor, nn

from chainrule.errors import InputError
from chainrule.networks.embedding import ElementEmbedding

__all__ = ["AutoregressiveNetwork"]

State = Any


class AutoregressiveNetwork(nn.Module, ABC):
    """Elements -> features; h[:, d] is a function of x[:, :d] and of the context only.

    shape: the layout of the longest example in elements; their product is its length.
    features: H, the size of the features.
    """

    def __init__(self, shape: int | tuple[int, ...], features: int) -> None:
        super().__init__()
        self.shape = (shape,) if isinstance(shape, int) else tuple(shape)
        self.length = prod(self.shape)
        self.features = features

    @property
    def receptive_field(self) -> int:
        """How many elements before x_d can influence h_d; all of them unless a network says otherwise."""
        return self.length - 1

    def initialise(self, x: Tensor) -> None:
        """Start from data, rows (N, D): reals are standardised on their way in; symbols have nothing to set."""
        for part in self.modules():
            if isinstance(part, ElementEmbedding):
                part.initialise(x)

    @abstractmethod
    def layers(self, x: Tensor, context: Tensor | None = None) -> list[Tensor]:
        """The features after the embedding and after every block, each of shape (B, D, width).

        All of them are causal, so each is a representation of x_<d; the last one is what `forward` returns.
        """

    def forward(self, x: Tensor, context: Tensor | None = None) -> Tensor:
        """The features h of shape (B, D, H) from elements (B, D) and a context, classes (B,) or vectors (B, C)."""
        return self.layers(x, context)[-1]

    def packed(self, x: Tensor, segment_ids: Tensor) -> Tensor:
        """The features (B, D, H) that each example of a packed row would have if it were alone.

        segment_ids: the number of each element's example, see `Batch`. A network that cannot keep them apart refuses.
        """
        raise InputError(
            f"{type(self).__name__} cannot keep packed examples apart; take a transformer, or train without packing"
        )

    @abstractmethod
    def initial_state(self, batch_size: int, context: Tensor | None = None) -> State:
        """What `step` needs to know before the first element."""

    @abstractmethod
    def step(self, x_previous: Tensor | None, state: State) -> tuple[Tensor, State]:
        """The features of the next element, shape (B, H), and the state after it.

        x_previous: the element before, shape (B,), None for the first. The state may be updated in place: a state that
        was passed in is spent. The cost does not grow with what was computed before, but for attention's look at its
        own cache.
        """
