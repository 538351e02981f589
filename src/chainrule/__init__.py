"""chainrule: autoregressive models by their exact log-likelihood.

    ln p(x) = sum over d of ln p(x_d | x_<d)

The names below are imported on first use, so that `import chainrule` stays quick.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from chainrule.batch import Batch
    from chainrule.domain import Domain
    from chainrule.errors import InputError
    from chainrule.heads.bernoulli import BernoulliHead
    from chainrule.heads.categorical import CategoricalHead
    from chainrule.likelihood import LogLikelihood
    from chainrule.model import AutoregressiveModel
    from chainrule.networks.causal_conv import CausalConv
    from chainrule.networks.transformer import Transformer
    from chainrule.objective import ARMLogLikelihood

__version__ = "0.1.0"

__all__ = [
    "ARMLogLikelihood",
    "AutoregressiveModel",
    "Batch",
    "BernoulliHead",
    "CategoricalHead",
    "CausalConv",
    "Domain",
    "InputError",
    "LogLikelihood",
    "Transformer",
]

_HOME = {
    "ARMLogLikelihood": "chainrule.objective",
    "AutoregressiveModel": "chainrule.model",
    "Batch": "chainrule.batch",
    "BernoulliHead": "chainrule.heads.bernoulli",
    "CategoricalHead": "chainrule.heads.categorical",
    "CausalConv": "chainrule.networks.causal_conv",
    "Domain": "chainrule.domain",
    "InputError": "chainrule.errors",
    "LogLikelihood": "chainrule.likelihood",
    "Transformer": "chainrule.networks.transformer",
}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'chainrule' has no attribute {name!r}; it has {', '.join(sorted(_HOME))}")
    return getattr(import_module(_HOME[name]), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *_HOME])
