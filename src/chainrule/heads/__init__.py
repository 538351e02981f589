"""Heads: features -> distribution of x_d. One file a head."""

from chainrule.heads.adaptive_softmax import AdaptiveSoftmax, AdaptiveSoftmaxHead
from chainrule.heads.average import Average, AverageHead
from chainrule.heads.base import Distribution, Head
from chainrule.heads.bernoulli import Bernoulli, BernoulliHead
from chainrule.heads.categorical import Categorical, CategoricalHead, LazyCategorical
from chainrule.heads.channel_chain import ChannelChain, ChannelChainHead
from chainrule.heads.columns import Columns, ColumnsHead
from chainrule.heads.count import Count, CountHead
from chainrule.heads.filtered import Filter
from chainrule.heads.gaussian_mixture import GaussianMixture, GaussianMixtureHead
from chainrule.heads.hierarchical_softmax import HierarchicalSoftmax, HierarchicalSoftmaxHead
from chainrule.heads.logistic_mixture import LogisticMixture, LogisticMixtureHead
from chainrule.heads.logits import LogitsHead
from chainrule.heads.missing import Missing, MissingHead
from chainrule.heads.rare import Rare, RareHead
from chainrule.heads.sampled_softmax import SampledSoftmaxHead

__all__ = [
    "AdaptiveSoftmax",
    "AdaptiveSoftmaxHead",
    "Average",
    "AverageHead",
    "Bernoulli",
    "BernoulliHead",
    "Categorical",
    "CategoricalHead",
    "ChannelChain",
    "ChannelChainHead",
    "Columns",
    "ColumnsHead",
    "Count",
    "CountHead",
    "Distribution",
    "Filter",
    "GaussianMixture",
    "GaussianMixtureHead",
    "Head",
    "HierarchicalSoftmax",
    "HierarchicalSoftmaxHead",
    "LazyCategorical",
    "LogisticMixture",
    "LogisticMixtureHead",
    "LogitsHead",
    "Missing",
    "MissingHead",
    "Rare",
    "RareHead",
    "SampledSoftmaxHead",
]
