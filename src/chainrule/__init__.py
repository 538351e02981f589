"""chainrule: autoregressive models by their exact log-likelihood.

    ln p(x) = sum over d of ln p(x_d | x_<d)

The names below are imported on first use, so that `import chainrule` stays quick.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from chainrule.config.old_names import NAMES, OldModules, old_attributes

if TYPE_CHECKING:
    from chainrule.batch import Batch
    from chainrule.domain import Domain
    from chainrule.errors import InputError
    from chainrule.heads.adaptive_softmax import AdaptiveSoftmaxHead
    from chainrule.heads.bernoulli import BernoulliHead
    from chainrule.heads.categorical import CategoricalHead
    from chainrule.heads.channel_chain import ChannelChainHead
    from chainrule.heads.columns import ColumnsHead
    from chainrule.heads.count import CountHead
    from chainrule.heads.gaussian_mixture import GaussianMixtureHead
    from chainrule.heads.hierarchical_softmax import HierarchicalSoftmaxHead
    from chainrule.heads.logistic_mixture import LogisticMixtureHead
    from chainrule.heads.missing import MissingHead
    from chainrule.heads.rare import RareHead
    from chainrule.heads.sampled_softmax import SampledSoftmaxHead
    from chainrule.likelihood import LogLikelihood
    from chainrule.models.chain import AutoregressiveModel
    from chainrule.models.order_mixture import OrderMixture
    from chainrule.models.permuted import PermutedModel
    from chainrule.networks.causal_conv import CausalConv
    from chainrule.networks.made import MADE
    from chainrule.networks.nade import NADE
    from chainrule.networks.pixelcnn import PixelCNN
    from chainrule.networks.recurrent import Recurrent
    from chainrule.networks.transformer import Transformer
    from chainrule.training.objective import ARMLogLikelihood
    from chainrule.verification.certificate.verify import verify
    from chainrule.verification.wrap import wrap

__version__ = "0.1.0"

__all__ = [
    "MADE",
    "NADE",
    "ARMLogLikelihood",
    "AdaptiveSoftmaxHead",
    "AutoregressiveModel",
    "Batch",
    "BernoulliHead",
    "CategoricalHead",
    "CausalConv",
    "ChannelChainHead",
    "ColumnsHead",
    "CountHead",
    "Domain",
    "GaussianMixtureHead",
    "HierarchicalSoftmaxHead",
    "InputError",
    "LogLikelihood",
    "LogisticMixtureHead",
    "MissingHead",
    "OrderMixture",
    "PermutedModel",
    "PixelCNN",
    "RareHead",
    "Recurrent",
    "SampledSoftmaxHead",
    "Transformer",
    "verify",
    "wrap",
]

_HOME = {
    "ARMLogLikelihood": "chainrule.training.objective",
    "AdaptiveSoftmaxHead": "chainrule.heads.adaptive_softmax",
    "AutoregressiveModel": "chainrule.models.chain",
    "Batch": "chainrule.batch",
    "BernoulliHead": "chainrule.heads.bernoulli",
    "CategoricalHead": "chainrule.heads.categorical",
    "CausalConv": "chainrule.networks.causal_conv",
    "ChannelChainHead": "chainrule.heads.channel_chain",
    "ColumnsHead": "chainrule.heads.columns",
    "CountHead": "chainrule.heads.count",
    "Domain": "chainrule.domain",
    "GaussianMixtureHead": "chainrule.heads.gaussian_mixture",
    "HierarchicalSoftmaxHead": "chainrule.heads.hierarchical_softmax",
    "InputError": "chainrule.errors",
    "LogLikelihood": "chainrule.likelihood",
    "LogisticMixtureHead": "chainrule.heads.logistic_mixture",
    "MissingHead": "chainrule.heads.missing",
    "MADE": "chainrule.networks.made",
    "NADE": "chainrule.networks.nade",
    "OrderMixture": "chainrule.models.order_mixture",
    "PermutedModel": "chainrule.models.permuted",
    "PixelCNN": "chainrule.networks.pixelcnn",
    "RareHead": "chainrule.heads.rare",
    "Recurrent": "chainrule.networks.recurrent",
    "SampledSoftmaxHead": "chainrule.heads.sampled_softmax",
    "Transformer": "chainrule.networks.transformer",
    "verify": "chainrule.verification.certificate.verify",
    "wrap": "chainrule.verification.wrap",
}


OldModules.install()


def __getattr__(name: str) -> Any:
    if name in NAMES[__name__]:
        return old_attributes(__name__)(name)
    if name not in _HOME:
        raise AttributeError(f"module 'chainrule' has no attribute {name!r}; it has {', '.join(sorted(_HOME))}")
    return getattr(import_module(_HOME[name]), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *_HOME])
