"""The model: network and head together, ln p(x) = sum_d ln p(x_d | x_<d), and the one loop that walks the chain."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import pad

from chainrule.batch import Batch
from chainrule.errors import InputError
from chainrule.heads.base import Distribution, Head
from chainrule.heads.filtered import Filter
from chainrule.models.base import Model, Sample, evaluating
from chainrule.models.sampler import Sampler, check_given, prefix_batch
from chainrule.networks.base import AutoregressiveNetwork
from chainrule.noise import uniforms

__all__ = ["AutoregressiveModel", "Draw"]

Draw = Callable[[int, Distribution], Tensor]


class AutoregressiveModel(Model):
    """An autoregressive model: a network that reads x_<d and a head that gives p(x_d | x_<d).

    >>> from chainrule import CategoricalHead, CausalConv
    >>> model = AutoregressiveModel(CausalConv(num_symbols=3, shape=4, width=8), CategoricalHead(8, 3))
    >>> model.log_prob(Batch(torch.zeros(2, 4, dtype=torch.long))).shape
    torch.Size([2])
    >>> model.sample(5, seed=0).x.shape
    torch.Size([5, 4])
    """

    def __init__(self, network: AutoregressiveNetwork, head: Head) -> None:
        super().__init__()
        if network.features != head.features:
            raise InputError(
                f"the network makes {network.features} features, the head reads {head.features}; match them"
            )
        self.network = network
        self.head = head
        if head.tied:
            head.tie(network.embedding_table)

    @property
    def length(self) -> int:
        return self.network.length

    @property
    def num_symbols(self) -> int | None:
        return self.head.num_symbols

    @property
    def features_per_element(self) -> int:
        return self.network.features

    @property
    def elements_at_once(self) -> int | None:
        return self.network.elements_at_once

    @property
    def exact_training(self) -> bool:
        return not (self.head.has_estimate or self.network.leaves_out)

    @property
    def chains(self) -> tuple[AutoregressiveModel, ...]:
        return (self,)

    def single_chain(self) -> AutoregressiveModel:
        return self

    def training_chain(self, batch: Batch) -> tuple[AutoregressiveModel, Batch]:
        return self, batch

    def describe(self) -> str:
        """How far back the network sees."""
        before = self.length - 1
        return f"sees {min(self.network.receptive_field, before)} of {before} elements"

    def initialise(self, x: Tensor) -> None:
        """Start from data, rows (N, D) as they are scored, NaN where a real is missing.

        Real numbers are standardised on their way into the network, and heads start at the quantiles of their elements;
        parts for symbols have little or nothing to set.
        """
        self.network.initialise(x)
        self.head.initialise(x)

    def element_log_prob(self, batch: Batch | Tensor) -> Tensor:
        """ln p(x_d | x_<d) in nats, shape (B, D); 0 where the mask says that an element does not count."""
        batch = batch if isinstance(batch, Batch) else Batch(batch)
        first = self._first_scored(batch)
        if not first:
            return self.head(self.conditioning(batch)).masked_log_prob(batch.x, batch.mask)
        h = self.network.features_from(first, batch.x, batch.context)
        return pad(self.head(h).masked_log_prob(batch.x[:, first:], batch.mask[:, first:]), (first, 0))

    def _first_scored(self, batch: Batch) -> int:
        """The number of the first element that counts in any example, where those before need no features; else 0."""
        if batch.segment_ids is not None or not self.head.anywhere or torch.compiler.is_compiling():
            return 0
        counts = batch.mask.any(0)
        return int(counts.to(torch.uint8).argmax()) if len(counts) else 0

    def conditioning(self, batch: Batch) -> Tensor:
        """The features h, shape (B, D, H), from which the head makes p(x_d | x_<d)."""
        if batch.segment_ids is None:
            return self.network(batch.x, batch.context)
        if batch.context is not None:
            raise InputError("packed rows hold several examples and take no context; train without packing")
        return self.network.packed(batch.x, batch.segment_ids)

    def training_features(self, batch: Batch) -> Tensor:
        """The features that training reads: those of `conditioning`, unless the network leaves out what it counted."""
        if not self.network.leaves_out:
            return self.conditioning(batch)
        return self.network.left_out(batch.x, batch.segment_ids)

    def log_prob(self, batch: Batch | Tensor) -> Tensor:
        """L_n = sum_d ln p(x_{n,d} | x_{n,<d}) over the elements that count, in nats, shape (B,)."""
        return self.element_log_prob(batch).sum(1)

    def conditionals(self, batch: Batch) -> Distribution:
        return self.head(self.conditioning(batch))

    def unroll(self, draw: Draw, batch_size: int, length: int | None = None, context: Tensor | None = None) -> Tensor:
        """Walk the chain: x_d = draw(d, p(x_d | x_<d)) for d = 0, 1, ..., the elements of shape (batch_size, length).

        Sampling, stepwise scoring, encoding and decoding are four draws. Ends early when `draw` raises StopIteration.

        >>> from chainrule import CategoricalHead, CausalConv
        >>> model = AutoregressiveModel(CausalConv(num_symbols=3, shape=4, width=8), CategoricalHead(8, 3))
        >>> model.unroll(lambda d, p: p.pmf().argmax(-1), batch_size=2).shape
        torch.Size([2, 4])
        """
        length = self.network.length if length is None else length
        with evaluating(self):
            state = self.network.initial_state(batch_size, context)
            step, at = self.network.step, self.head.at
            x: Tensor | None = None
            previous: Tensor | None = None
            columns: tuple[Tensor, ...] = ()
            for d in range(length):
                h, state = step(previous, state)
                before = h.new_empty(batch_size, 0) if x is None else x.narrow(1, 0, d)
                try:
                    previous = draw(d, at(d, h, before))
                except StopIteration:
                    x = before
                    break
                if x is None:
                    x = previous.new_empty(batch_size, length)
                    columns = x.unbind(1)
                columns[d].copy_(previous)
        if x is None:
            raise InputError(f"a chain has at least one element, got length={length}")
        return x.clone()

    def sample(
        self,
        n: int,
        *,
        seed: int | None = None,
        generator: torch.Generator | None = None,
        first: int = 0,
        begin: int = 0,
        length: int | None = None,
        context: Tensor | None = None,
        prefix: Tensor | Sequence[Any] | None = None,
        end: int | None = None,
        temperature: float = 1.0,
        top_k: int | None = None,
        top_p: float | None = None,
        on_element: Callable[[int, Tensor], None] | None = None,
    ) -> Sample:
        """Draw n examples, element by element, from the model itself: by default nothing is cut off.

        The draw of element d of example n is a function of (seed, n, d): example 7 is the same alone (n=1, first=7) or
        among 64, up to the rounding of the probabilities.

        n: number of examples.
        seed: any integer; without one it is taken from the generator.
        generator: source of the seed; torch's own by default.
        first: number of the first example.
        begin: number of the first element, where these are elements of a longer text.
        length: D, by default that of the network.
        context: classes, shape (n,), or vectors, shape (n, C), for conditional models.
        prefix: elements that are given and not scored, shape (P,), (n, P) or a list of n of any lengths.
        end: the symbol after which an example is over.
        temperature, top_k, top_p: sample from a filtered distribution instead, see `Filter`.
        on_element: called with d and x_d, shape (n,), as soon as they are known, to show them or the progress.
        """
        if n < 1:
            raise InputError(f"a sample has at least one example, got n={n}")
        length = self.network.length if length is None else length
        given = prefix_batch(prefix, n, length)
        if given is not None:
            given = given.to(self.device)
            check_given(given, self.head.num_symbols)
        filtered = Filter(temperature, top_k, top_p)
        if seed is None:
            seed = int(torch.randint(2**62, (), generator=generator))
        noise = torch.from_numpy(uniforms(seed, range(first, first + n), range(begin, begin + length))).to(self.device)
        sampler = Sampler(noise, filtered, given, end, on_element)
        return sampler.sample(self.unroll(sampler, n, length, None if context is None else context.to(self.device)))

    def features(self, x: Batch | Tensor, layer: int = -1, pool: str | None = None) -> Tensor:
        """A representation: the network's features after a layer, (B, D, width), or pooled over D, (B, width).

        x: elements, a Batch or shape (B, D).
        layer: number of the layer: 0 is the embedding, 1 the first block, -1 what the head reads.
        pool: None, "mean" over the elements that count, or "last", the last of them.

        Feature d has seen x_<d only.
        """
        batch = x if isinstance(x, Batch) else Batch(x)
        with evaluating(self):
            layers = self.network.layers(batch.x, batch.context)
            if not -len(layers) <= layer < len(layers):
                raise InputError(f"layer {layer} does not exist: the network has layers 0 to {len(layers) - 1}")
        h = layers[layer].clone()
        if pool is None:
            return h
        if pool == "mean":
            weight = batch.mask.to(h.dtype).unsqueeze(-1)
            return (h * weight).sum(1) / weight.sum(1).clamp(min=1)
        if pool == "last":
            position = torch.arange(h.shape[1], device=h.device)
            return h[torch.arange(len(h)), (batch.mask * position).argmax(1)]
        raise InputError(f"pool is None, 'mean' or 'last', got {pool!r}")
