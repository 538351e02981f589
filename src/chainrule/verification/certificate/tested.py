"""The model under test: one view of a model, a network, a head, a module of logits or a function of prefixes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Tensor, nn

from chainrule.batch import Batch
from chainrule.errors import InputError
from chainrule.heads.base import Distribution, Head
from chainrule.models.base import Model
from chainrule.models.chain import AutoregressiveModel

__all__ = ["EXAMPLES", "ElementFunction", "ModelUnderTest", "fewer", "of_chain", "rows_of", "shorter"]

EXAMPLES, SEEDS = 4, 3
PIECE = 1 << 24  # numbers that one pass may put out
LEAST = -80.0  # ln p below which a probability in single precision is zero
ElementFunction = Callable[[Tensor, Tensor | None], Tensor]


@dataclass(frozen=True)
class ModelUnderTest:
    """Functions of elements x (B, D) and of a context c, one entry per example, or None.

    thing: what `verify` was given, or a copy of it.
    module: what has modes, hooks and a dtype; None for a function.
    length: D, number of elements.
    num_symbols: V, None for reals.
    outputs: (B, D, ...), whose entry d must be a function of x_<d.
    scores: ln p(x_d | x_<d), (B, D), by the very path that is reported; None for a bare network.
    log_pmf: ln p(k | x_<d) for every symbol k, (B, D, V); None for infinite supports.
    walk: draws element by element, `walk(draw, n, length, c)`; None where there is no step.
    context: one entry for each of EXAMPLES examples; None without.
    examples: number of examples in a batch of random elements.
    title: name on the certificate, if it is not the type of the thing.
    model: what scores a batch with its mask; None for networks and functions.
    chain: the model where it is one network and one head.
    any_length: whether the contract lets it read the first elements of an example alone.
    special: symbols with a meaning of their own, such as the end of a text.
    drawn: examples that were drawn before, shared by all views of the same thing.
    """

    thing: Any
    module: nn.Module | None
    length: int
    num_symbols: int | None
    outputs: ElementFunction
    scores: ElementFunction | None
    log_pmf: ElementFunction | None
    walk: Callable[..., Tensor] | None
    context: Tensor | None
    examples: int = EXAMPLES
    title: str = ""
    model: Model | None = None
    chain: AutoregressiveModel | None = None
    any_length: bool = False
    special: tuple[int, ...] = ()
    drawn: list[Tensor] = field(default_factory=list)

    @property
    def name(self) -> str:
        """The name on the certificate."""
        return self.title or getattr(self.thing, "__name__", type(self.thing).__name__)

    @property
    def dtype(self) -> torch.dtype:
        """The type of the parameters, float64 for a function."""
        if self.module is None:
            return torch.float64
        types = (part.dtype for part in self.module.parameters() if part.is_floating_point())
        return next(types, torch.float32)

    def elements(self, seed: int, rows: int | None = None) -> Tensor:
        """Random examples: any symbols, or, where not every real is in the domain, what the head draws from noise."""
        n, generator = self.examples if rows is None else rows, torch.Generator().manual_seed(seed)
        if self.num_symbols is not None:
            return torch.randint(self.num_symbols, (n, self.length), generator=generator)
        if self.chain is not None:
            pool = self._drawn(self.chain.head)
            return pool[(seed * EXAMPLES + torch.arange(n)) % len(pool), : self.length]
        return torch.randn(n, self.length, generator=generator)

    def _drawn(self, head: Head) -> Tensor:
        """What the head makes of random features, kept, because it can take long to draw."""
        if not self.drawn or self.drawn[-1].shape[1] < self.length:
            self.drawn.append(of_noise(head, self.length, EXAMPLES * SEEDS, seed=0))
        return self.drawn[-1]

    def contexts(self, rows: int, first: int = 0) -> Tensor | None:
        """The contexts in turn, one for each of some rows, from the row `first` on."""
        return None if self.context is None else self.context[(first + torch.arange(rows)) % len(self.context)]

    def positions(self, limit: int, seed: int = 0) -> list[int]:
        """Up to `limit` elements: the middle, the ends, 2^k - 1, 2^k and 2^k + 1, then others at random."""
        last = self.length - 1
        middle = min(self.length // 2 | 1, last)  # odd: it stands inside of blocks of any even size
        powers = [2**k for k in range(self.length.bit_length(), -1, -1)]
        seams = [p + shift for p in powers for shift in (-1, 0, 1)]
        seams += [step - 1 for size in (256, 128, 64) for step in range(size, self.length, size)]
        chance = torch.randperm(self.length, generator=torch.Generator().manual_seed(seed)).tolist()
        ordered = [middle, last, 0, 1, last - 1, *seams, *chance]
        return list(dict.fromkeys(d for d in ordered if 0 <= d <= last))[:limit]

    def rows_at_once(self, length: int | None = None) -> int:
        """The number of rows of a length (by default D) in one pass, so that it stays small in memory."""
        width = max(self.num_symbols or 1, 64)
        return max(1, PIECE // ((length or self.length) * width))

    def scored(self, x: Tensor, c: Tensor | None) -> Tensor:
        """The scores of many rows, in pieces, float64; after an element of probability zero nothing is asked: 0."""
        if self.scores is None:
            raise InputError(f"{self.name} does not score elements; give a model")
        size = min(256, self.rows_at_once(x.shape[1]))
        parts = [
            self.scores(x[at : at + size], None if c is None else c[at : at + size]) for at in range(0, len(x), size)
        ]
        return possible(torch.cat(parts).double())


def possible(scores: Tensor) -> Tensor:
    """Scores (B, D) with 0 in place of whatever follows an element of probability zero.

    >>> possible(torch.tensor([[-1.0, -torch.inf, torch.nan]]))
    tensor([[-1., -inf, 0.]])
    """
    ended = (scores == -torch.inf).cumsum(1) > 0
    after = torch.cat([torch.zeros_like(ended[:, :1]), ended[:, :-1]], 1)
    return torch.where(after, 0.0, scores)


def of_noise(head: Head, length: int, rows: int, seed: int, extreme: bool = False) -> Tensor:
    """Elements (rows, length) that a head draws from random features.

    head: the head.
    length: number of elements of each row.
    rows: number of rows.
    seed: seed of the features and of the uniform numbers.
    extreme: whether some of the uniform numbers lie at the ends, for values far out.
    """
    generator = torch.Generator().manual_seed(seed)
    h = torch.randn(rows, length, head.features, generator=generator, dtype=torch.float64)
    u = torch.rand(rows, length, generator=generator, dtype=torch.float64)
    if extreme:
        u = torch.where(u < 0.3, 1e-9, torch.where(u > 0.7, 1 - 1e-9, u))
    dtype = next((p.dtype for p in head.parameters()), torch.float32)
    return head(h.to(dtype)).icdf(u)


def of_chain(
    model: AutoregressiveModel, symbols: int | None, length: int | None, context: Tensor | None
) -> ModelUnderTest:
    """A model of one network and one head."""

    def scores(x: Tensor, c: Tensor | None) -> Tensor:
        return model.element_log_prob(Batch(x, context=c))

    def log_pmf(x: Tensor, c: Tensor | None) -> Tensor:
        return log_pmf_of(model.head(model.network(x, c)))

    finite = model.head.elementwise and model.head.num_symbols is not None
    return ModelUnderTest(
        model,
        model,
        length or model.length,
        model.num_symbols if symbols is None else symbols,
        model.network,
        scores,
        log_pmf if finite else None,
        model.unroll,
        context,
        model=model,
        chain=model,
        any_length=True,
    )


def log_pmf_of(p: Distribution) -> Tensor:
    """ln p of every symbol: of the logits where the distribution has them, else the logarithm of its pmf."""
    try:
        return p.whole().log_pmf()
    except InputError:
        return p.pmf().log()


def rows_of(tested: ModelUnderTest, rows: Tensor) -> ModelUnderTest:
    """The same with the contexts of some of the examples."""
    return replace(tested, context=None if tested.context is None else tested.context[rows])


def fewer(tested: ModelUnderTest, examples: int) -> ModelUnderTest:
    """The same, tried on fewer examples at a time."""
    return replace(tested, examples=examples)


def shorter(tested: ModelUnderTest, length: int) -> ModelUnderTest:
    """The same, tried on its first elements only, where its contract lets it read examples of any length."""
    return replace(tested, length=min(length, tested.length)) if tested.any_length else tested
