"""Handwritten digits by Bayes: a model of p(image | digit), and how often p(digit | image) from it errs.

    python -m recipes.digits_labels

The split is that of `digits`. Four models are averaged, as was chosen on the validation images. Nobody published a
figure of a generative classifier on this split; the goal is an error below 5 %.
"""

from __future__ import annotations

import sys

from chainrule.data.encodings.data_set import DataSet
from chainrule.errors import InputError
from chainrule.evaluation.classify import class_prior, classify
from chainrule.likelihood import Ratio
from chainrule.models.chain import AutoregressiveModel
from chainrule.reproduction.recipe import Recipe

WRONG = "% wrong"


def measure(model: AutoregressiveModel, data: DataSet) -> dict[str, Ratio]:
    """The share of test images whose most probable digit is another one, and the nats of a digit given its image."""
    names = None if data.encoding.conditions is None else data.encoding.conditions.class_names
    if names is None:
        raise InputError(f"expected images with their digits, got {data.note}; load them with given='label'")
    found = classify(model, data.test, class_prior(data.train, len(names)))
    wrong = Ratio(100 * (1 - found.accuracy.value), 100 * found.accuracy.standard_error)
    return {WRONG: wrong, "nats/label": found.likelihood.nats_per_example}


RECIPES = (
    Recipe(
        name="digits_labels",
        title="digits by Bayes from p(image, 8x8 pixels | digit)",
        unit=WRONG,
        source="digits",
        options={"given": "label", "members": 4},
        minutes=None,
        goal=5.0,
        measure=measure,
    ),
)

if __name__ == "__main__":
    from chainrule.cli.app import main

    sys.exit(main(["reproduce", "digits_labels", *sys.argv[1:]]))
