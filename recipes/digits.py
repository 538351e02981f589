"""Handwritten digits, 8x8 pixels of 17 grey levels: rows [:1000], [1000:1350] and [1350:] of scikit-learn's copy.

    python -m recipes.digits

The reference is the notebook of Tomczak, *Deep Generative Modeling* (four causal convolutions of 256 channels), run by
us on the same split: it prints no figure of its own. Its probabilities are clamped, so its number is nearly one.
"""

from __future__ import annotations

import sys

from chainrule.reproduction.recipe import Published, Recipe

RECIPES = (
    Recipe(
        name="digits",
        title="digits, 8x8 pixels, 17 grey levels",
        unit="nats/image",
        source="digits",
        minutes=None,
        published=(
            Published(86.60, "causal convolutions", "Tomczak, Deep Generative Modeling, ARM notebook, run by us"),
        ),
    ),
)

if __name__ == "__main__":
    from chainrule.cli.app import main

    sys.exit(main(["reproduce", "digits", *sys.argv[1:]]))
