"""War and Peace, 3 258 246 bytes with CRLF line ends, split 80/10/10 in order: every byte of the last tenth once.

python -m recipes.war_and_peace --data DIR
"""

from __future__ import annotations

import sys

from chainrule.reproduction.recipe import Published, Recipe

KARPATHY = "Karpathy, Johnson, Li, Visualizing and Understanding Recurrent Networks, 2015"

RECIPES = (
    Recipe(
        name="war_and_peace",
        title="War and Peace, bytes, split 80/10/10 in order",
        unit="nats/byte",
        source="war_and_peace/warpeace_input.txt.gz",
        files=("war_and_peace/warpeace_input.txt.gz",),
        options={"split": "80/10/10"},
        minutes=20,
        metric="nats_per_element",
        published=(
            Published(1.08, "LSTM or GRU, best of all sizes", KARPATHY, checked=False),
            Published(1.161, "LSTM, 1 layer of 512", KARPATHY, checked=False),
            Published(1.195, "20-gram, interpolated Kneser-Ney", KARPATHY, checked=False),
            Published(1.449, "LSTM, 1 layer of 64", KARPATHY, checked=False),
        ),
    ),
)

if __name__ == "__main__":
    from chainrule.cli.app import main

    sys.exit(main(["reproduce", "war_and_peace", *sys.argv[1:]]))
