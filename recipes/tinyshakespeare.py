"""Shakespeare, 1 115 394 bytes: every byte of the last tenth once.

    python -m recipes.tinyshakespeare --data DIR

nanoGPT trains on the first nine tenths, picks its checkpoint by the last one, and averages over random crops of it.
Ours trains on 89 hundredths, picks by the next one, and scores the last ten whole.
"""

from __future__ import annotations

import sys

from chainrule.reproduction.recipe import Published, Recipe

README = "nanoGPT README, mean over random crops, checkpoint chosen on the same tenth"

RECIPES = (
    Recipe(
        name="tinyshakespeare",
        title="tinyshakespeare, bytes, split 89/1/10 in order",
        unit="nats/byte",
        source="tinyshakespeare/input.txt",
        files=("tinyshakespeare/input.txt",),
        options={"split": "89/1/10"},
        minutes=30,
        metric="nats_per_element",
        goal=1.4697,
        published=(
            Published(1.4697, "6 layers x 384, on a GPU", README, comparable=False),
            Published(1.88, "4 layers x 128, 2000 steps on a CPU", README, comparable=False),
        ),
    ),
)

if __name__ == "__main__":
    from chainrule.cli.app import main

    sys.exit(main(["reproduce", "tinyshakespeare", *sys.argv[1:]]))
