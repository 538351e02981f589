"""32 033 first names, each with the end of its line: a model over strings of any length.

    python -m recipes.names --data DIR

makemore's figure is for 1000 names drawn at random for its test, which may stand in its training split, too; ours keeps
equal names on one side of every border, which is the harder task.
"""

from __future__ import annotations

import sys

from chainrule.recipe import Published, Recipe

RECIPES = (
    Recipe(
        name="names",
        title="names, letters and the end of each",
        unit="nats/token",
        source="names/names.txt",
        files=("names/names.txt",),
        minutes=5,
        metric="nats_per_element",
        goal=1.92,
        published=(
            Published(1.92, "Transformer, 200 K parameters", "makemore README, another random split", comparable=False),
        ),
    ),
)

if __name__ == "__main__":
    from chainrule.cli import main

    sys.exit(main(["reproduce", "names", *sys.argv[1:]]))
