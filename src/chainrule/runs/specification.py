"""From options and data to what is trained: the model's specification, the training settings, the number of members.

What the options do not say comes from the defaults of the kind of data, see `config.defaults`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import numpy as np

from chainrule.config.default_experts import default_experts, default_quick
from chainrule.config.defaults import (
    COMMON_START,
    Amount,
    default_members,
    default_spec,
    default_training,
)
from chainrule.config.model_options import MOST_MEMBERS, MOST_ORDERS, ModelOptions
from chainrule.config.option import options_of
from chainrule.config.registry import EXPERTS, Spec, fitted_by_gradients, part_options
from chainrule.data.encodings.data_set import DataSet
from chainrule.errors import InputError, unknown_name
from chainrule.models.permuted import scan_orders
from chainrule.training.settings import TrainingSettings

__all__ = ["experts_of", "members_of", "quick_of", "specification"]

DECIDES = ("steps", "network", "members", "orders")  # who gives one of these gets what it says, and no expert beside
NOT_FOR_TEXTS = {"boosted_trees": "boosted trees are", "chow_liu": "a Chow-Liu tree is"}
MOST_LOOKED_AT = 2000  # rows in which what is usual is looked for
READ_BY_ALL = {"seed", "engine", "checkpoint_every", "keep"}  # settings that every kind of network reads


def specification(options: Mapping[str, Any], data: DataSet) -> tuple[Spec, TrainingSettings]:
    """The model's specification and the training settings: given options over the defaults of the kind of data."""
    spec = _model(options, data)
    return spec, _settings(options, spec, data)


def members_of(options: Mapping[str, Any], data: DataSet) -> int:
    """The number of models whose conditionals are averaged: as given, else by the kind of data and the time.

    Orders are a mixture of their own, over one set of weights or one model each.
    """
    for name, most in (("members", MOST_MEMBERS), ("orders", MOST_ORDERS)):
        if options.get(name, 1) > most:
            raise InputError(f"--{name} {options[name]}: at most {most:,} are taken; take fewer")
    if "orders" in options:
        if (members := options.get("members", 1)) != 1:
            raise InputError(f"--members {members} averages conditionals, --orders whole examples; give one of the two")
        return 1
    if not fitted_by_gradients(_network_name(options)):
        return int(options.get("members", 1))
    default = default_members(data.encoding.group, options.get("minutes", 0.0), _document_length(data))
    return int(options.get("members", default))


def experts_of(options: Mapping[str, Any], data: DataSet) -> tuple[str, ...]:
    """The networks fitted without gradients that are averaged with the network, by name: as given, else by the kind.

    Whoever gives --steps, --network, --members or --orders decides alone; nothing is fitted beside that, either, where
    there is no validation to find its weight on, and for p(x | c).
    """
    given = options.get("experts")
    _refuse_without_valid(_network_name(options), data)
    if given is None:
        if _decides_alone(options, data):
            return ()
        return default_experts(data.encoding.group, data.encoding.domain, len(data.train))
    if given == "none":
        return ()
    names = tuple(name.strip() for name in given.split(","))
    for name in names:
        if name not in EXPERTS:
            raise unknown_name("expert", name, (*EXPERTS, "none"))
        _refuse_without_valid(name, data)
        if name == _network_name(options):
            raise InputError(f"{name} is the network already; leave out --experts, or --network")
    if "orders" in options:
        raise InputError("--experts averages conditionals, --orders whole examples; give one of the two")
    return names


def quick_of(options: Mapping[str, Any], data: DataSet) -> str | None:
    """The network that is averaged with the default where the minutes are few and there are no experts, by name."""
    if "minutes" not in options or "experts" in options or _decides_alone(options, data):
        return None
    return default_quick(data.encoding.group, data.encoding.domain, _is_written(data))


def _decides_alone(options: Mapping[str, Any], data: DataSet) -> bool:
    """Whether nothing is fitted but what the options say."""
    return any(name in options for name in DECIDES) or not len(data.valid) or bool(data.encoding.context_options)


def _is_written(data: DataSet) -> bool:
    """Whether elements are the symbols of a text or of documents, and nothing is given beside them."""
    return data.encoding.kind in ("text", "documents") and not data.encoding.context_options


def _refuse_without_valid(name: str | None, data: DataSet) -> None:
    """Refuse what needs validation examples where there are none."""
    if name in EXPERTS and not len(data.valid):
        raise InputError(
            f"{name} needs a valid split, which says when to stop and how much it counts, and {data.name} has none; "
            "give it a share, such as --split 80/10/10, or take another network"
        )


