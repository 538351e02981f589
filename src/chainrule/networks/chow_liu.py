"""The Chow-Liu tree as a network: every element depends on one other, before or after it. Counted, not trained."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from chainrule.errors import InputError
from chainrule.networks.base import AutoregressiveNetwork
from chainrule.networks.tree_belief import TreeBelief, TreeBeliefState
from chainrule.networks.tree_messages import reach_of

__all__ = ["ChowLiu"]

MOST_CELLS = 4096  # elements times symbols that are told apart


@dataclass
class ChowLiuState:
    """The position, and what the elements so far say about the others."""

    d: int
    belief: TreeBeliefState


class ChowLiu(AutoregressiveNetwork):
    """h_d = ln p(x_d | x_<d) under p(x) = prod_d p(x_d | x_parent(d)), a tree whose parents may come after children.

    What is not known yet is summed over, exactly, by messages along the edges: a message is computed again only where
    something new is known behind it. The tree, or a forest, and its tables are counted, see `training.pair_counting`.

    Of columns with very many symbols the rarest share a place in the tables, in which each has a probability of its own
    that does not depend on other elements: so many are told apart that there are at most 4096 cells of all elements.

    num_symbols: V, number of symbols.
    shape: layout of an example in elements.
    features: V; anything else is refused.

    parent: number of the element that each element depends on, its own for none, shape (D,).
    log_table: ln p(x_d | x_parent(d)), shape (D, G, G), for G places; of an element without a parent the same for all.
    place: the place of each symbol in the tables, shape (D, V).
    log_within: ln of the share of each symbol in its place, shape (D, V).

    Paper: Chow, Liu, *Approximating discrete probability distributions with dependence trees*, 1968.

    >>> ChowLiu(num_symbols=4, shape=6)(torch.zeros(5, 6, dtype=torch.long)).exp()[0, 0]
    tensor([0.2500, 0.2500, 0.2500, 0.2500])
    """

    fitted_by_gradients = False

    parent: Tensor
    log_table: Tensor
    place: Tensor
    log_within: Tensor
    unit: Tensor

    def __init__(self, num_symbols: int | None, shape: int | tuple[int, ...], features: int | None = None) -> None:
        if num_symbols is None or features not in (None, num_symbols):
            raise InputError(
                f"a Chow-Liu tree is of symbols and has a feature for each, got {num_symbols} and {features}"
            )
        super().__init__(shape, num_symbols)
        self.num_symbols = num_symbols
        length = self.length
        self.places = min(num_symbols, max(2, MOST_CELLS // length))
        place = torch.arange(num_symbols).clamp(max=self.places - 1)
        share = torch.bincount(place, minlength=self.places)[place].double()
        self.register_buffer("parent", torch.arange(length))
        even = torch.full((length, self.places, self.places), 1 / self.places, dtype=torch.float64)
        self.register_buffer("log_table", even.log())
        self.register_buffer("place", place.repeat(length, 1))
        self.register_buffer("log_within", -share.log().repeat(length, 1))
        self.register_buffer("unit", torch.ones(()), persistent=False)
        self.belief = TreeBelief(self.parent, self.log_table)

    @property
    def symbols_read(self) -> int:
        return self.num_symbols

    @property
    def receptive_field(self) -> int:
        """The farthest that any element looks back: to the known elements around those beside it that are not known."""
        return reach_of(self.parent.tolist())

    def load(self, parent: Tensor, log_table: Tensor, place: Tensor, log_within: Tensor) -> None:
        """Take a tree."""
        self.parent.copy_(parent)
        self.log_table.copy_(log_table)
        self.place.copy_(place)
        self.log_within.copy_(log_within)
        self.belief.take(self.parent, self.log_table)

    def layers(self, x: Tensor, context: Tensor | None = None) -> list[Tensor]:
        """The features alone, (B, D, V)."""
        self._check(x, context)
        length = x.shape[1]
        whole = torch.nn.functional.pad(x, (0, self.length - length))  # what follows does not matter
        log_p = self.belief(self._places(whole, 0))[:, :length]
        return [self._features(log_p, slice(0, length))]

    def initial_state(self, batch_size: int, context: Tensor | None = None) -> ChowLiuState:
        self._check(self.place.new_zeros(batch_size, 0), context)
        return ChowLiuState(0, self.belief.initial_state(batch_size))

    def step(self, x_previous: Tensor | None, state: ChowLiuState) -> tuple[Tensor, ChowLiuState]:
        d = state.d
        if d >= self.length:
            raise InputError(f"an example has {self.length} elements, and all of them have been walked")
        if x_previous is not None:
            self.belief.see(d - 1, self._places(x_previous.unsqueeze(1), d - 1)[:, 0], state.belief)
        log_p = self.belief.about(d, state.belief)
        state.d += 1
        return self._features(log_p.unsqueeze(1), slice(d, d + 1))[:, 0], state

    def _places(self, x: Tensor, first: int) -> Tensor:
        """The places of symbols (B, D) of the elements `first`, `first` + 1, ... in the tables."""
        if self.places == self.num_symbols:
            return x.long()
        element = torch.arange(first, first + x.shape[1], device=x.device)
        return self.place[element, x.long()]

    def _features(self, log_p: Tensor, here: slice) -> Tensor:
        """ln p of the symbols from ln p of the places, shape (B, D, G), of some elements."""
        log_p = log_p.log_softmax(-1)
        if self.places < self.num_symbols:
            place = self.place[here].expand(len(log_p), -1, -1)
            log_p = log_p.gather(-1, place) + self.log_within[here]
        return log_p.to(self.unit.dtype)

    def _check(self, x: Tensor, context: Tensor | None) -> None:
        if context is not None:
            raise InputError("a Chow-Liu tree takes no context; take another network, or leave out --given")
        if x.shape[1] > self.length:
            raise InputError(
                f"examples have {x.shape[1]} elements, but the network was built for at most {self.length}"
            )

    def fault(self) -> str | None:
        """What is wrong with the tensors, None if nothing."""
        if bool((self.place < 0).any() | (self.place >= self.places).any()):
            return f"a symbol stands in a place outside 0 to {self.places - 1}"
        if not bool(self.log_table.isfinite().all() & self.log_within.isfinite().all()):
            return "a table has entries that are not finite"
        parent = self.parent.clone()
        if bool((parent < 0).any() | (parent >= self.length).any()):
            return f"a parent is not among the {self.length} elements"
        for _ in range(self.length.bit_length()):
            parent = parent[parent]
        return None if bool((self.parent[parent] == parent).all()) else "the parents go round in a circle"

    def _load_from_state_dict(self, state_dict: Mapping[str, Any], prefix: str, *rest: Any) -> None:
        super()._load_from_state_dict(state_dict, prefix, *rest)
        errors: list[str] = rest[-1]
        if not errors and (fault := self.fault()) is not None:
            errors.append(f"{prefix.rstrip('.')}: {fault}")
        if not errors:
            self.belief.take(self.parent, self.log_table)
