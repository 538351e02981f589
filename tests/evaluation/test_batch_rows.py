"""Which rows are scored together: every row once, similar lengths together, streams in their order."""

import numpy as np
import pytest
import torch

from chainrule.data.examples.sequences import SequenceExamples
from chainrule.data.examples.stream import StreamExamples
from chainrule.evaluation.batch_rows import NEIGHBOURS, batch_rows
from chainrule.evaluation.evaluate import evaluate
from chainrule.heads.categorical import CategoricalHead
from chainrule.models.chain import AutoregressiveModel
from chainrule.networks.recurrent import Recurrent
from chainrule.networks.transformer import Transformer


def of_lengths(lengths, window=600, stride=300):
    random = np.random.default_rng(0)
    return SequenceExamples.of([random.integers(1, 7, n) for n in lengths], window, stride, end=0)


def model_of(network):
    return AutoregressiveModel(network, CategoricalHead(network.features, 7)).eval()


MODEL = model_of(Transformer(7, 600, 16, 1, 2))
LENGTHS = {
    "many short and one long": [3] * 900 + [590],
    "none": [],
    "one": [5],
    "only ends": [0] * 40,
    "longer than a window": [2000, 3, 1, 700, 9],
    "more than are sorted together": np.random.default_rng(1).integers(1, 60, NEIGHBOURS + 500).tolist(),
}


@pytest.mark.parametrize("name", LENGTHS)
def test_every_row_is_scored_once_in_batches_that_are_not_too_large(name):
    examples = of_lengths(LENGTHS[name])
    batches = list(batch_rows(MODEL, examples))
    assert sorted(np.concatenate([*batches, np.zeros(0, int)]).tolist()) == list(range(len(examples)))
    lengths = examples.row_lengths
    assert all(len(rows) == 1 or len(rows) * lengths[rows].max() <= 2**14 for rows in batches)


def test_what_is_padded_is_little():
    """A long example among short ones was scored with as few of them as there could be long ones, and padded."""
    examples = of_lengths(LENGTHS["many short and one long"])
    batches = list(batch_rows(MODEL, examples))
    assert len(batches) == 2
    assert sum(examples.batch(rows).x.numel() for rows in batches) < 1.1 * examples.row_lengths.sum()


def test_ln_p_does_not_depend_on_what_is_scored_together():
    lengths = [*np.random.default_rng(2).integers(0, 40, 70).tolist(), 900, 3]
    examples = of_lengths(lengths)
    for network in (MODEL.network, Recurrent(7, 600, width=8)):
        model = model_of(network)
        together, alone = evaluate(model, examples), evaluate(model, examples, batch_size=1)
        np.testing.assert_allclose(together.nats, alone.nats, rtol=1e-5)
        np.testing.assert_array_equal(together.counts, alone.counts)


def test_a_stream_is_scored_in_its_order():
    examples = StreamExamples(torch.arange(5000).numpy() % 7, 16, 8)
    rows = list(batch_rows(MODEL, examples))
    assert np.concatenate(rows).tolist() == list(range(len(examples)))
    assert [each.tolist() for each in batch_rows(MODEL, examples.first(5), 2)] == [[0, 1], [2, 3], [4]]
