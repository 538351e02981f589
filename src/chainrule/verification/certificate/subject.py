"""What is verified: a model, a network, a module of logits or a function of prefixes, seen through one window."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from copy import deepcopy
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Tensor, nn

from chainrule.batch import Batch
from chainrule.errors import InputError
from chainrule.heads.base import Head
from chainrule.heads.columns import ColumnsHead
from chainrule.heads.logits import LogitsHead
from chainrule.models.base import Model
from chainrule.models.chain import AutoregressiveModel
from chainrule.models.logits import LogitsModel, as_logits_model
from chainrule.networks.base import AutoregressiveNetwork
from chainrule.networks.causal_conv import CausalConv
from chainrule.networks.embedding import ContextEmbedding
from chainrule.networks.huggingface import HuggingFace

__all__ = ["EXAMPLES", "Subject", "fewer", "shorter", "subject_of", "wide"]

EXAMPLES, SEEDS = 4, 3
Scores = Callable[[Tensor, Tensor | None], Tensor]


@dataclass(frozen=True)
class Subject:
    """Functions of elements x (B, D) and of a context c, one entry for each example, or None.

    thing: what came. module: what has modes, hooks and a dtype, if anything does. length: D. num_symbols: V, None for
    reals. outputs: (B, D, ...), whose entry d must be a function of x_<d. scores: ln p(x_d | x_<d), (B, D), by the very
    path that is reported; None for a bare network. pmf: p(k | x_<d) for every k, (B, D, V), before anything
    normalises it; None for infinite supports. walk: draws element by element, `walk(draw, n, length, c)`; None where
    there is no step. context: of each example that is tried. examples: how many are tried at a time.
    drawn: examples that were drawn before, shared by all views of the same thing. title: another name, if it has one.
    model: what scores single elements of a batch, with its mask; None for networks and functions. chain: the same where
    it is one network and one head. any_length: whether it reads the first elements of an example alone.
    """

    thing: Any
    module: nn.Module | None
    length: int
    num_symbols: int | None
    outputs: Scores
    scores: Scores | None
    pmf: Scores | None
    walk: Callable[..., Tensor] | None
    context: Tensor | None
    examples: int = EXAMPLES
    drawn: list[Tensor] = field(default_factory=list)
    title: str = ""
    model: Model | None = None
    chain: AutoregressiveModel | None = None
    any_length: bool = False

    @property
    def name(self) -> str:
        """How the certificate calls it."""
        return self.title or getattr(self.thing, "__name__", type(self.thing).__name__)

    def elements(self, seed: int) -> Tensor:
        """Random examples: any symbols, or, where not every real is in the domain, what the head draws from noise."""
        n, generator = self.examples, torch.Generator().manual_seed(seed)
        if self.num_symbols is not None:
            return torch.randint(self.num_symbols, (n, self.length), generator=generator)
        if self.chain is not None:
            return self._drawn(self.chain.head)[seed * EXAMPLES : seed * EXAMPLES + n, : self.length]
        return torch.randn(n, self.length, generator=generator)

    def _drawn(self, head: Head) -> Tensor:
        """What the head makes of random features, EXAMPLES for each of SEEDS, kept, for it can take long to draw."""
        if not self.drawn or self.drawn[-1].shape[1] < self.length:
            generator, rows = torch.Generator().manual_seed(0), EXAMPLES * SEEDS
            h = torch.randn(rows, self.length, head.features, generator=generator, dtype=torch.float64)
            u = torch.rand(rows, self.length, generator=generator, dtype=torch.float64)
            dtype = next((p.dtype for p in head.parameters()), torch.float32)
            self.drawn.append(head(h.to(dtype)).icdf(u))
        return self.drawn[-1]

    def positions(self, limit: int, seed: int = 0) -> list[int]:
        """Up to `limit` elements, the most telling first: one in the middle, the last, the first, others by chance."""
        middle = min(self.length // 2 | 1, self.length - 1)  # odd: it stands inside of blocks of any even size
        chance = torch.randperm(self.length, generator=torch.Generator().manual_seed(seed)).tolist()
        return list(dict.fromkeys([middle, self.length - 1, 0, *chance]))[:limit]


def subject_of(thing: Any, num_symbols: int | None, length: int | None, context: Tensor | None) -> Subject:
    """See a model, a network, a head, a module from elements to logits or a function from prefixes to probabilities.

    num_symbols, length: where the thing does not know them itself. context: one entry for each of EXAMPLES examples.
    """
    if isinstance(thing, Model) and thing.chains:
        return _of_chain(thing.single_chain(), num_symbols, length, context)
    if isinstance(thing, AutoregressiveNetwork):
        return _of_network(thing, num_symbols, length, context)
    if isinstance(thing, Head):
        return replace(_of_chain(_under(thing, length), num_symbols, length, context), title=type(thing).__name__)
    if _is_language_model(thing):
        model = AutoregressiveModel(HuggingFace(thing, length), LogitsHead(thing.config.vocab_size))
        return replace(_of_chain(model, num_symbols, length, context), title=type(thing).__name__)
    if not callable(thing):
        raise InputError(f"cannot verify {type(thing).__name__}; give a model, a module, or a function of prefixes")
    num_symbols = getattr(thing, "num_symbols", None) if num_symbols is None else num_symbols
    length = getattr(thing, "length", None) if length is None else length
    if not isinstance(num_symbols, int) or not isinstance(length, int):
        raise InputError(f"{type(thing).__name__} does not say its alphabet and length; give num_symbols=V, length=D")
    if isinstance(thing, nn.Module):
        return _of_logits(as_logits_model(thing), num_symbols, length, thing)
    return _of_prefixes(thing, num_symbols, length)


def _under(head: Head, length: int | None) -> AutoregressiveModel:
    """A copy of a head on top of a small network of our own, for a head says nothing by itself."""
    head = deepcopy(head)
    head.tied = False  # to the table of a network that is not here
    length = length or (len(head.heads) if isinstance(head, ColumnsHead) else 6)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network = CausalConv(head.num_symbols, length, head.features, depth=2)
    return AutoregressiveModel(network.to(next((p.dtype for p in head.parameters()), torch.float32)), head)


def _is_language_model(thing: Any) -> bool:
    """Whether this is a causal language model of Hugging Face, seen without importing that library."""
    return (
        isinstance(thing, nn.Module) and hasattr(thing, "generate") and hasattr(thing, "prepare_inputs_for_generation")
    )


def _of_network(
    network: AutoregressiveNetwork, symbols: int | None, length: int | None, context: Tensor | None
) -> Subject:
    symbols = network.symbols_read if symbols is None else symbols
    context = _context(network) if context is None else context
    length = length or network.length
    return Subject(network, network, length, symbols, network, None, None, None, context, any_length=True)


def _of_chain(model: AutoregressiveModel, symbols: int | None, length: int | None, context: Tensor | None) -> Subject:
    def scores(x: Tensor, c: Tensor | None) -> Tensor:
        return model.element_log_prob(Batch(x, context=c))

    def pmf(x: Tensor, c: Tensor | None) -> Tensor:
        return model.head(model.network(x, c)).pmf()

    return Subject(
        model,
        model,
        length or model.length,
        model.num_symbols if symbols is None else symbols,
        model.network,
        scores,
        pmf if model.head.elementwise and model.head.num_symbols is not None else None,
        model.unroll,
        _context(model.network) if context is None else context,
        model=model,
        chain=model,
        any_length=True,
    )


def _context(network: nn.Module) -> Tensor | None:
    """A context for each example of a conditional network, from what its embedding expects."""
    for part in network.modules():
        if isinstance(part, ContextEmbedding):
            if part.num_classes is not None:
                return torch.arange(EXAMPLES) % part.num_classes
            if part.context_size is not None:
                return torch.randn(EXAMPLES, part.context_size, generator=torch.Generator().manual_seed(0))
    return None


def _of_logits(model: LogitsModel, num_symbols: int, length: int, thing: nn.Module) -> Subject:
    def logits(x: Tensor, c: Tensor | None) -> Tensor:
        return model.logits(x)

    def scores(x: Tensor, c: Tensor | None) -> Tensor:
        return model.element_log_prob(Batch(x))

    def pmf(x: Tensor, c: Tensor | None) -> Tensor:
        return model.logits(x).log_softmax(-1).exp()

    return Subject(thing, model, length, num_symbols, logits, scores, pmf, None, None, model=model)


def _of_prefixes(function: Callable[[Sequence[int]], Any], num_symbols: int, length: int) -> Subject:
    """A function sees the prefix only: what can be wrong is its sum, its memory, and the alphabet."""

    def pmf(x: Tensor, c: Tensor | None) -> Tensor:
        rows = [[torch.as_tensor(function(row[:d])).double() for d in range(len(row))] for row in x.tolist()]
        made = torch.stack([torch.stack(row) for row in rows])
        if made.shape[-1] != num_symbols:
            raise InputError(f"the function gives {made.shape[-1]} probabilities, expected {num_symbols}")
        return made

    def scores(x: Tensor, c: Tensor | None) -> Tensor:
        return pmf(x, c).gather(-1, x.unsqueeze(-1)).squeeze(-1).log()

    return Subject(function, None, length, num_symbols, pmf, scores, pmf, None, None)


def fewer(subject: Subject, examples: int) -> Subject:
    """The same seen through fewer examples."""
    context = None if subject.context is None else subject.context[:examples]
    return replace(subject, examples=examples, context=context)


def shorter(subject: Subject, length: int) -> Subject:
    """The same seen through its first elements only, where its contract lets it read examples of any length."""
    if not subject.any_length:
        return subject
    return replace(subject, length=min(length, subject.length))


def wide(subject: Subject, x: Tensor) -> tuple[Subject, bool]:
    """A float64 copy whose rounding hides nothing, and whether there is one: some modules insist on their own type."""
    if subject.module is None:
        return subject, True
    with torch.no_grad():
        try:
            copy = deepcopy(subject.thing).double()
            context = subject.context
            context = context.double() if context is not None and context.is_floating_point() else context
            doubled = subject_of(copy, subject.num_symbols, subject.length, context)
            made = doubled.outputs(x.double() if x.is_floating_point() else x, context)
        except (RuntimeError, TypeError):
            return subject, False
    doubled = replace(doubled, examples=subject.examples)
    return (doubled, True) if made.dtype == torch.float64 else (subject, False)
