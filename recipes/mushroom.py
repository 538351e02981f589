"""Mushroom, a CSV of 23 columns of letters as a user would have it: a header, missing values, a constant column.

    python -m recipes.mushroom --data DIR

No joint likelihood of this form was published; the figure stands beside the baselines.
"""

from __future__ import annotations

import sys

from chainrule.reproduction.recipe import Recipe

RECIPES = (
    Recipe(
        name="mushroom",
        title="mushroom.csv, 8124 rows of 23 columns of letters",
        unit="nats/row",
        source="mushroom_csv/mushroom.csv",
        files=("mushroom_csv/mushroom.csv",),
        options={"split": "distinct:80/10/10"},
        minutes=10,
    ),
)

if __name__ == "__main__":
    from chainrule.cli.app import main

    sys.exit(main(["reproduce", "mushroom", *sys.argv[1:]]))
