import numpy as np
import pytest
import torch

from chainrule import AutoregressiveModel, CategoricalHead, CausalConv, InputError
from chainrule.baselines import IndependentElements
from chainrule.data import ArrayExamples, StreamExamples, load
from chainrule.data.examples.sequences import SequenceExamples
from chainrule.evaluation.batch_rows import rows_at_once
from chainrule.evaluation.evaluate import correlated, evaluate
from chainrule.likelihood import LogLikelihood, Units
from chainrule.verification.laws import randomised
from chainrule.verification.wrap import wrap


def test_the_number_does_not_depend_on_the_batch_size():
    data = load("digits")
    torch.manual_seed(0)
    model = randomised(AutoregressiveModel(CausalConv(17, (8, 8), 16, depth=6), CategoricalHead(16, 17)))
    values = [evaluate(model, data.test, batch_size=size).likelihood for size in (1, 7, 64, 447)]
    for value in values:
        assert value.examples == 447
        assert value.elements == 447 * 64
        assert value.nats_per_example.value == pytest.approx(values[0].nats_per_example.value, rel=1e-6)
        assert value.nats_per_example.standard_error == pytest.approx(
            values[0].nats_per_example.standard_error, rel=1e-4
        )


def test_independent_elements_match_the_known_figure_on_digits():
    data = load("digits")
    baseline = IndependentElements.fit(data.train, 17)
    assert evaluate(baseline, data.test).likelihood.nats_per_example.value == pytest.approx(106.47, abs=0.005)


@pytest.mark.parametrize(("window", "stride"), [(4, 4), (4, 1), (5, 2), (64, 32)])
def test_every_element_of_a_stream_is_scored_once(window, stride):
    stream = np.random.default_rng(0).integers(0, 256, 37).astype(np.uint8)
    examples = StreamExamples(stream, window, stride)
    batches = [examples.batch(np.array([row])) for row in range(len(examples))]
    scored = torch.cat([batch.x[batch.mask] for batch in batches])
    assert scored.tolist() == stream.tolist()
    for batch in batches[1:]:
        assert batch.x.shape[1] == min(window, len(stream))


def test_training_windows_are_disjoint_and_move():
    examples = StreamExamples(np.arange(100, dtype=np.uint8), 10, 5)
    epochs = [examples.epoch(0, e) for e in range(4)]
    for epoch in epochs:
        batch = epoch.batch(np.arange(len(epoch)))
        assert batch.x[batch.mask].tolist() == list(range(epoch.offset, 100))
    assert len({epoch.offset for epoch in epochs}) > 1


def test_the_longest_example_decides_how_many_are_scored_at_once():
    short_first = SequenceExamples.of([np.zeros(n, dtype=np.int64) for n in [2] * 20 + [512]], 512, 256)
    assert rows_at_once(short_first, torch.device("cpu")) == 32
    assert rows_at_once(ArrayExamples(np.zeros((3, 64), dtype=np.int64)), torch.device("cpu")) == 256
    none = ArrayExamples(np.zeros((0, 4), dtype=np.int64))
    model = AutoregressiveModel(CausalConv(3, 4, width=8), CategoricalHead(8, 3))
    assert evaluate(model, none).likelihood.examples == len(evaluate(model, none).nats) == 0


def test_a_bad_batch_size():
    model = IndependentElements(torch.ones(2, 3))
    with pytest.raises(InputError, match="batch_size=0"):
        evaluate(model, ArrayExamples(np.zeros((1, 2), dtype=np.int64)), batch_size=0)


def test_the_windows_of_a_stream_are_no_independent_examples():
    nats = np.repeat(np.random.default_rng(0).normal(-9.0, 1.0, 40), 25)  # 40 stretches, each of 25 like windows
    counts = np.full((1000, 3), 4)
    alone = LogLikelihood.of_counts(nats, counts)
    together = LogLikelihood.of_counts(nats, counts, units=Units.blocks(1000, 25))
    assert together.nats_per_element.value == alone.nats_per_element.value
    stretches = LogLikelihood.of_counts(25 * nats[::25], 25 * counts[::25])
    assert together.nats_per_element.standard_error == pytest.approx(stretches.nats_per_element.standard_error)
    assert together.nats_per_example.standard_error == pytest.approx(stretches.nats_per_example.standard_error / 25)
    assert together.nats_per_element.standard_error > 4 * alone.nats_per_element.standard_error
    assert correlated(nats, counts) >= 25
    assert correlated(nats[::25], counts[::25]) == 1


def test_a_stream_is_evaluated_in_blocks():
    torch.manual_seed(0)
    model = AutoregressiveModel(CausalConv(3, 8, width=8), CategoricalHead(8, 3))
    text = np.repeat(np.random.default_rng(0).integers(0, 3, 60), 100).astype(np.uint8)
    found = evaluate(model, StreamExamples(text, window=8, stride=8))
    assert found.block > 1
    assert found.counts.sum(0).tolist() == [6000] * 3
    plain = LogLikelihood.of_counts(found.nats, found.counts)
    assert found.likelihood.total_nats == plain.total_nats
    assert found.likelihood.bits_per_byte.standard_error > plain.bits_per_byte.standard_error
    assert evaluate(model, ArrayExamples(text[:64].reshape(8, 8).astype(np.int64))).block == 1


def test_logits_of_many_symbols_come_a_few_rows_at_a_time():
    rows = ArrayExamples(np.zeros((300, 64), dtype=np.int64))
    for symbols, expected in ((4, 256), (2**14, 32)):
        sizes = []
        model = wrap(lambda x, v=symbols: torch.zeros(*x.shape, v), symbols, 64)
        total = evaluate(model, rows, progress=sizes.append).likelihood.total_nats
        assert sizes[0] == expected
        assert total == pytest.approx(-300 * 64 * np.log(symbols), rel=1e-5)