def _model(options: Mapping[str, Any], data: DataSet) -> Spec:
    tables = {part: options.get(part, {}) for part in ("network", "head")}
    tables = {part: {"name": table} if isinstance(table, str) else table for part, table in tables.items()}
    kind = data.encoding.group
    network = tables["network"].get("name")
    if "orders" in options and kind != "image":
        network = network or "made"
    amount = Amount(
        examples=len(data.train),
        elements=_document_length(data),
        minutes=options.get("minutes", 0.0) / members_of(options, data),
        written=_is_written(data),
        pixel_block=data.encoding.pixel_block,
        unusual=_unusual(data) if kind == "row" and network is None else 1.0,
    )
    if network in NOT_FOR_TEXTS and kind == "text":
        raise InputError(f"{NOT_FOR_TEXTS[network]} for rows and small images, not for texts; take another network")
    spec = default_spec(data.encoding.domain, kind, network, tables["head"].get("name"), amount)
    for part, table in tables.items():
        spec[part] |= table
    for name in ("width", "depth", "dropout"):
        if name in options:
            if name not in part_options("network", spec["network"]["name"]):
                raise InputError(f"the network {spec['network']['name']!r} has no {name}; leave the option out")
            spec["network"][name] = options[name]
    for stated in options_of(ModelOptions):
        if stated.name in ("width", "depth", "dropout") and spec["network"].get(stated.name) is not None:
            stated.refuse_unless_valid(spec["network"][stated.name])
    if "orders" in options:
        spec["orders"] = _orders(options["orders"], spec, data)
    return spec


def _network_name(options: Mapping[str, Any]) -> str | None:
    """The network that the options name, None for that of the kind of data."""
    network = options.get("network")
    return network.get("name") if isinstance(network, dict) else network


def _settings(options: Mapping[str, Any], spec: Spec, data: DataSet) -> TrainingSettings:
    defaults = default_training(data.encoding.group, len(data.train), _mean_length(data))
    if "orders" in spec and spec["network"]["name"] != "made":  # each of the models has the steps of one
        defaults = defaults | {name: defaults[name] * spec["orders"] for name in ("steps", "evaluate_every")}
        defaults["common_start"] = COMMON_START
    given = {name: options[name] for name in TrainingSettings.names() if name in options}
    if not fitted_by_gradients(name := spec["network"]["name"]):
        usual = asdict(TrainingSettings(**defaults))
        if unread := sorted(n for n in given.keys() - READ_BY_ALL if given[n] != usual[n]):
            raise InputError(f"{name} is fitted without gradients and does not read {unread[0]}; leave the option out")
    if "steps" in given:
        defaults = defaults | {"epochs": None}  # a number of steps that is given is taken
    if "prior" in given:
        defaults = defaults | {"weight_decay": 0.0}  # decay beside a prior would move its optimum
    return TrainingSettings(**(defaults | given))


def _orders(orders: int, spec: Spec, data: DataSet) -> int:
    """The number of orders, where the network and the data allow it: any that a MADE serves, or scans of an image."""
    domain = data.encoding.domain
    if domain.variable_length:
        raise InputError(
            f"--orders needs examples of one length, those of {data.name} differ in theirs; leave it out, for orders "
            "permute the elements of whole examples"
        )
    if (name := spec["network"]["name"]) == "made":
        return orders
    if data.encoding.group != "image":
        raise InputError(f"--orders needs --network made, whose weights all orders share, got {name!r}; change one")
    if orders > (most := len(scan_orders(domain.shape))):
        raise InputError(
            f"--orders {orders}: an image of shape {domain.shape} is scanned in {most} ways; take at most {most}, or "
            "--network made, which reads any order"
        )
    return orders


def _unusual(data: DataSet) -> float:
    """The share of elements that have not the most frequent symbol of their column; 1 for numbers."""
    if not len(data.train):
        return 1.0
    some = np.unique(np.linspace(0, len(data.train) - 1, min(len(data.train), MOST_LOOKED_AT)).astype(np.int64))
    x = data.train.batch(some).x
    return 1.0 if x.is_floating_point() else float((x != x.mode(0).values).double().mean())


def _document_length(data: DataSet) -> float:
    """Mean number of elements per document; 0 for other data, and for windows of a stream, which are not examples."""
    return _mean_length(data) if data.encoding.kind == "documents" else 0.0


def _mean_length(data: DataSet) -> float:
    """Mean number of elements per training example, or per window of one."""
    lengths = data.train.row_lengths
    return float(data.encoding.domain.length) if lengths is None else float(lengths.sum() / len(lengths))
