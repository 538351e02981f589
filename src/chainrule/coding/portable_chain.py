"""Chains by portable arithmetic: the same archive on every machine.

Boosted trees, Chow-Liu trees and n-grams have such a form, and some networks one by exact products, a model of its own
beside the one in float32; so have averages of these, whose weights may depend on the context or on what each part has
said before. What has none is refused by name.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor

from chainrule.batch import Array
from chainrule.coding.portable import PortableAverage, PortableMass, mass_of, portable
from chainrule.coding.portable_conv import PortableCausalConv
from chainrule.coding.portable_heads import portable_head
from chainrule.coding.portable_made import PortableMADE
from chainrule.coding.portable_nade import PortableNADE, portable_nade, portable_sparse_nade
from chainrule.coding.portable_ngram import PortableNGram
from chainrule.coding.portable_numbers import LEAST, normalised, portable_exp, portable_log
from chainrule.coding.portable_pixelcnn import PortablePixelCNN
from chainrule.coding.portable_recurrent import PortableRecurrent
from chainrule.coding.portable_tree import PortableTree
from chainrule.errors import InputError
from chainrule.heads.average import AverageHead
from chainrule.heads.base import Distribution, Head
from chainrule.heads.columns import ColumnsHead
from chainrule.heads.first_logits import FirstLogitsHead
from chainrule.heads.logits import LogitsHead
from chainrule.models.base import evaluating
from chainrule.models.chain import AutoregressiveModel, Draw
from chainrule.networks.base import AutoregressiveNetwork
from chainrule.networks.causal_conv import CausalConv
from chainrule.networks.chow_liu import ChowLiu
from chainrule.networks.context_gate import ContextGate
from chainrule.networks.ensemble import EnsembleNetwork
from chainrule.networks.hindsight import MOST, Hindsight
from chainrule.networks.made import MADE
from chainrule.networks.nade import NADE
from chainrule.networks.ngram import NGram
from chainrule.networks.pixelcnn import PixelCNN
from chainrule.networks.recurrent import Recurrent
from chainrule.networks.sparse_nade import SparseNADE

__all__ = ["PortableChain", "refusal_of", "rounded_networks"]


class Part(ABC):
    """A chain that says p(x_d | x_<d) step by step."""

    @abstractmethod
    def begin(self, batch_size: int) -> Any:
        """The state before the first element."""

    @abstractmethod
    def next(self, d: int, x_previous: Tensor | None, state: Any) -> Distribution:
        """The distribution of element d; moves the state on. x_previous: the elements before it, None for the first."""


@dataclass
class FeaturesState:
    """The state of a network."""

    network: Any


class ExactFeatures(Part):
    """A network whose features are the same bits everywhere, and the portable form of its head's distributions."""

    def __init__(self, network: AutoregressiveNetwork, head: Head) -> None:
        self.network, self.head = network, head
        with torch.no_grad():
            h, x = torch.zeros(1, head.features), torch.zeros(1, 0)
            for d in range(network.length):
                portable(head.at(d, h, x))

    def begin(self, batch_size: int) -> FeaturesState:
        return FeaturesState(self.network.initial_state(batch_size))

    def next(self, d: int, x_previous: Tensor | None, state: FeaturesState) -> Distribution:
        h, state.network = self.network.step(x_previous, state.network)
        return portable(self.head.at(d, h, h.new_empty(len(h), 0)))


class RoundedFeatures(Part):
    """A network by exact products, whose features are multiples of 2^-16, and the portable forms of its heads.

    network: the network in float32.
    head: its head.
    """

    def __init__(self, network: AutoregressiveNetwork, head: Head) -> None:
        self.name, self.network = type(network).__name__, ROUNDED[type(network)](network)
        own: list[Any] = list(head.heads) if isinstance(head, ColumnsHead) else [head]
        self.heads = [portable_head(each, self.network.bound) for each in own]

    def begin(self, batch_size: int) -> Any:
        return self.network.begin(batch_size)

    def next(self, d: int, x_previous: Tensor | None, state: Any) -> Distribution:
        return self.heads[d % len(self.heads)](self.network.next(x_previous, state))


class Probabilities(Part):
    """A network that ends in probabilities, of which a column with fewer symbols takes the first."""

    def __init__(self, network: PortableTree | PortableNGram, head: Head) -> None:
        self.network, self.head = network, head

    def begin(self, batch_size: int) -> Any:
        return self.network.begin(batch_size)

    def next(self, d: int, x_previous: Tensor | None, state: Any) -> Distribution:
        p = self.network.next(x_previous, state)
        count = _symbols(self.head, d)
        return PortableMass(p if count == p.shape[1] else normalised(np.ascontiguousarray(p[:, :count])))


@dataclass
class AverageState:
    """The states of the parts, the last symbols, and what each part said of the last element and of all before."""

    parts: list[Any]
    before: Tensor | None
    said: list[Distribution] = field(default_factory=list)
    total: Array | None = None


