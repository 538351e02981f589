"""chainrule: autoregressive models by their exact log-likelihood.

    ln p(x) = sum over d of ln p(x_d | x_<d)

The names below are imported on first use, so that `import chainrule` stays quick.
"""

from __future__ import annotations

from importlib import import_module

from chainrule.config.old_names import NAMES, OldModules, old_attributes

TYPE_CHECKING = False  # true for a type checker; to import `typing` would take longer than all else here
if TYPE_CHECKING:
    from typing import Any

    from chainrule.batch import Batch as Batch
    from chainrule.data.recognition.load import load as load
    from chainrule.domain import Domain as Domain
    from chainrule.errors import InputError as InputError
    from chainrule.estimators.classifier import ARMClassifier as ARMClassifier
    from chainrule.estimators.density import ARMDensity as ARMDensity
    from chainrule.estimators.novelty import ARMNovelty as ARMNovelty
    from chainrule.heads.adaptive_softmax import AdaptiveSoftmaxHead as AdaptiveSoftmaxHead
    from chainrule.heads.bernoulli import BernoulliHead as BernoulliHead
    from chainrule.heads.categorical import CategoricalHead as CategoricalHead
    from chainrule.heads.channel_chain import ChannelChainHead as ChannelChainHead
    from chainrule.heads.columns import ColumnsHead as ColumnsHead
    from chainrule.heads.count import CountHead as CountHead
    from chainrule.heads.gaussian_mixture import GaussianMixtureHead as GaussianMixtureHead
    from chainrule.heads.hierarchical_softmax import HierarchicalSoftmaxHead as HierarchicalSoftmaxHead
    from chainrule.heads.logistic_mixture import LogisticMixtureHead as LogisticMixtureHead
    from chainrule.heads.missing import MissingHead as MissingHead
    from chainrule.heads.rare import RareHead as RareHead
    from chainrule.heads.sampled_softmax import SampledSoftmaxHead as SampledSoftmaxHead
    from chainrule.likelihood import LogLikelihood as LogLikelihood
    from chainrule.models.chain import AutoregressiveModel as AutoregressiveModel
    from chainrule.models.order_mixture import OrderMixture as OrderMixture
    from chainrule.models.permuted import PermutedModel as PermutedModel
    from chainrule.networks.causal_conv import CausalConv as CausalConv
    from chainrule.networks.made import MADE as MADE
    from chainrule.networks.nade import NADE as NADE
    from chainrule.networks.pixelcnn import PixelCNN as PixelCNN
    from chainrule.networks.recurrent import Recurrent as Recurrent
    from chainrule.networks.transformer import Transformer as Transformer
    from chainrule.reproduction.reproduce import reproduce as reproduce
    from chainrule.runs.compare import compare as compare
    from chainrule.runs.compress import compress as compress
    from chainrule.runs.decompress import decompress as decompress
    from chainrule.runs.fit import fit as fit
    from chainrule.runs.import_model import import_model as import_model
    from chainrule.runs.plan import plan as plan
    from chainrule.runs.run import Run as Run
    from chainrule.training.objective import ARMLogLikelihood as ARMLogLikelihood
    from chainrule.verification.certificate.verify import verify as verify
    from chainrule.verification.wrap import wrap as wrap

__version__ = "0.1.0"

# Every public name and the file it stands in: what a user does, then the parts.
PUBLIC = {
    "load": "chainrule.data.recognition.load",
    "plan": "chainrule.runs.plan",
    "fit": "chainrule.runs.fit",
    "Run": "chainrule.runs.run",
    "compare": "chainrule.runs.compare",
    "compress": "chainrule.runs.compress",
    "decompress": "chainrule.runs.decompress",
    "import_model": "chainrule.runs.import_model",
    "reproduce": "chainrule.reproduction.reproduce",
    "verify": "chainrule.verification.certificate.verify",
    "wrap": "chainrule.verification.wrap",
    "ARMClassifier": "chainrule.estimators.classifier",
    "ARMDensity": "chainrule.estimators.density",
    "ARMNovelty": "chainrule.estimators.novelty",
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
    "MADE": "chainrule.networks.made",
    "MissingHead": "chainrule.heads.missing",
    "NADE": "chainrule.networks.nade",
    "OrderMixture": "chainrule.models.order_mixture",
    "PermutedModel": "chainrule.models.permuted",
    "PixelCNN": "chainrule.networks.pixelcnn",
    "RareHead": "chainrule.heads.rare",
    "Recurrent": "chainrule.networks.recurrent",
    "SampledSoftmaxHead": "chainrule.heads.sampled_softmax",
    "Transformer": "chainrule.networks.transformer",
}

__all__ = list(PUBLIC)

OldModules.install()


def __getattr__(name: str) -> Any:
    if name in NAMES[__name__]:
        return old_attributes(__name__)(name)
    if name not in PUBLIC:
        raise AttributeError(f"module 'chainrule' has no attribute {name!r}; it has {', '.join(PUBLIC)}")
    return getattr(import_module(PUBLIC[name]), name)


def __dir__() -> list[str]:
    return [*PUBLIC, *(name for name in globals() if name not in PUBLIC)]
