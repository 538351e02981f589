"""The table of heads: one line per head, the file and the classes in it. Nothing is imported before it is used."""

from __future__ import annotations

__all__ = ["FACE", "HEADS", "INNER_HEADS"]

# file, which is the name in a configuration -> the head, and its distributions if they are its own
HEADS: dict[str, tuple[str, ...]] = {
    "adaptive_softmax": ("AdaptiveSoftmaxHead", "AdaptiveSoftmax"),
    "bernoulli": ("BernoulliHead", "Bernoulli"),
    "categorical": ("CategoricalHead", "Categorical", "LazyCategorical"),
    "channel_chain": ("ChannelChainHead", "ChannelChain"),
    "columns": ("ColumnsHead", "Columns"),
    "decisions": ("DecisionsHead", "Decisions"),
    "hierarchical_softmax": ("HierarchicalSoftmaxHead", "HierarchicalSoftmax"),
    "logistic_mixture": ("LogisticMixtureHead", "LogisticMixture"),
    "logits": ("LogitsHead",),
    "sampled_softmax": ("SampledSoftmaxHead",),
}

# heads that a configuration does not name: `columns` and the averages of models are made of them
INNER_HEADS: dict[str, tuple[str, ...]] = {
    "average": ("AverageHead", "Average"),
    "blend": ("BlendHead",),
    "count": ("CountHead", "Count"),
    "first_logits": ("FirstLogitsHead",),
    "gaussian_mixture": ("GaussianMixtureHead", "GaussianMixture"),
    "joint": ("JointGaussiansHead",),
    "kernels": ("KernelsHead",),
    "missing": ("MissingHead", "Missing"),
    "rare": ("RareHead", "Rare"),
    "scores": ("ScoresHead", "Scores"),
}

FACE = {"base": ("Distribution", "Head"), "filtered": ("Filter",)} | HEADS | INNER_HEADS
