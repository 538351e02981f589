"""DNA (180 binary elements): a MADE of one order, and one whose weights 32 orders share.

    python -m recipes.dna_orders --data DIR      both;  chainrule reproduce dna_32_orders for one

The mean over orders is taken of the probabilities of whole examples, so its figure is a likelihood. Published are a
single order, and orders and connectivity drawn anew while training and averaged at the end.
"""

from __future__ import annotations

import sys
from typing import Any

from chainrule.reproduction.recipe import Published, Recipe

MADE = "Germain, Gregor, Murray, Larochelle, MADE, ICML 2015, table of UCI results"
EONADE = "Uria, Murray, Larochelle, A Deep and Tractable Density Estimator, ICML 2014"
ROWS = "dna, a binary table, 1400/600/1186 x 180"

# one order: 1400 examples want a single hidden layer, much dropout and much decay
ONE: dict[str, Any] = {
    "network": {"name": "made", "depth": 0, "hidden": 500, "dropout": 0.5},
    "steps": 600,
    "batch_size": 100,
    "learning_rate": 1e-2,
    "weight_decay": 1.0,
    "clip_norm": 100.0,
    "evaluate_every": 30,
}

# other orders regularise, so there is room for a second layer
MANY: dict[str, Any] = {
    "network": {"name": "made", "depth": 1, "hidden": 500, "dropout": 0.3},
    "orders": 32,
    "steps": 3000,
    "batch_size": 100,
    "learning_rate": 5e-3,
    "weight_decay": 0.3,
    "clip_norm": 100.0,
    "evaluate_every": 150,
}


def _recipe(name: str, what: str, options: dict[str, Any], *published: Published) -> Recipe:
    return Recipe(
        name=name,
        title=f"{ROWS}, {what}",
        unit="nats/row",
        source="uci_nade/dna.npz",
        files=("uci_nade/dna.npz",),
        options=options,
        minutes=None,
        published=published,
    )


RECIPES = (
    _recipe("dna_one_order", "a MADE of one order", ONE, Published(83.63, "MADE, one order", MADE, checked=False)),
    _recipe(
        "dna_32_orders",
        "a MADE over 32 orders",
        MANY,
        Published(79.66, "MADE, mask sampling", MADE, checked=False),
        Published(82.31, "EoNADE, 16 orders", EONADE),
    ),
)

if __name__ == "__main__":
    from chainrule.cli.app import main

    sys.exit(main(["reproduce", "dna_orders", *sys.argv[1:]]))
