"""Distributions by portable arithmetic, see `portable_numbers`.

Products over decisions are taken in their order, and the features have to be exact by themselves, as sums of whole
numbers are: those of boosted trees, whose leaves are multiples of 2^-20.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from chainrule.batch import Array
from chainrule.coding.portable_numbers import normalised, portable_exp, portable_sigmoid
from chainrule.errors import InputError
from chainrule.heads.base import Distribution
from chainrule.heads.bernoulli import Bernoulli
from chainrule.heads.columns import Cell
from chainrule.heads.decisions import Decisions
from chainrule.heads.missing import Missing

__all__ = ["PortableAverage", "PortableMass", "PortableMissing", "mass_of", "portable"]


class PortableForm(Distribution):
    """A distribution whose probabilities are computed again by portable arithmetic; ln p stays what it was.

    p: the distribution.
    """

    def __init__(self, p: Distribution) -> None:
        self.of = p

    @property
    def batch_shape(self) -> torch.Size:
        return self.of.batch_shape

    @property
    def device(self) -> torch.device:
        return torch.device("cpu")

    def log_prob(self, x: Tensor) -> Tensor:
        return self.of.log_prob(x)


class PortableBernoulli(PortableForm):
    """A Bernoulli by `portable_sigmoid`."""

    num_symbols = 2

    def __init__(self, p: Bernoulli) -> None:
        super().__init__(p)
        self.p = p
        self.one = portable_sigmoid(p.logit.double().cpu().numpy())

    def pmf(self) -> Tensor:
        zero = portable_sigmoid(-self.p.logit.double().cpu().numpy())
        return torch.from_numpy(np.stack([zero, self.one], -1))


class PortableDecisions(PortableForm):
    """Decisions whose leaves are products in the order of the decisions."""

    def __init__(self, p: Decisions) -> None:
        super().__init__(p)
        self.p = p
        self.num_symbols: int | None = p.num_symbols
        self.resolution: float | Tensor | None = p.resolution

    def _leaves(self) -> Array:
        """P of each leaf, shape (B, L)."""
        logits, signs = self.p.logits.double().cpu().numpy(), self.p.head.signs.cpu().numpy()
        right, left = portable_sigmoid(logits), portable_sigmoid(-logits)
        reached = np.repeat(((signs != 0).any(0) | (np.arange(signs.shape[1]) == 0))[None] * 1.0, len(logits), 0)
        for i, sign in enumerate(signs):
            reached = reached * np.where(sign > 0, right[:, i, None], np.where(sign < 0, left[:, i, None], 1.0))
        return np.asarray(reached)

    def pmf(self) -> Tensor:
        if self.num_symbols is None:
            return super().pmf()
        within = portable_exp(self.p.head.log_within.double().cpu().numpy())
        return torch.from_numpy(self._leaves()[:, self.p.head.leaf.cpu().numpy()] * within)

    def cdf(self, x: Tensor) -> Tensor:
        numbers = self.p.numbers
        if numbers is None:
            return super().cdf(x)
        p, leaf = self._leaves(), numbers.leaf_of(x)
        rows = np.arange(len(p))
        before = (np.cumsum(p, 1) - p)[rows, leaf.numpy()]
        inside = p[rows, leaf.numpy()] * numbers.cdf(numbers.position(x), leaf).numpy()
        return torch.from_numpy(before + inside)


class PortableMissing(Distribution):
    """Values that may be missing, both parts portable, see `Missing`.

    logit: of there being a value, float64, shape (B,).
    value: the distribution of the value.
    """

    def __init__(self, logit: Array, value: Distribution) -> None:
        self.value = value
        self.present, self.gone = portable_sigmoid(logit), portable_sigmoid(-logit)
        self.num_symbols: int | None = None if value.num_symbols is None else value.num_symbols + 1
        self.resolution: float | Tensor | None = value.resolution

    @property
    def batch_shape(self) -> torch.Size:
        return self.value.batch_shape

    @property
    def device(self) -> torch.device:
        return torch.device("cpu")

    @property
    def may_be_missing(self) -> bool:
        return self.num_symbols is None

    def log_prob(self, x: Tensor) -> Tensor:
        return torch.from_numpy(mass_of(self, x)).log()

    def missing_share(self) -> Tensor:
        return torch.from_numpy(self.gone)

    def pmf(self) -> Tensor:
        value = torch.from_numpy(self.present[:, None]) * self.value.pmf()
        return torch.cat([value, self.missing_share().unsqueeze(-1)], -1)

    def cdf(self, x: Tensor) -> Tensor:
        return torch.from_numpy(self.present) * self.value.cdf(x)


class PortableMass(Distribution):
    """Symbols by their probabilities.

    p: of each symbol, float64, shape (B, V), each row of which sums to one.
    """

    def __init__(self, p: Array) -> None:
        self.p = p
        self.num_symbols: int | None = p.shape[-1]

    @property
    def batch_shape(self) -> torch.Size:
        return torch.Size(self.p.shape[:-1])

    @property
    def device(self) -> torch.device:
        return torch.device("cpu")

    def log_prob(self, x: Tensor) -> Tensor:
        return self.pmf().gather(-1, x.long().unsqueeze(-1)).squeeze(-1).log()

    def pmf(self) -> Tensor:
        return torch.from_numpy(self.p)


class PortableAverage(Distribution):
    """sum_k w_k p_k, one part after the other.

    parts: p_k, which are portable, of one support.
    weights: w_k, float64, shape (K,) or (B, K).
    """

    def __init__(self, parts: Sequence[Distribution], weights: Array) -> None:
        self.parts, self.weights = list(parts), weights
        self.num_symbols: int | None = parts[0].num_symbols
        self.resolution: float | Tensor | None = parts[0].resolution

    @property
    def batch_shape(self) -> torch.Size:
        return self.parts[0].batch_shape

    @property
    def device(self) -> torch.device:
        return torch.device("cpu")

    @property
    def may_be_missing(self) -> bool:
        return self.parts[0].may_be_missing

    def _sum(self, values: Sequence[Tensor]) -> Tensor:
        total = 0.0
        for k, value in enumerate(values):
            share = self.weights[..., k]
            of_part = value.numpy()
            total = total + (share[:, None] if share.ndim and of_part.ndim > 1 else share) * of_part
        return torch.from_numpy(np.asarray(total))

    def log_prob(self, x: Tensor) -> Tensor:
        return self._sum([p.log_prob(x).double().exp() for p in self.parts]).log()

    def pmf(self) -> Tensor:
        return self._sum([torch.from_numpy(normalised(p.pmf().numpy())) for p in self.parts])

    def cdf(self, x: Tensor) -> Tensor:
        return self._sum([p.cdf(x) for p in self.parts])

    def missing_share(self) -> Tensor:
        return self._sum([p.missing_share() for p in self.parts])


def mass_of(p: Distribution, x: Tensor) -> Array:
    """p(x) of elements, float64, shape (B,); of a number the mass of its step.

    p: a portable distribution.
    x: elements, NaN where one is missing.
    """
    if p.num_symbols is not None:
        q = normalised(p.pmf().numpy())
        return np.asarray(q[np.arange(len(q)), x.long().numpy()])
    missing = x.isnan()
    there = torch.where(missing, 0.0, x.double())
    step = 1.0 if p.resolution is None else p.resolution
    inside = p.cdf(there).numpy() - p.cdf(there - step).numpy()
    return np.where(missing.numpy(), p.missing_share().numpy(), np.maximum(inside, 0.0))


def portable(p: Distribution) -> Distribution:
    """The same distribution by portable arithmetic; raises InputError for one that has no such form."""
    if isinstance(p, Cell):
        return portable(p.p)
    if isinstance(p, Missing):
        return PortableMissing(p.present.logit.double().cpu().numpy(), portable(p.value))
    if isinstance(p, Decisions):
        return PortableDecisions(p)
    if isinstance(p, Bernoulli):
        return PortableBernoulli(p)
    raise InputError(f"a {type(p).__name__} has no portable form; code with --profile native")
