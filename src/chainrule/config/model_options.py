"""The options of `fit` that say what is fitted: network and head, and over what is averaged."""

# ruff: noqa: RUF009  (`option` makes a dataclass field)

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from chainrule.config.option import BELOW_1, MODEL, at_least, between, option
from chainrule.config.registry import EXPERTS, HEADS, NETWORKS

__all__ = ["MOST_MEMBERS", "MOST_ORDERS", "ModelOptions"]

MOST_MEMBERS, MOST_ORDERS = 1000, 100_000  # beyond these the models, or the orders, do not fit memory


@dataclass(frozen=True, kw_only=True)
class ModelOptions:
    """Network and head, and over what is averaged."""

    network: str | dict[str, Any] | None = option(
        None,
        f"name of the network: {', '.join(NETWORKS)}",
        MODEL,
        default_text="by kind of data",
        common=True,
    )
    head: str | dict[str, Any] | None = option(
        None, f"name of the head: {', '.join(HEADS)}", MODEL, default_text="by what an element may be"
    )
    width: int | None = option(
        None, "number of features per element in the network", MODEL, check=at_least(1), common=True
    )
    depth: int | None = option(None, "number of layers of the network", MODEL, check=between(0, 1000), common=True)
    dropout: float | None = option(None, "share of hidden units that are dropped in training", MODEL, check=BELOW_1)
    members: int | None = option(
        None,
        "number of models of seeds SEED, SEED + 1, ... whose conditionals are averaged",
        MODEL,
        check=at_least(1, "4 is a good number"),
        default_text="1; with --minutes, for rows and short texts, as many as get enough passes over the data, up to 8",
    )
    experts: str | None = option(
        None,
        "networks fitted without gradients whose conditionals are averaged with the network's, by weights found on "
        f"validation data: {', '.join(EXPERTS)}, or none",
        MODEL,
        default_text="boosted_trees for rows and small grey images, chow_liu too where all elements are symbols, "
        "joint_gaussians too for tables with numbers, and kernels for those of at most 5000 training rows; none where "
        "--steps, --network, --members or --orders is given",
    )
    orders: int | None = option(
        None,
        "number of orders of the elements for a mixture of p(x): scans of an image with one model each; any orders of "
        "a row with one model for all",
        MODEL,
        check=at_least(1, "32 is a good number"),
        default_text="no mixture",
    )
