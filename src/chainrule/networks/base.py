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

    What a network can do beyond `layers`, `initial_state` and `step` is declared here, with a default that refuses.

    shape: the layout of the longest example in elements; their product is its length.
    features: H, the size of the features.
    is_exact: whether its features are the same bits on every machine, as sums of whole numbers are.
    takes_levels: whether the constructor has the option `ordinal`, for symbols that are levels.
    takes_context: whether the constructor has the options `num_classes` and `context_size`, for p(x | c).
    fitted_by_gradients: whether the weights are parameters that an optimizer moves; otherwise they are fitted by other
        means, see `training.fitted`.
    can_compile: whether the network has `advance`, a step of tensors alone, for `compile_step`.
    sorts_contexts: whether the network has `kind`, by which an average weighs its members.
    skips_given: whether `forward(x, context, first)` leaves out what only the features before `first` need.
    leaves_out: whether training reads `left_out` in place of `forward`.
    """

    is_exact: bool = False
    takes_levels: bool = False
    takes_context: bool = False
    fitted_by_gradients: bool = True
    can_compile: bool = False
    sorts_contexts: bool = False
    skips_given: bool = False
    leaves_out: bool = False

    def __init__(self, shape: int | tuple[int, ...], features: int) -> None:
        super().__init__()
        self.shape = (shape,) if isinstance(shape, int) else tuple(shape)
        self.length = prod(self.shape)
        self.features = features

    @property
    def receptive_field(self) -> int:
        """How many elements before x_d can influence h_d; all of them unless a network says otherwise."""
        return self.length - 1

    @property
    def carries_state(self) -> bool:
        """Whether the state has a fixed size and holds all of the past, so that it can go on over a whole stream."""
        return False

    @property
    def elements_at_once(self) -> int | None:
        """The elements of a batch whose layers stay in a processor's caches; None where the batch does not matter."""
        return None

    @property
    def choices(self) -> int:
        """How many numbers were chosen by validation data while it was fitted, such as when to stop for each element.

        Each makes the validation data about one nat more likely, all together, than other data of as many examples.
        """
        return 0

    @property
    def kinds(self) -> int:
        """The number of kinds of contexts that `kind` tells apart."""
        return 1

    @property
    def kind_reads(self) -> int:
        """How many symbols before an element decide the kind of its context."""
        return 0

    def kind(self, before: Tensor) -> Tensor:
        """The kind of each context, 0 to `kinds` - 1, shape (T,).

        before: the last `kind_reads` symbols, the nearest first, V where there is none, shape (T, kind_reads).
        """
        raise InputError(f"{type(self).__name__} does not sort contexts; leave out the weights by context")

    @property
    def embeddings(self) -> list[ElementEmbedding]:
        """The parts by which elements enter; most networks have one."""
        return [part for part in self.modules() if isinstance(part, ElementEmbedding)]

    @property
    def embedding_table(self) -> nn.Embedding | None:
        """The vectors of the symbols, which a tied head shares; None where there is not exactly one table."""
        return self.embeddings[0].table if len(self.embeddings) == 1 else None

    @property
    def symbols_read(self) -> int | None:
        """V, how many symbols the elements may be; None for real numbers."""
        return self.embeddings[0].num_symbols if self.embeddings else None

    def initialise(self, x: Tensor) -> None:
        """Start from data, rows (N, D): real numbers are standardised on their way in; symbols have nothing to set."""
        for embedding in self.embeddings:
            embedding.initialise(x)

    @abstractmethod
    def layers(self, x: Tensor, context: Tensor | None = None) -> list[Tensor]:
        """The features after the embedding and after every block, each of shape (B, D, width).

        All of them are causal, so each is a representation of x_<d; the last one is what `forward` returns.
        """

    def forward(self, x: Tensor, context: Tensor | None = None) -> Tensor:
        """The features h of shape (B, D, H) from elements (B, D) and a context, classes (B,) or vectors (B, C)."""
        return self.layers(x, context)[-1]

    def features_from(self, first: int, x: Tensor, context: Tensor | None = None) -> Tensor:
        """The features of the elements from number `first` on, shape (B, D - first, H): those that are scored.

        The elements before are read as ever. A network that declares `skips_given` does not compute what only their own
        features need.
        """
        if first and self.skips_given:
            h: Tensor = self(x, context, first)
            return h
        return self(x, context)[:, first:]

    def packed(self, x: Tensor, segment_ids: Tensor) -> Tensor:
        """The features (B, D, H) that each example of a packed row would have if it were alone.

        x: elements, shape (B, D).
        segment_ids: number of each element's example, shape (B, D), see `Batch`.

        A network that cannot keep the examples apart refuses.
        """
        raise InputError(
            f"{type(self).__name__} cannot keep packed examples apart; take a transformer, or train without packing"
        )

    def left_out(self, x: Tensor, segment_ids: Tensor | None = None) -> Tensor:
        """The features (B, D, H) of training examples as if each element had not been counted before training.

        They depend on the element itself, so that what they give is an estimate and no likelihood.

        x: elements, shape (B, D).
        segment_ids: number of each element's example in packed rows, shape (B, D), else None.
        """
        raise InputError(f"{type(self).__name__} has counted nothing that it could leave out")

    @property
    def fitted_first(self) -> AutoregressiveNetwork | None:
        """The part that is fitted without gradients before training begins; None where there is none."""
        return None

    @abstractmethod
    def initial_state(self, batch_size: int, context: Tensor | None = None) -> State:
        """What `step` needs to know before the first element."""

    @abstractmethod
    def step(self, x_previous: Tensor | None, state: State) -> tuple[Tensor, State]:
        """The features of the next element, shape (B, H), and the state after it.

        x_previous: the element before, shape (B,), None for the first.
        state: the state before it, which may be updated in place: a state that was passed in cannot be used again.

        The cost does not grow with what was computed before, except that attention reads its own cache.
        """

    def advance(self, x_previous: Tensor | None, position: Tensor, background: Tensor, caches: list[Tensor]) -> Tensor:
        """The features at a position, shape (B, H), as a function of tensors alone; writes into the caches.

        One compiled graph of it serves every position. The state of such a network has the fields `position`,
        `background` and `caches`.

        x_previous: the element before, shape (B,), None for the first.
        position: the number of the element, an integer of shape (1,).
        background: what is known without the elements.
        caches: what the steps before left.
        """
        raise InputError(f"{type(self).__name__} has no step that can be compiled")

    def make_room(self, state: State) -> None:
        """Lengthen the caches that are full, before `advance`; most have room for all elements."""

    def growing_axes(self, state: State) -> list[int | None]:
        """The axis along which each cache of the state grows, None for those that do not."""
        return [None] * len(state.caches)
