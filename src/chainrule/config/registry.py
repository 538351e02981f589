"""Names -> parts: the one place where a string stands for a class.

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
    from chainrule.models.chain import AutoregressiveModel
    from chainrule.models.order_mixture import Density

__all__ = [
    "HEADS",
    "NETWORKS",
    "Spec",
    "averaged",
    "build_model",
    "over_orders",
    "part_options",
]

Spec = dict[str, Any]

NETWORKS = {
    "causal_conv": "chainrule.networks.causal_conv:CausalConv",
    "huggingface": "chainrule.networks.huggingface:from_config",
    "made": "chainrule.networks.made:MADE",
    "nade": "chainrule.networks.nade:NADE",
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
    "logits": "chainrule.heads.logits:LogitsHead",
    "sampled_softmax": "chainrule.heads.sampled_softmax:SampledSoftmaxHead",
}

FREQUENT = 63  # symbols of a column with a logit of their own; the rarer ones share a bucket


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


def build_model(spec: Spec, domain: Domain, context: dict[str, int] | None = None) -> AutoregressiveModel:
    """The model that a specification describes, for elements of a domain.

    spec: with "members", an ensemble of so many models of one network and head; "orders" are the business of
    `over_orders`, which takes this model. context: for p(x | c), the
    `num_classes` or the `context_size` of what is given.

    Raises InputError for unknown names and options and for options that the part refuses.
    """
    from chainrule.models.chain import AutoregressiveModel

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
    from chainrule.models.chain import AutoregressiveModel
    from chainrule.networks.ensemble import EnsembleNetwork

    return AutoregressiveModel(EnsembleNetwork([m.network for m in models]), AverageHead([m.head for m in models]))


def over_orders(
    model: AutoregressiveModel, spec: Spec, domain: Domain, context: dict[str, int] | None = None
) -> Density:
    """With "orders": O in its specification, the mean p(x) = (1/O) sum_o p_o(x) over O orders; else the model itself.

    A MADE serves them all, the orders are then `random_orders(D, O, seed=0)`. Of any other network there are O models,
    this one and others like it, for the first O `scan_orders` of an image.

    Raises InputError for a head that orders cannot share, and for scans of what is no image.

    >>> from chainrule.domain import Domain
    >>> spec = {"network": {"name": "pixelcnn", "width": 8, "depth": 1}, "head": {"name": "categorical"}, "orders": 4}
    >>> density = over_orders(build_model(spec, Domain((2, 3), 5)), spec, Domain((2, 3), 5))
    >>> len(density.models), density.orders.tolist()[3]
    (4, [5, 4, 3, 2, 1, 0])
    """
    from chainrule.models.order_mixture import OrderMixture
    from chainrule.models.permuted import random_orders, scan_orders

    if "orders" not in spec:
        return model
    if spec["network"]["name"] == "made":
        return OrderMixture(model, random_orders(model.network.length, spec["orders"]))
    alone = {part: spec[part] for part in ("network", "head")}
    others = [build_model(alone, domain, context) for _ in range(spec["orders"] - 1)]
    return OrderMixture([model, *others], scan_orders(domain.shape)[: spec["orders"]])


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
