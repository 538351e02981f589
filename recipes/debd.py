"""Eight of the "twenty data sets" of binary tables (Lowd, Davis 2010; Van Haaren, Davis 2012), by one default.

    python -m recipes.debd --data DIR          all eight;  chainrule reproduce debd_nltcs for one

Splits as published; nothing is tuned to a set. HCLT: hidden Chow-Liu trees, Liu, Van den Broeck 2021, the mean of five
runs; the others are other tractable circuits, as Peharz et al. 2020 print them.
"""

from __future__ import annotations

import sys

from chainrule.reproduction.recipe import Published, Recipe

HCLT = "Liu, Van den Broeck, Tractable Regularization of Probabilistic Circuits, NeurIPS 2021, raw logs"
PEHARZ = "Peharz et al., Einsum Networks, ICML 2020, table 1"

# rows train/valid/test and columns; HCLT, ID-SPN, RAT-SPN, EiNet
SETS = {
    "nltcs": ("16181/2157/3236 x 16", 5.999, 6.02, 6.01, 6.02),
    "msnbc": ("291326/38843/58265 x 17", 6.058, 6.04, 6.04, 6.12),
    "plants": ("17412/2321/3482 x 69", 14.265, 12.54, 13.44, 13.68),
    "jester": ("9000/1000/4116 x 100", 52.376, 52.86, 52.97, 52.56),
    "accidents": ("12758/1700/2551 x 111", 26.736, 26.98, 35.49, 35.59),
    "tretail": ("22041/2938/4408 x 135", 10.855, 10.85, 10.91, 10.92),
    "dna": ("1600/400/1186 x 180", 79.051, 81.21, 97.23, 96.09),
    "book": ("8700/1159/1739 x 500", 33.534, 34.14, 34.68, 34.74),
}
PACKED = ("accidents", "book", "jester", "msnbc", "tretail")


def _recipe(name: str, size: str, hclt: float, id_spn: float, rat_spn: float, einet: float) -> Recipe:
    ending = ".data.gz" if name in PACKED else ".data"
    return Recipe(
        name=f"debd_{name}",
        title=f"{name}, a binary table, {size}",
        unit="nats/row",
        source=f"debd/{name}",
        files=tuple(f"debd/{name}/{name}.{split}{ending}" for split in ("train", "valid", "test")),
        minutes=5,
        published=(
            Published(hclt, "HCLT", HCLT),
            Published(id_spn, "ID-SPN", PEHARZ, checked=False),
            Published(rat_spn, "RAT-SPN", PEHARZ, checked=False),
            Published(einet, "EiNet", PEHARZ, checked=False),
        ),
    )


RECIPES = tuple(_recipe(name, *figures) for name, figures in SETS.items())

if __name__ == "__main__":
    from chainrule.cli.app import main

    sys.exit(main(["reproduce", "debd", *sys.argv[1:]]))
