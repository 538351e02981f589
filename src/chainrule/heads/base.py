"""The contract of a head: a module that turns features into a distribution of the next element."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Hashable, Sequence
from typing import Protocol

import torch
from torch import Tensor, nn

from chainrule.errors import InputError
from chainrule.heads.finite import check_symbols, inverse_cdf

__all__ = ["Alike", "Distribution", "Head"]


class Distribution(ABC):
    """p(x_d | x_<d) for many elements at once, with the words of `torch.distributions`.

    It may be lazy: what it holds (logits, features and a weight matrix, the nodes of a tree) is its own business, as
    long as `log_prob` is exact and normalised. A finite support needs `log_prob` and `pmf`, from which everything else
    follows; any other support needs `log_prob` and `icdf`.

    num_symbols: V when the support is {0, ..., V-1}, None when it is infinite.
    resolution: the step of the infinite grid that is the support; None for a finite support and for the real line.
    """

    num_symbols: int | None = None
    resolution: float | Tensor | None = None

    @property
    @abstractmethod
    def batch_shape(self) -> torch.Size:
        """The shape of the elements, (B, D) or (B,)."""

    @property
    @abstractmethod
    def device(self) -> torch.device:
        """Where the elements live."""

    @property
    def order(self) -> Tensor | None:
        """The symbols in the order in which `icdf` runs through them, shape (V,); None for 0, 1, ..., V-1."""
        return None

    @property
    def is_mass(self) -> bool:
        """Whether `log_prob` is the logarithm of a probability; otherwise of a density, in the units of the data."""
        return self.num_symbols is not None or self.resolution is not None

    @property
    def has_pmf(self) -> bool:
        """Whether `pmf` gives the probability of every symbol."""
        return self.num_symbols is not None

    @property
    def may_be_missing(self) -> bool:
        """Whether NaN is an outcome beside the numbers of an infinite support."""
        return False

    def missing_share(self) -> Tensor:
        """P(NaN), of the batch shape; 0 where NaN is not an outcome."""
        return torch.zeros(self.batch_shape, dtype=torch.float64, device=self.device)

    @property
    def density_columns(self) -> tuple[int, ...]:
        """The elements (last axis) whose `log_prob` is that of a density: none of a mass, otherwise all."""
        return () if self.is_mass else tuple(range(self.batch_shape[-1]))

    @abstractmethod
    def log_prob(self, x: Tensor) -> Tensor:
        """ln p(x) in nats, exact and normalised, float32 or better; x and the result have the batch shape."""

    def masked_log_prob(self, x: Tensor, mask: Tensor) -> Tensor:
        """ln p(x) where the mask is True and 0 elsewhere; a lazy distribution need not compute the others."""
        return torch.where(mask, self.log_prob(x), 0.0)

    def pmf(self) -> Tensor:
        """p(x) for every x of a finite support, batch shape plus (V,)."""
        raise InputError(f"{type(self).__name__} has no finite support and so no pmf; use log_prob")

    def log_pmf(self) -> Tensor:
        """ln p(x) for every x, batch shape plus (V,), where it can be computed without the logarithm of a zero."""
        raise InputError(f"{type(self).__name__} does not have ln p of every symbol; take a categorical head")

    def log_normaliser(self) -> Tensor:
        """ln Z = ln sum_k exp(s_k) of the logits s, of the batch shape."""
        raise InputError(f"{type(self).__name__} does not have logits; take a categorical head")

    def whole(self) -> Distribution:
        """The same distribution with everything computed that a lazy one leaves out."""
        return self

    def cdf(self, x: Tensor) -> Tensor:
        """P(X <= x); x and the result have the batch shape. On an infinite support x may have one more dimension first.

        That dimension holds several numbers for each element, which a search asks about at once.
        """
        if not self.has_pmf or self.num_symbols is None:
            raise InputError(f"{type(self).__name__} has no cdf")
        check_symbols(x, self.batch_shape, self.num_symbols)
        return self.pmf().cumsum(-1).gather(-1, x.long().unsqueeze(-1)).squeeze(-1).clamp(max=1)

    def icdf(self, u: Tensor) -> Tensor:
        """The inverse distribution function at u in [0, 1), float64: one uniform number becomes one draw.

        On a finite support it is the smallest x with P(X <= x) > u, so that a symbol of mass zero is never drawn; the
        distribution's `order` says what is smaller.
        """
        return inverse_cdf(self.pmf(), u)

    def around(self, u: Tensor) -> tuple[Tensor, Tensor]:
        """Two numbers between which icdf(u) lies, in its type: the quantile itself, or what is found at less cost."""
        x = self.icdf(u)
        return x, x

    def entropy(self) -> Tensor:
        """-sum_x p(x) ln p(x) in nats, of the batch shape."""
        if not self.has_pmf:
            raise InputError(f"{type(self).__name__} has no entropy in closed form; estimate it from samples")
        return torch.special.entr(self.pmf()).sum(-1)

    def draw(self, u: Tensor) -> tuple[Tensor, Tensor]:
        """The element x = icdf(u) that u in [0, 1) draws, and its ln p(x)."""
        x = self.icdf(u)
        return x, self.log_prob(x)

    def sample(self, generator: torch.Generator | None = None) -> Tensor:
        """An independent draw of each element; u is taken from the generator."""
        u = torch.rand(self.batch_shape, generator=generator, dtype=torch.float64, device=self.device)
        return self.icdf(u)


class Alike(Protocol):
    """What reads C columns with heads of one form at once: small batches cost more in calls than in arithmetic."""

    def log_prob(self, h: Tensor, x: Tensor) -> Tensor:
        """ln p in nats, float64, shape (C, B), of elements x (C, B) by features h (C, B, H)."""


class Head(nn.Module, ABC):
    """Features -> distribution of x_d.

    What a head can do and what it needs is declared here, with a default that suits most heads.

    features: H, the size of the features that it reads.
    num_symbols: V for a finite support {0, ..., V-1}, None for an infinite one.
    elementwise: whether `head(h)` alone knows the pmf and the cdf of every element. Where it is False, because elements
        are of different kinds or read the ones before them, ask `at(d, h, x)` for those.
    anywhere: whether p(x_d) depends on the features of d alone, so that `head(h[:, k:])` are the distributions from
        element k on; False for heads that count the elements from the first.
    needs_counts: whether `initialise` lays the head out by how often each symbol occurs in the training data.
    has_estimate: whether training maximises `training_estimate` instead of ln p.
    tied: whether the weight is the network's table of symbols; the model then calls `tie`.
    """

    elementwise: bool = True
    anywhere: bool = False
    needs_counts: bool = False
    has_estimate: bool = False
    tied: bool = False

    def __init__(self, features: int, num_symbols: int | None) -> None:
        super().__init__()
        self.features = features
        self.num_symbols = num_symbols

    @abstractmethod
    def forward(self, h: Tensor) -> Distribution:
        """The distributions of all elements from features of shape (..., H), batch shape (...)."""

    def at(self, d: int, h: Tensor, x: Tensor) -> Distribution:
        """The distribution of element d from its features (B, H) and the elements before it, x of shape (B, d).

        Most heads do not tell elements apart and do not look at x: features are all they need.
        """
        return self(h)

    def initialise(self, x: Tensor) -> None:
        """Start from data, rows of shape (N, D) as they are scored; NaN is skipped. Most heads have nothing to set."""

    def training_estimate(self, h: Tensor, x: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """What training maximises in place of ln p(x), of the shape of x; by default ln p(x) itself.

        h: features, shape (..., H).
        x: elements, shape (...).
        generator: source of the estimate's randomness; torch's own by default.
        """
        return self(h).log_prob(x)

    def tie(self, table: nn.Embedding | None) -> None:
        """Share the weight with the network's table of symbols."""
        raise InputError(f"{type(self).__name__} has no weight to tie; take a categorical head")

    def decisions(self, d: int, x: Tensor) -> Tensor:
        """The binary decisions about values x, shape (N,), of element d, for what fits one after the other.

        +1 for right, -1 for left, 0 where a decision is not asked, shape (N, H), int8.
        """
        raise InputError(f"{type(self).__name__} does not consist of binary decisions; take a decisions head")

    def form(self) -> Hashable:
        """What heads of columns have in common that `beside` reads at once; None for a head that stands alone."""
        return None

    def beside(self, heads: Sequence[Head]) -> Alike:
        """What reads columns of heads of this form, among them this one, at once."""
        raise InputError(f"{type(self).__name__} is read column by column")

    def logits_layer(self) -> nn.Module | None:
        """The layer from features to logits, where the rest of the head is a softmax; otherwise None.

        A compiled step takes it in.
        """
        return None
