"""Heads by portable arithmetic, for networks whose features are multiples of 2^-16: linear maps are exact products.

A softmax rounds its logits to multiples of 2^-16 and takes exponentials from two tables of numbers that
`portable_exp` makes, of the coarse and of the fine part of a logit.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import numpy as np
from torch import nn

from chainrule.batch import Array
from chainrule.coding.exact_products import on_grid
from chainrule.coding.portable import PortableAverage, PortableMass, PortableMissing
from chainrule.coding.portable_gaussians import gaussians_of, scores_of
from chainrule.coding.portable_layers import ExactLinear
from chainrule.coding.portable_mixtures import PortableCount, level_masses
from chainrule.coding.portable_numbers import normalised, portable_exp
from chainrule.errors import InputError
from chainrule.heads.base import Distribution, Head
from chainrule.heads.bernoulli import BernoulliHead
from chainrule.heads.blend import BlendHead
from chainrule.heads.categorical import CategoricalHead
from chainrule.heads.count import CountHead
from chainrule.heads.first_logits import FirstLogitsHead
from chainrule.heads.gaussian_mixture import GaussianMixtureHead
from chainrule.heads.logistic_mixture import LogisticMixtureHead
from chainrule.heads.logits import LogitsHead
from chainrule.heads.missing import MissingHead
from chainrule.heads.rare import RareHead
from chainrule.heads.scores import ScoresHead

__all__ = ["PortableHead", "portable_head", "softmax"]

FINE_BITS, COARSE_BITS = 8, 8  # of a logit behind the point, by the table that has them
FARTHEST = 40  # nats behind the largest logit, from which on they are alike

PortableHead = Callable[[Array], Distribution]  # from features (B, H) to the distribution of an element


@cache
def _tables() -> tuple[Array, Array]:
    """e^-k 2^-8 for coarse k and e^-k 2^-16 for fine k."""
    coarse = portable_exp(-np.arange((FARTHEST << COARSE_BITS) + 1) * 2.0**-COARSE_BITS)
    return coarse, portable_exp(-np.arange(1 << FINE_BITS) * 2.0 ** -(COARSE_BITS + FINE_BITS))


def softmax(s: Array) -> Array:
    """Probabilities of logits (B, V), float64, each at least e^-40 of the largest.

    >>> softmax(np.array([[0.0, 0.0, -1e9]])).round(6).tolist()
    [[0.5, 0.5, 0.0]]
    """
    coarse, fine = _tables()
    behind = np.minimum(s.max(-1, keepdims=True) - s, FARTHEST) * 2.0 ** (COARSE_BITS + FINE_BITS)
    k = np.rint(behind).astype(np.int64)
    return normalised(coarse[k >> FINE_BITS] * fine[k & ((1 << FINE_BITS) - 1)])


def portable_head(head: Head, bound: Array) -> PortableHead:
    """The portable form of a head of one element; raises InputError, naming it, where there is none.

    head: the head.
    bound: largest absolute value of each feature, shape (H,).
    """
    if type(head) not in FORMS:
        raise InputError(f"a {type(head).__name__} has no portable form")
    return FORMS[type(head)](head, bound)


def _linear(linear: nn.Linear, bound: Array) -> ExactLinear:
    return ExactLinear(linear.weight, linear.bias, bound)


def _bernoulli(head: BernoulliHead, bound: Array) -> PortableHead:
    linear = _linear(head.linear, bound)
    return lambda h: PortableMass(softmax(np.concatenate([np.zeros((len(h), 1)), linear.of(h)], 1)))


def _categorical(head: CategoricalHead, bound: Array) -> PortableHead:
    if head.soft_cap is not None:
        raise InputError("a CategoricalHead with a soft cap has no portable form")
    linear = _linear(head.linear, bound)
    return lambda h: PortableMass(softmax(linear.of(h)))


def _first_logits(head: FirstLogitsHead | LogitsHead, bound: Array) -> PortableHead:
    return lambda h: PortableMass(softmax(np.ascontiguousarray(h[:, : head.num_symbols])))


def _rare(head: RareHead, bound: Array) -> PortableHead:
    linear = _linear(head.linear, bound)
    rare = head.symbols - head.linear.out_features + 1

    def at(h: Array) -> Distribution:
        q = softmax(linear.of(h))
        return PortableMass(np.concatenate([q[:, :-1], np.repeat(q[:, -1:] / rare, rare, 1)], 1))

    return at


def _missing(head: MissingHead, bound: Array) -> PortableHead:
    linear, value = _linear(head.linear, bound), portable_head(head.head, bound)
    return lambda h: PortableMissing(on_grid(linear.of(h))[:, 0], value(h))


def _blend(head: BlendHead, bound: Array) -> PortableHead:
    gate, parts = _linear(head.gate, bound), [portable_head(part, bound) for part in head.heads]
    return lambda h: PortableAverage([part(h) for part in parts], softmax(gate.of(h)))


def _levels(head: LogisticMixtureHead, bound: Array) -> PortableHead:
    linear = _linear(head.mixture.linear, bound)
    return lambda h: PortableMass(level_masses(linear.of(h), head.levels, softmax))


def _counts(head: CountHead, bound: Array) -> PortableHead:
    linear = _linear(head.mixture.linear, bound)
    return lambda h: PortableCount(linear.of(h), softmax)


def _gaussians(head: GaussianMixtureHead, bound: Array) -> PortableHead:
    linear, at = _linear(head.mixture.linear, bound), gaussians_of(head, softmax)
    return lambda h: at(linear.of(h))


def _scores(head: ScoresHead, bound: Array) -> PortableHead:
    linear, at = _linear(head.mixture.linear, bound), scores_of(head, softmax)
    return lambda h: at(linear.of(h))


FORMS: dict[type[Head], Callable[..., PortableHead]] = {
    BernoulliHead: _bernoulli,
    CategoricalHead: _categorical,
    FirstLogitsHead: _first_logits,
    LogitsHead: _first_logits,
    RareHead: _rare,
    MissingHead: _missing,
    BlendHead: _blend,
    LogisticMixtureHead: _levels,
    CountHead: _counts,
    GaussianMixtureHead: _gaussians,
    ScoresHead: _scores,
}
