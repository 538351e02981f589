"""The portable profile: distributions by arithmetic whose every bit is the same on every machine.

Sums, products, quotients and comparisons in float64 are fixed by IEEE 754, one operation at a time; the exponentials
of libraries are not, and neither are sums whose order depends on the processor. So the exponential is ours, from the
former alone, products over decisions are taken in their order, and the features have to be exact by themselves, as sums
of whole numbers are: those of boosted trees, whose leaves are multiples of 2^-20.

What has no such form is refused by name: a network in float32, and n-grams, whose averages are summed in float32.
"""

from __future__ import annotations

from math import factorial

import numpy as np
import torch
from torch import Tensor

from chainrule.batch import Array
from chainrule.errors import InputError
from chainrule.heads.base import Distribution
from chainrule.heads.bernoulli import Bernoulli
from chainrule.heads.columns import Cell
from chainrule.heads.decisions import Decisions
from chainrule.heads.missing import Missing
from chainrule.models.chain import AutoregressiveModel

__all__ = ["portable", "portable_exp", "refusal_of"]

LOG2_E = 1.4426950408889634
LN2_HIGH, LN2_LOW = 0.693147180369123816490, 1.90821492927058770002e-10  # the first has 21 zero bits at its end
TERMS = [1 / factorial(n) for n in range(14)]


def portable_exp(x: Array) -> Array:
    """e^x in float64 for x <= 0, from sums, products and powers of two alone, to 2 units in the last bit.

    >>> bool(np.allclose(portable_exp(np.array([0.0, -1.0, -700.0])), np.exp([0.0, -1.0, -700.0]), rtol=1e-15, atol=0))
    True
    """
    x = np.maximum(np.asarray(x, dtype=np.float64), -745.0)
    k = np.floor(x * LOG2_E + 0.5)
    r = x - k * LN2_HIGH
    r = r - k * LN2_LOW
    total = np.full_like(r, TERMS[-1])
    for term in reversed(TERMS[:-1]):
        total = total * r
        total = total + term
    return np.ldexp(total, k.astype(np.int64))


def portable_sigmoid(s: Array) -> Array:
    """1 / (1 + e^-s) for s of any sign, shape of s, float64."""
    e = portable_exp(-np.abs(np.asarray(s, dtype=np.float64)))
    return np.where(s >= 0, 1.0, e) / (1.0 + e)


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
    """Numbers that may be missing, both parts portable."""

    def __init__(self, p: Missing, value: Distribution) -> None:
        self.p, self.value = p, value
        self.present = portable_sigmoid(p.present.logit.double().cpu().numpy())
        self.num_symbols: int | None = p.num_symbols
        self.resolution: float | Tensor | None = p.resolution

    @property
    def batch_shape(self) -> torch.Size:
        return self.p.batch_shape

    @property
    def device(self) -> torch.device:
        return torch.device("cpu")

    @property
    def may_be_missing(self) -> bool:
        return self.p.may_be_missing

    def log_prob(self, x: Tensor) -> Tensor:
        return self.p.log_prob(x)

    def missing_share(self) -> Tensor:
        return torch.from_numpy(portable_sigmoid(-self.p.present.logit.double().cpu().numpy()))

    def pmf(self) -> Tensor:
        value = torch.from_numpy(self.present[:, None]) * self.value.pmf()
        return torch.cat([value, self.missing_share().unsqueeze(-1)], -1)

    def cdf(self, x: Tensor) -> Tensor:
        return torch.from_numpy(self.present) * self.value.cdf(x)


def portable(p: Distribution) -> Distribution:
    """The same distribution by portable arithmetic; raises InputError for one that has no such form."""
    if isinstance(p, Cell):
        return portable(p.p)
    if isinstance(p, Missing):
        return PortableMissing(p, portable(p.value))
    if isinstance(p, Decisions):
        return PortableDecisions(p)
    if isinstance(p, Bernoulli):
        return PortableBernoulli(p)
    raise InputError(f"a {type(p).__name__} has no portable form; code with --profile native")


def refusal_of(chain: AutoregressiveModel) -> str | None:
    """Why a model has no portable form; None where it has one."""
    if not chain.network.is_exact:
        return f"the numbers of a {type(chain.network).__name__} differ in their last bits between machines"
    with torch.no_grad():
        h = torch.zeros(1, chain.head.features)
        x = torch.zeros(1, 0)
        try:
            for d in range(chain.length):
                portable(chain.head.at(d, h, x))
        except InputError as error:
            return str(error)
    return None
