"""Heads: features -> distribution of x_d. One file a head."""

from chainrule.heads.base import Distribution, Head
from chainrule.heads.bernoulli import Bernoulli, BernoulliHead
from chainrule.heads.categorical import Categorical, CategoricalHead
from chainrule.heads.filtered import Filter

__all__ = [
    "Bernoulli",
    "BernoulliHead",
    "Categorical",
    "CategoricalHead",
    "Distribution",
    "Filter",
    "Head",
]
