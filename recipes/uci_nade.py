"""Four binary sets of the NADE and MADE papers, by the same default as those of `recipes.debd`.

    python -m recipes.uci_nade --data DIR      all four;  chainrule reproduce uci_nade_dna for one

Splits as published. The rows of adult's test split are the published ones if train, valid and test partition a9a; their
order is not, on which a mean does not depend.
"""

from __future__ import annotations

import sys

from chainrule.reproduction.recipe import Published, Recipe

MADE = "Germain, Gregor, Murray, Larochelle, MADE, ICML 2015, table of UCI results"
EONADE = "Uria, Murray, Larochelle, A Deep and Tractable Density Estimator, ICML 2014"
MODELS = ("MoBernoullis", "RBM", "FVSBN", "NADE, fixed order", "DARN", "MADE", "MADE, mask sampling")

# rows train/valid/test and columns; the figures of MODELS; EoNADE, 16 orders, and whether that was checked
SETS: dict[str, tuple[str, tuple[float, ...], float, bool]] = {
    "adult": ("5000/1414/26147 x 123", (20.44, 16.26, 13.17, 13.19, 13.19, 13.12, 13.13), 13.19, False),
    "dna": ("1400/600/1186 x 180", (98.19, 96.74, 83.64, 84.81, 81.04, 83.63, 79.66), 82.31, True),
    "mushrooms": ("2000/500/5624 x 112", (14.46, 15.15, 10.27, 9.81, 9.55, 9.68, 9.69), 9.68, True),
    "nips": ("400/100/1240 x 500", (290.02, 277.37, 276.88, 273.08, 274.68, 280.25, 277.28), 272.39, False),
}


def _recipe(name: str, size: str, figures: tuple[float, ...], eonade: float, checked: bool) -> Recipe:
    table = tuple(Published(nats, model, MADE, checked=False) for model, nats in zip(MODELS, figures, strict=True))
    return Recipe(
        name=f"uci_nade_{name}",
        title=f"{name}, a binary table, {size}",
        unit="nats/row",
        source=f"uci_nade/{name}.npz",
        files=(f"uci_nade/{name}.npz",),
        minutes=5,
        published=(*table, Published(eonade, "EoNADE, 16 orders", EONADE, checked=checked)),
    )


RECIPES = tuple(_recipe(name, *figures) for name, figures in SETS.items())

if __name__ == "__main__":
    from chainrule.cli.app import main

    sys.exit(main(["reproduce", "uci_nade", *sys.argv[1:]]))
