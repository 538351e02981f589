"""Parts of examples: every one once, none cut, the same figures."""

import numpy as np
import pytest
import torch

from chainrule.data import ArrayExamples, SequenceExamples, load
from chainrule.data.examples.stream import StreamExamples
from chainrule.data.examples.subset import elements_of, spread, stretch
from chainrule.evaluation.evaluate import evaluate
from chainrule.runs import figures

LENGTHS = [3, 9, 1, 4, 6, 2, 8]


@pytest.fixture
def sequences():
    """Seven sequences, of which those longer than four elements have several rows."""
    return SequenceExamples.of([np.full(n, k) for k, n in enumerate(LENGTHS)], window=4, stride=2)


class Counting(torch.nn.Module):
    """ln p = minus the number of elements that count."""

    def forward(self, batch):
        return -batch.mask.sum(1).double()


@pytest.mark.parametrize("parts", [1, 2, 3, 5])
def test_stretches_hold_every_row_once_and_cut_no_example(sequences, parts):
    stretches = [stretch(sequences, part, parts) for part in range(parts)]
    assert np.concatenate([part.rows for part in stretches]).tolist() == list(range(len(sequences)))
    for part in stretches:
        assert part.owner[:1].tolist() in ([], [0])
    nats = [evaluate(Counting(), part).nats for part in stretches if len(part)]
    assert np.concatenate(nats).tolist() == [-n for n in LENGTHS]


def test_spread_examples_keep_all_their_rows(sequences):
    some = spread(sequences, 3)
    assert evaluate(Counting(), some).nats.tolist() == [-LENGTHS[n] for n in (0, 2, 4)]
    assert some.row_lengths.tolist() == sequences.row_lengths[some.rows].tolist()
    assert spread(sequences, 7) is sequences


def test_windows_of_a_part_of_a_stream_score_only_their_elements():
    stream = StreamExamples(np.arange(100) % 7, window=8, stride=4)
    some = spread(stream, 5)
    assert len(some) == 5
    assert some.is_stream
    assert evaluate(Counting(), some).likelihood.elements == 8 + 4 * 4


def test_examples_and_elements_are_counted(sequences):
    assert elements_of(ArrayExamples(np.zeros((5, 3), dtype=int))) == (5, 15)
    assert elements_of(sequences)[0] == len(LENGTHS)


def test_long_training_data_is_scored_in_part_and_test_always_whole(monkeypatch):
    data = load("digits")
    assert figures.scored_splits(data)["train"] is data.train
    monkeypatch.setattr(figures, "ENOUGH", 64)
    parts = figures.scored_splits(data)
    assert len(parts["train"]) == len(data.test) < len(data.train)
    assert parts["valid"] is data.valid
    assert parts["test"] is data.test
    monkeypatch.setattr(figures, "ENOUGH", 64 * (len(data.train) - 1))
    assert len(figures.scored_splits(data)["train"]) == len(data.train) - 1
