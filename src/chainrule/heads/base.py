"""The contract of a head: a module that turns features into a distribution of the next element."""

from __future__ import annotations

from abc import ABC, abstractmethod

import torch
from torch import Tensor, nn

from chainrule.errors import InputError

__all__ = ["Distribution", "Head"]


class Distribution(ABC):
    """p(x_d | x_<d) for many elements at once, with the words of `torch.distributions`.

    It may be lazy: what it holds (logits, features and a weight matrix, the nodes of a tree) is its own business, as
    long as `log_prob` is exact and normalised.

    num_symbols: V when the support is {0, ..., V-1}, None when it is infinite.
    resolution: the step of the infinite grid that is the support; None for a finite support and for the real line.
    """

    num_symbols: int | None = None
    resolution: float | Tensor | None = None

    @property
    def order(self) -> Tensor | None:
        """The symbols in the order in which `icdf` runs through them, shape (V,); None for 0, 1, ..., V-1."""
        return None

    @property
    def is_mass(self) -> bool:
        """Whether `log_prob` is the logarithm of a probability; otherwise of a density, in the units of the data."""
        return self.num_symbols is not None or self.resolution is not None

    @abstractmethod
    def log_prob(self, x: Tensor) -> Tensor:
        """ln p(x) in nats, exact and normalised, float32 or better; x and the result have the batch shape."""

    def masked_log_prob(self, x: Tensor, mask: Tensor) -> Tensor:
        """ln p(x) where the mask is True and 0 elsewhere; a lazy distribution need not work where it is False."""
        return torch.where(mask, self.log_prob(x), 0.0)

    @abstractmethod
    def icdf(self, u: Tensor) -> Tensor:
        """The inverse distribution function at u in [0, 1), float64: one uniform number becomes one draw.

        On a finite support the smallest x with P(X <= x) > u, so that a symbol of mass zero is never drawn; small and
        large are meant in the distribution's `order`.
        """

    def draw(self, u: Tensor) -> tuple[Tensor, Tensor]:
        """What u in [0, 1) draws, x = icdf(u), and its ln p(x)."""
        x = self.icdf(u)
        return x, self.log_prob(x)

    def sample(self, generator: torch.Generator | None = None) -> Tensor:
        """An independent draw of each element; u is taken from the generator."""
        u = torch.rand(self.batch_shape, generator=generator, dtype=torch.float64, device=self.device)
        return self.icdf(u)

    @property
    @abstractmethod
    def batch_shape(self) -> torch.Size:
        """The shape of the elements, (B, D) or (B,)."""

    @property
    @abstractmethod
    def device(self) -> torch.device:
        """Where the elements live."""

    def pmf(self) -> Tensor:
        """p(x) for every x of a finite support, batch shape plus (V,)."""
        raise InputError(f"{type(self).__name__} has no finite support and so no pmf; use log_prob")

    def cdf(self, x: Tensor) -> Tensor:
        """P(X <= x); x and the result have the batch shape."""
        raise InputError(f"{type(self).__name__} has no cdf")

    def entropy(self) -> Tensor:
        """-sum_x p(x) ln p(x) in nats, of the batch shape."""
        raise InputError(f"{type(self).__name__} has no entropy in closed form; estimate it from samples")


class Head(nn.Module, ABC):
    """Features -> distribution of x_d.

    features: H, the size of the features that it reads.
    num_symbols: V for a finite support {0, ..., V-1}, None for an infinite one.
    elementwise: whether `head(h)` alone knows the pmf and the cdf of every element. Where it is False, because elements
        are of different kinds or read the ones before them, those are asked of `at(d, h, x)`.
    """

    elementwise: bool = True

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
