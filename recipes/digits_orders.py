"""Handwritten digits as `recipes.digits` has them, scanned by rows from each of the four corners: a mean of models.

    python -m recipes.digits_orders

An image has no order of its own. Each of the four scans has a model like the default one and as many steps as that,
half of which the four take as one; p(x) is the mean of what they give to whole images. The scans by columns add next to
nothing to them.
"""

from __future__ import annotations

import sys

from chainrule.reproduction.recipe import Published, Recipe

RECIPES = (
    Recipe(
        name="digits_orders",
        title="digits, 8x8 pixels, 17 grey levels, mean over 4 scans",
        unit="nats/image",
        source="digits",
        options={"orders": 4},
        minutes=None,
        published=(
            Published(86.60, "causal convolutions", "Tomczak, Deep Generative Modeling, ARM notebook, run by us"),
        ),
    ),
)

if __name__ == "__main__":
    from chainrule.cli.app import main

    sys.exit(main(["reproduce", "digits_orders", *sys.argv[1:]]))
