"""A specification -> a model: the one place where a string stands for a class.

A model's configuration is plain JSON, `{"network": {"name": ..., ...}, "head": {"name": ..., ...}}`; names come from
the tables `networks/table.py` and `heads/table.py`, never from an import path. Nothing here imports torch before a part
is built.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from inspect import Parameter, signature
from typing import TYPE_CHECKING, Any

from chainrule.config.fitted_models import BUILDERS, built_part
from chainrule.errors import InputError, unknown_name
from chainrule.heads.table import HEADS
from chainrule.networks.table import NETWORKS

if TYPE_CHECKING:
    from chainrule.domain import Column, Domain
    from chainrule.heads.average import AverageHead
    from chainrule.heads.base import Head
    from chainrule.models.base import Model
    from chainrule.models.chain import AutoregressiveModel
    from chainrule.networks.ensemble import EnsembleNetwork

__all__ = [
    "EXPERTS",
    "HEADS",
    "NETWORKS",
    "Spec",
    "averaged",
    "averaged_parts",
    "build_model",
    "fitted_by_gradients",
    "part_options",
    "sorts_contexts",
]

Spec = dict[str, Any]

PARTS = {"network": NETWORKS, "head": HEADS}
EXPERTS = (
    "boosted_trees",
    "chow_liu",
    "joint_gaussians",
    "kernels",
    "ngram",
)  # networks fitted without gradients that can stand beside one that is trained
WHOLE_ROWS = ("joint_gaussians", "kernels")  # networks of tables that are told what the columns are
MOST_LEVELS = 256  # of a column that have a logit each beside a smooth mixture
FREQUENT = 63  # symbols of a column with a logit of their own; the rarer ones share a bucket


def _part(kind: str, name: str) -> Any:
    """The class of a network or a head by name."""
    if name not in PARTS[kind]:
        raise unknown_name(kind, name, PARTS[kind])
    # the table of names: the file and the class in it
    return getattr(import_module(f"chainrule.{kind}s.{name}"), PARTS[kind][name][0])


def part_options(kind: str, name: str) -> dict[str, Any]:
    """The options of a network or head by name, with their defaults; those that the data decides are left out.

    >>> part_options("network", "causal_conv")["kernel_size"]
    3
    """
    decided = {"num_symbols", "shape", "features", "ordinal", "num_classes", "context_size", "counts", "column"}
    decided |= {"heads"} if name == "columns" else set()
    decided |= {"columns", "marginals"} if name in WHOLE_ROWS else set()
    parameters = signature(_part(kind, name)).parameters.values()
    return {p.name: None if p.default is Parameter.empty else p.default for p in parameters if p.name not in decided}


def fitted_by_gradients(network: str | None) -> bool:
    """Whether a network, by name, is trained by an optimizer; None stands for a default, which is."""
    return network is None or bool(_part("network", network).fitted_by_gradients)


def sorts_contexts(network: str) -> bool:
    """Whether a network, by name, says the kind of a context, by which an average can weigh its members."""
    return bool(_part("network", network).sorts_contexts)


def build_model(spec: Spec, domain: Domain, context: dict[str, int] | None = None) -> Model:
    """The model that a specification describes, with random weights, for elements of a domain.

    spec: names and options of the network and the head. With "members": K, the average of the conditionals of K such
        models, a chain again; with "experts": [SPEC, ...], of these models, too, with a weight for each, and with
        "gated": true with weights by context, with "hindsight": true by what each has said of the elements before. With
        "orders": O, the mixture over O orders: a MADE serves `random_orders(D, O, seed=0)` with one set of weights; of
        any other network there is one model per order, for the first O `scan_orders`.
    domain: what each element may be, and the shape of an example.
    context: for p(x | c), the `num_classes` or the `context_size` of c.

    Raises InputError for unknown names and options, for options that the part refuses, for a head that orders cannot
    share, and for scans of examples that are not images.

    >>> from chainrule.domain import Domain
    >>> spec = {"network": {"name": "pixelcnn", "width": 8, "depth": 1}, "head": {"name": "categorical"}, "orders": 4}
    >>> mixture = build_model(spec, Domain((2, 3), 5))
    >>> len(mixture.chains), mixture.orders.tolist()[3]
    (4, [5, 4, 3, 2, 1, 0])
    """
    experts = [_chain(expert, domain, context) for expert in spec.get("experts", ())]
    members = [_chain(spec, domain, context) for _ in range(spec.get("members", 1))] + experts
    by = "context" if spec.get("gated") else "hindsight" if spec.get("hindsight") else "none"
    first = averaged(members, bool(experts), by) if len(members) > 1 else members[0]
    if "orders" not in spec:
        return first
    from chainrule.models.order_mixture import OrderMixture
    from chainrule.models.permuted import random_orders, scan_orders

    if spec["network"]["name"] == "made":
        return OrderMixture(first, random_orders(first.length, spec["orders"]))
    others = [_chain(spec, domain, context) for _ in range(spec["orders"] - 1)]
    return OrderMixture([first, *others], scan_orders(domain.shape)[: spec["orders"]])


def _chain(spec: Spec, domain: Domain, context: dict[str, int] | None) -> AutoregressiveModel:
    """One network and one head."""
    from chainrule.models.chain import AutoregressiveModel

    network, network_part = _options("network", spec)
    head, head_part = _options("head", spec)
    if network_part.takes_levels:
        network["ordinal"] = domain.ordinal
    if context and not network_part.takes_context:
        raise InputError(f"the network {spec['network']['name']!r} takes no context; use another, or leave out --given")
    if (builder := BUILDERS.get(spec["network"]["name"])) is not None:
        return builder(spec["head"]["name"], domain, network, head)
    built = built_part(network_part, domain.num_symbols, domain.shape, **network, **(context or {}))
    if spec["head"]["name"] == "columns":
        numbers = head.get("numbers", "mixtures")
        return AutoregressiveModel(built, built_part(head_part, _column_heads(domain, built.features, numbers), **head))
    return AutoregressiveModel(built, built_part(head_part, built.features, domain.num_symbols, **head))


def _options(kind: str, spec: Spec) -> tuple[dict[str, Any], Any]:
    """The options of a part in a specification, all of them known, and its class."""
    options = dict(spec[kind])
    name = options.pop("name")
    part = _part(kind, name)
    known = part_options(kind, name)
    for option in options:
        if option not in known:
            raise unknown_name(f"option of the {kind} {name!r}", option, known)
    return options, part


def averaged(
    models: Sequence[AutoregressiveModel], weighted: bool = False, weights_by: str = "none"
) -> AutoregressiveModel:
    """The ensemble p(x_d | x_<d) = sum_k w_k p_k(x_d | x_<d) of models over the same elements: a model again.

    models: its members.
    weighted: whether the weights can be set (`AverageHead.weigh`); otherwise they are equal.
    weights_by: what the weights depend on: "none", "context" (`ContextGate.weigh`), or "hindsight" (`Hindsight.weigh`).
    """
    from chainrule.models.chain import AutoregressiveModel

    return AutoregressiveModel(*averaged_parts(models, weighted, weights_by))


def averaged_parts(
    models: Sequence[AutoregressiveModel], weighted: bool = False, weights_by: str = "none"
) -> tuple[EnsembleNetwork, AverageHead]:
    """The network and the head of `averaged`."""
    from chainrule.heads.average import AverageHead
    from chainrule.networks.ensemble import EnsembleNetwork

    heads, in_features = [m.head for m in models], weights_by != "none"
    return (
        EnsembleNetwork(
            [m.network for m in models], weights_by == "context", heads if weights_by == "hindsight" else ()
        ),
        AverageHead(heads, weighted and not in_features, in_features),
    )


def _column_heads(domain: Domain, features: int, numbers: str) -> list[Any]:
    """A head for each column of a row, by what it may hold. numbers: see `ColumnsHead`."""
    from chainrule.heads.blend import BlendHead
    from chainrule.heads.categorical import CategoricalHead
    from chainrule.heads.logistic_mixture import LogisticMixtureHead
    from chainrule.heads.missing import MissingHead
    from chainrule.heads.rare import RareHead

    if not domain.columns:
        raise InputError("a columns head is for the rows of a table; this data has elements of one kind")
    heads: list[Any] = []
    for column in domain.columns:
        if column.num_symbols is None:
            head: Head = _number_head(column, features, numbers)
        elif column.ordinal and column.num_symbols > 16:
            head = LogisticMixtureHead(features, column.num_symbols)
            if numbers != "mixtures" and column.num_symbols <= MOST_LEVELS:  # levels that people prefer
                head = BlendHead([head, CategoricalHead(features, column.num_symbols)])
        elif column.num_symbols > FREQUENT + 1:
            head = RareHead(features, column.num_symbols, frequent=FREQUENT)
        else:
            head = CategoricalHead(features, column.num_symbols)
        heads.append(MissingHead(head) if column.missing else head)
    return heads


def _number_head(column: Column, features: int, numbers: str) -> Head:
    """The head of a column of numbers. numbers: see `ColumnsHead`."""
    from chainrule.heads.blend import BlendHead
    from chainrule.heads.count import CountHead
    from chainrule.heads.gaussian_mixture import GaussianMixtureHead
    from chainrule.heads.scores import ScoresHead

    if numbers == "scores":
        return ScoresHead(features, resolution=column.resolution, naturals=column.count)
    mixture = CountHead(features) if column.count else GaussianMixtureHead(features, resolution=column.resolution)
    if numbers == "mixtures":
        return mixture
    return BlendHead([mixture, ScoresHead(features, resolution=column.resolution, naturals=column.count)])
