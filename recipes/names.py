"""32 033 first names, each with the end of its line: a model over strings of any length.

    python -m recipes.names --data DIR

makemore draws 1000 names at random for its test and trains on what is left. So do we, but for another 1000 that choose
the step. About one test name in seven stands in training, too, for the file has names twice; names that were never
seen (`chainrule fit names.txt`, which splits by content) are a harder test, and its figure is another quantity.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

from chainrule.reproduction.recipe import Published, Recipe

FILE = "names/names.txt"
APART = 1000  # names of validation, and of the test


def shuffled(file: Path) -> bytes:
    """The names in an order that is drawn once."""
    names = file.read_bytes().splitlines()
    return b"".join(names[n] + b"\n" for n in np.random.default_rng(0).permutation(len(names)))


RECIPES = (
    Recipe(
        name="names",
        title="names, letters and the end of each",
        unit="nats/token",
        source=FILE,
        files=(FILE,),
        options={"split": f"order:{32_033 - 2 * APART}/{APART}/{APART}"},
        minutes=16,
        metric="nats_per_element",
        goal=1.92,
        published=(
            Published(1.92, "Transformer, 200 K parameters", "makemore README, another random split", comparable=False),
        ),
        prepared="names.txt",
        prepare=lambda data: shuffled(data / FILE),
    ),
)

if __name__ == "__main__":
    from chainrule.cli.app import main

    sys.exit(main(["reproduce", "names", *sys.argv[1:]]))