class AverageOfParts(Part):
    """sum_k w_k p_k, with weights that are fixed, by context or by hindsight.

    parts: the chains.
    log_weight: ln w_k, float64, where they are fixed or by hindsight.
    gate: the weights by context.
    hindsight: the strength of what each part has said.
    """

    def __init__(
        self, parts: Sequence[Part], log_weight: Array, gate: ContextGate | None, hindsight: Hindsight | None
    ) -> None:
        self.parts, self.log_weight, self.gate = list(parts), log_weight, gate
        self.strength = 0.0 if hindsight is None else float(hindsight.strength)
        self.by_hindsight = hindsight is not None

    def begin(self, batch_size: int) -> AverageState:
        before = None if self.gate is None else self.gate.nothing_before(batch_size)
        total = np.zeros((batch_size, len(self.parts))) if self.by_hindsight else None
        return AverageState([part.begin(batch_size) for part in self.parts], before, total=total)

    def next(self, d: int, x_previous: Tensor | None, state: AverageState) -> Distribution:
        if self.by_hindsight and x_previous is not None:
            state.total = state.total + self._behind(x_previous, state.said)
        state.said = [part.next(d, x_previous, own) for part, own in zip(self.parts, state.parts, strict=True)]
        return PortableAverage(state.said, self._weights(x_previous, state))

    def _weights(self, x_previous: Tensor | None, state: AverageState) -> Array:
        log_weight = self.log_weight
        if self.gate is not None and state.before is not None:
            state.before = self.gate.after(x_previous, state.before)
            log_weight = self.gate(state.before).double().cpu().numpy()
        if state.total is not None:
            log_weight = log_weight + self.strength * state.total
        return normalised(portable_exp(log_weight - log_weight.max(-1, keepdims=True)))

    def _behind(self, x: Tensor, said: Sequence[Distribution]) -> Array:
        """How many nats each part is behind the best at an element, see `behind`, shape (B, K)."""
        log_p = portable_log(np.maximum(np.stack([mass_of(p, x) for p in said], -1), LEAST))
        return np.asarray(np.maximum(log_p - log_p.max(-1, keepdims=True), -MOST))


class PortableChain:
    """The portable form of a chain; raises InputError, naming the part, where there is none.

    chain: the model.
    """

    def __init__(self, chain: AutoregressiveModel) -> None:
        self.chain = chain
        self.part = _part(chain.network, chain.head)

    def unroll(self, draw: Draw, batch_size: int, length: int | None = None, context: Tensor | None = None) -> Tensor:
        """Walk the chain as `AutoregressiveModel.unroll` does; a context is refused."""
        if context is not None:
            raise InputError("a chain given conditions has no portable form; code with --profile native")
        found: list[Tensor] = []
        previous: Tensor | None = None
        with evaluating(self.chain):
            state = self.part.begin(batch_size)
            for d in range(self.chain.length if length is None else length):
                try:
                    previous = draw(d, self.part.next(d, previous, state))
                except StopIteration:
                    break
                found.append(previous)
        return torch.stack(found, 1).clone() if found else torch.zeros(batch_size, 0)


# networks by exact products
Rounded = PortableNADE | PortableMADE | PortableCausalConv | PortableRecurrent | PortablePixelCNN
ROUNDED: dict[type[AutoregressiveNetwork], Callable[..., Rounded]] = {
    NADE: portable_nade,
    SparseNADE: portable_sparse_nade,
    MADE: PortableMADE,
    CausalConv: PortableCausalConv,
    Recurrent: PortableRecurrent,
    PixelCNN: PortablePixelCNN,
}


def rounded_networks(chain: AutoregressiveModel) -> list[str]:
    """The networks of a chain whose portable form is a model of its own, by name; a part without any weight is none.

    chain: a chain with a portable form.
    """
    found, left = [], [PortableChain(chain).part]
    while left:
        part = left.pop()
        if isinstance(part, AverageOfParts):
            left += part.parts
        elif isinstance(part, RoundedFeatures):
            found.append(part.name)
    return sorted(set(found))


def refusal_of(chain: AutoregressiveModel) -> str | None:
    """Why a model has no portable form; None where it has one."""
    try:
        PortableChain(chain)
    except InputError as error:
        return str(error)
    return None


def _part(network: AutoregressiveNetwork, head: Head) -> Part:
    """The portable form of a network and its head; raises InputError for those without one."""
    if isinstance(network, EnsembleNetwork) and isinstance(head, AverageHead):
        return _average(network, head)
    if isinstance(network, ChowLiu | NGram):
        for d in range(network.length):
            _symbols(head, d)
        form = PortableTree(network) if isinstance(network, ChowLiu) else PortableNGram(network)
        return Probabilities(form, head)
    if type(network) in ROUNDED:
        return RoundedFeatures(network, head)
    if not network.is_exact:
        raise InputError(f"the numbers of a {type(network).__name__} differ in their last bits between machines")
    return ExactFeatures(network, head)


def _average(network: EnsembleNetwork, head: AverageHead) -> AverageOfParts:
    pairs = list(zip(network.members, head.heads, strict=True))
    even = torch.zeros(len(pairs), dtype=torch.float64)
    log_weight = even if head.log_weight is None else head.log_weight
    if network.hindsight is not None:
        log_weight = network.hindsight.log_weight
    heard = [k for k, weight in enumerate(log_weight.tolist()) if weight > -float("inf")]
    parts = [_part(*pairs[k]) for k in heard]
    return AverageOfParts(parts, log_weight.double().cpu().numpy()[heard], network.gate, network.hindsight)


def _symbols(head: Head, d: int) -> int:
    """How many of the probabilities of a network element d has; raises InputError for heads that compute more."""
    own = head.heads[d] if isinstance(head, ColumnsHead) else head
    if isinstance(own, LogitsHead | FirstLogitsHead) and own.num_symbols is not None:
        return own.num_symbols
    raise InputError(f"a {type(own).__name__} has no portable form")
