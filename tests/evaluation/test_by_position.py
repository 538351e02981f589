"""Nats by column and by group of labels, with the errors of units where rows belong together."""

import numpy as np
import pytest
import torch

from chainrule.baselines.independent import IndependentElements
from chainrule.data.examples.arrays import ArrayExamples
from chainrule.data.examples.in_units import in_groups
from chainrule.evaluation.by_position import NatsByPosition
from chainrule.evaluation.calibration import by_group
from chainrule.evaluation.evaluate import evaluate
from chainrule.likelihood import LogLikelihood, Units


def test_the_error_of_a_column_is_that_of_units():
    rng = np.random.default_rng(0)
    number = np.repeat(np.arange(30), rng.integers(1, 9, 30))
    x = rng.integers(0, 3, (30, 2))[number]
    gone = rng.random(len(x)) < 0.1
    examples = in_groups(ArrayExamples(x, impossible=gone), "g", number, [])
    model = IndependentElements(torch.tensor([[5.0, 2.0, 1.0], [1.0, 1.0, 6.0]]))
    watched = NatsByPosition(model, examples.units)
    evaluate(watched, examples, batch_size=7)
    nats = model.element_log_prob(ArrayExamples(x).batch(np.arange(len(x)))).double().numpy()
    for d, row in enumerate(watched.columns(["a", "b"])):
        counts = np.ones((int((~gone).sum()), 3), dtype=int)
        expected = LogLikelihood.of_counts(nats[~gone, d], counts, units=Units("g", number[~gone])).nats_per_example
        assert row["cells"] == len(counts)
        assert row["nats"] == pytest.approx(expected.value)
        assert row["nats_se"] == pytest.approx(expected.standard_error)


def test_the_error_of_a_group_is_that_of_units():
    nats = np.array([-1.0, -1.0, -3.0, -3.0, -7.0])
    found = by_group(nats, ["p", "p", "p", "p", "q"], Units("copies", np.array([0, 0, 1, 1, 2])))
    assert found["p"]["nats_per_example_se"] == pytest.approx(1.0)
    assert by_group(nats, ["p", "p", "p", "p", "q"])["p"]["nats_per_example_se"] == pytest.approx(2 / np.sqrt(12))
