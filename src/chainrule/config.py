"""Names -> parts: the one place where a string stands for a class; and the defaults for each kind of data.

A model's configuration is plain JSON, `{"network": {"name": ..., ...}, "head": {"name": ..., ...}}`; names come from
the registries below, never from an import path. Nothing here imports torch before a part is built.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from inspect import Parameter, signature
from typing import TYPE_CHECKING, Any

from chainrule.domain import Domain
from chainrule.errors import InputError, unknown_name

if TYPE_CHECKING:
    from chainrule.heads.base import Head
    from chainrule.model import AutoregressiveModel

__all__ = [
    "DEFAULTS",
    "HEADS",
    "NETWORKS",
    "Spec",
    "averaged",
    "build_model",
    "default_spec",
    "kind_of",
    "part_options",
]

Spec = dict[str, Any]

NETWORKS = {
    "causal_conv": "chainrule.networks.causal_conv:CausalConv",
    "made": "chainrule.networks.made:MADE",
    "pixelcnn": "chainrule.networks.pixelcnn:PixelCNN",
    "recurrent": "chainrule.networks.recurrent:Recurrent",
    "transformer": "chainrule.networks.transformer:Transformer",
}

HEADS = {
    "adaptive_softmax": "chainrule.heads.adaptive_softmax:AdaptiveSoftmaxHead",
    "bernoulli": "chainrule.heads.bernoulli:BernoulliHead",
    "categorical": "chainrule.heads.categorical:CategoricalHead",
    "channel_chain": "chainrule.heads.channel_chain:ChannelChainHead",
    "columns": "chainrule.heads.columns:ColumnsHead",
    "hierarchical_softmax": "chainrule.heads.hierarchical_softmax:HierarchicalSoftmaxHead",
    "logistic_mixture": "chainrule.heads.logistic_mixture:LogisticMixtureHead",
    "sampled_softmax": "chainrule.heads.sampled_softmax:SampledSoftmaxHead",
}

FREQUENT = 63  # symbols of a column with a logit of their own; the rarer ones share a bucket

# By kind of data: an image has rows and columns, a text or sequence a stream of symbols, anything else a row.
DEFAULTS: dict[str, dict[str, Spec]] = {
    "image": {
        "network": {"name": "pixelcnn", "width": 48, "depth": 3, "dropout": 0.6},
        "training": {"steps": 700, "batch_size": 50, "learning_rate": 3e-3, "evaluate_every": 50},
    },
    "text": {
        "network": {"name": "transformer", "width": 128, "depth": 4, "heads": 4, "dropout": 0.1},
        "training": {
            "steps": 2000,
            "batch_size": 16,
            "normalisation": "per_element",
            "optimizer": "muon",
            "learning_rate": 1e-2,
            "evaluate_every": 250,
        },
    },
    "row": {
        "network": {
            "name": "transformer",
            "width": 64,
            "depth": 3,
            "heads": 4,
            "positions": True,
            "dropout": 0.1,
        },
        "training": {"steps": 2000, "batch_size": 64, "learning_rate": 2e-3},
    },
}

# What a time budget of so many minutes a model pays for; the figures behind it stand in docs/experiments.md.
LARGER: dict[str, tuple[float, Spec]] = {"text": (15.0, {"width": 192, "depth": 5})}


def kind_of(domain: Domain, encoding: str) -> str:
    """The kind of data that the defaults go by: "image", "text" or "row"."""
    if encoding in ("text", "documents", "sequences", "sets"):
        return "text"
    return "image" if len(domain.shape) > 1 else "row"


def _part(kind: str, name: str, registry: dict[str, str]) -> Any:
    if name not in registry:
        raise unknown_name(kind, name, registry)
    module, _, attribute = registry[name].partition(":")
    return getattr(import_module(module), attribute)


def part_options(kind: str, name: str) -> dict[str, Any]:
    """The options of a network or head by name, with their defaults; what data decides is left out.

    >>> part_options("network", "causal_conv")["kernel_size"]
    3
    """
    part = _part(kind, name, NETWORKS if kind == "network" else HEADS)
    decided = {"num_symbols", "shape", "features", "ordinal", "num_classes", "context_size", "counts"}
    decided |= {"heads"} if name == "columns" else set()
    parameters = signature(part).parameters.values()
    return {p.name: None if p.default is Parameter.empty else p.default for p in parameters if p.name not in decided}


def default_spec(
    domain: Domain, encoding: str, network: str | None = None, head: str | None = None, minutes: float = 0.0
) -> Spec:
    """The network and head for a domain, every option spelt out; names choose others than the default.

    minutes: of a time budget, 0 for none; a long one pays for a larger network.
    """
    kind = kind_of(domain, encoding)
    chosen = DEFAULTS[kind]["network"]
    enough, larger = LARGER.get(kind, (float("inf"), {}))
    if minutes >= enough:
        chosen = chosen | larger
    name = network or chosen["name"]
    options = part_options("network", name)
    kept = {key: value for key, value in chosen.items() if key in options}
    spec: Spec = {"network": {"name": name} | options | kept}
    head = head or ("columns" if domain.columns else "bernoulli" if domain.num_symbols == 2 else "categorical")
    spec["head"] = {"name": head} | part_options("head", head)
    if head == "columns":
        densities = [column.num_symbols is None and column.resolution is None for column in domain.columns]
        spec["head"]["mixed"] = any(densities) and not all(densities)
    return spec


def build_model(spec: Spec, domain: Domain, context: dict[str, int] | None = None) -> AutoregressiveModel:
    """The model that a specification describes, for elements of a domain.

    spec: with "members", an ensemble of so many models of one network and head. context: for p(x | c), the
    `num_classes` or the `context_size` of what is given.

    Raises InputError for unknown names and options and for options that the part refuses.
    """
    from chainrule.model import AutoregressiveModel

    if (members := spec.get("members", 1)) > 1:
        alone = {name: part for name, part in spec.items() if name != "members"}
        return averaged([build_model(alone, domain, context) for _ in range(members)])
    network = dict(spec["network"])
    shape = domain.shape
    network_part = _part("network", name := network.pop("name"), NETWORKS)
    _known("network", name, network)
    if "ordinal" in signature(network_part).parameters:
        network["ordinal"] = domain.ordinal
    head = dict(spec["head"])
    head_part = _part("head", name := head.pop("name"), HEADS)
    _known("head", name, head)
    if context and not context.keys() <= signature(network_part).parameters.keys():
        raise InputError(f"the network {spec['network']['name']!r} takes no context; use another, or leave out --given")
    built = _build(network_part, domain.num_symbols, shape, **network, **(context or {}))
    if name == "columns":
        heads = _column_heads(domain, built.features)
        return AutoregressiveModel(built, _build(head_part, heads, **head))
    return AutoregressiveModel(built, _build(head_part, built.features, domain.num_symbols, **head))


def averaged(models: Sequence[AutoregressiveModel]) -> AutoregressiveModel:
    """The ensemble p(x_d | x_<d) = (1/K) sum_k p_k(x_d | x_<d) of models over the same elements: a model again."""
    from chainrule.heads.average import AverageHead
    from chainrule.model import AutoregressiveModel
    from chainrule.networks.ensemble import EnsembleNetwork

    return AutoregressiveModel(EnsembleNetwork([m.network for m in models]), AverageHead([m.head for m in models]))


def _column_heads(domain: Domain, features: int) -> list[Any]:
    """A head for each column of a row, by what it may hold."""
    from chainrule.heads.categorical import CategoricalHead
    from chainrule.heads.count import CountHead
    from chainrule.heads.gaussian_mixture import GaussianMixtureHead
    from chainrule.heads.logistic_mixture import LogisticMixtureHead
    from chainrule.heads.missing import MissingHead
    from chainrule.heads.rare import RareHead

    if not domain.columns:
        raise InputError("a columns head is for the rows of a table; this data has elements of one kind")
    heads: list[Any] = []
    for column in domain.columns:
        if column.num_symbols is None:
            head: Head = (
                CountHead(features) if column.count else GaussianMixtureHead(features, resolution=column.resolution)
            )
        elif column.ordinal and column.num_symbols > 16:
            head = LogisticMixtureHead(features, column.num_symbols)
        elif column.num_symbols > FREQUENT + 1:
            head = RareHead(features, column.num_symbols, frequent=FREQUENT)
        else:
            head = CategoricalHead(features, column.num_symbols)
        heads.append(MissingHead(head) if column.missing else head)
    return heads


def _known(kind: str, name: str, options: Spec) -> None:
    known = part_options(kind, name)
    for option in options:
        if option not in known:
            raise unknown_name(f"option of the {kind} {name!r}", option, known)


def _build(part: Any, *args: Any, **options: Any) -> Any:
    try:
        return part(*args, **options)
    except TypeError as error:
        raise InputError(f"{part.__name__} cannot be built from {options}: {error}") from error
