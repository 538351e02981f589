"""What is scored of a split after a fit of some minutes: all of it, or, where that would take longer, a random share.

A share gives an estimate, which is labelled so and stands apart from results: no record and no comparison reads it.
`evaluate` scores every example.
"""

from __future__ import annotations

from time import perf_counter

import numpy as np

from chainrule.data.examples.base import Examples
from chainrule.data.examples.in_batches import in_batches
from chainrule.data.examples.subset import drawn, elements_of
from chainrule.evaluation.batch_rows import rows_at_once
from chainrule.evaluation.evaluate import summed
from chainrule.models.base import Model, evaluating
from chainrule.training.engine import Engine

__all__ = ["share_of", "short_enough"]

TRIED = 0.01  # of the time, for a trial of how fast examples are scored
OF_THE_TIME = 0.2  # for an estimate
LEAST = 8  # examples of an estimate


def short_enough(model: Model, examples: Examples, engine: Engine, seconds: float) -> int | None:
    """The number of examples that may be scored; None for all, which take no longer than the whole fit.

    model: the model that scores.
    examples: a split.
    engine: the processes that share it.
    seconds: the time of the fit.
    """
    count, _ = elements_of(examples)
    took = engine.of_first(lambda: _seconds(model, examples, TRIED * seconds)) / engine.world
    if took <= seconds or count <= LEAST:
        return None
    return max(LEAST, int(count * OF_THE_TIME * seconds / took))


def share_of(examples: Examples, most: int | None) -> Examples:
    """The examples, or as many of them at random."""
    return examples if most is None else drawn(examples, most)


def _seconds(model: Model, examples: Examples, limit: float) -> float:
    """About how long it takes to score the examples on one process, from its first batches."""
    done, begun = 0, perf_counter()
    with evaluating(model):
        for rows, batch in in_batches(examples, rows_at_once(examples, model.device), np.arange(len(examples))):
            summed(model, batch.to(model.device)).sum().item()
            done += len(rows)
            if (spent := perf_counter() - begun) >= limit:
                break
    return max(spent, 1e-9) * len(examples) / max(1, done) if done else 0.0
