import numpy as np
import pytest
import torch

from chainrule import AutoregressiveModel, Batch, BernoulliHead, CategoricalHead, CausalConv, InputError
from chainrule.data import ArrayExamples, SequenceExamples
from chainrule.evaluation.classify import class_log_posterior
from chainrule.evaluation.probe import pooled_features, probe
from chainrule.verification.laws import randomised


def conditional():
    return randomised(AutoregressiveModel(CausalConv(2, 6, 8, depth=2, num_classes=3), BernoulliHead(8)))


def test_bayes_by_hand():
    model, x = conditional(), torch.randint(2, (4, 6))
    prior = torch.tensor([0.2, 0.5, 0.3])
    joint = torch.stack([model.log_prob(Batch(x, context=torch.full((4,), y))).exp() * prior[y] for y in range(3)], 1)
    expected = (joint / joint.sum(1, keepdim=True)).detach().double()
    assert torch.allclose(class_log_posterior(model, Batch(x), 3, prior).exp(), expected, atol=1e-5)


def test_a_prior_is_checked():
    with pytest.raises(InputError, match="sum to one"):
        class_log_posterior(conditional(), Batch(torch.zeros(1, 6).long()), 3, torch.tensor([0.5, 0.5, 0.5]))


def test_a_probe_finds_what_is_there_and_not_what_is_not():
    rng = np.random.default_rng(0)
    x = rng.integers(0, 2, (400, 6))
    examples = ArrayExamples(x)
    model = randomised(AutoregressiveModel(CausalConv(2, 6, 16, depth=2), BernoulliHead(16)))
    read = probe(model, examples, (x[:, :5].sum(1) > 2).astype(np.int64), segments=6)
    assert [result.layer for result in read] == [0, 1, 2]
    assert max(result.accuracy for result in read) > 0.95
    noise = probe(model, examples, rng.integers(0, 2, 400), layers=[2])
    assert abs(noise[0].accuracy - 0.5) < 0.1


def test_pooled_features_are_means():
    model = randomised(AutoregressiveModel(CausalConv(2, 6, 8, depth=2), BernoulliHead(8)))
    x = np.random.default_rng(0).integers(0, 2, (5, 6))
    h = model.features(torch.from_numpy(x), 1)
    assert np.allclose(pooled_features(model, ArrayExamples(x), 1, batch_size=2), h.mean(1), atol=1e-6)
    halves = pooled_features(model, ArrayExamples(x), 1, segments=2)
    assert np.allclose(halves[:, 8:], h[:, 3:].mean(1), atol=1e-6)


def test_labels_are_checked():
    model = AutoregressiveModel(CausalConv(2, 6, 8), BernoulliHead(8))
    examples = ArrayExamples(np.zeros((10, 6), dtype=np.int64))
    with pytest.raises(InputError, match="one for each"):
        probe(model, examples, np.zeros(9, dtype=np.int64))
    with pytest.raises(InputError, match="two classes"):
        probe(model, examples, np.zeros(10, dtype=np.int64))


def test_segments_of_padded_examples_do_not_depend_on_the_batch():
    model = randomised(AutoregressiveModel(CausalConv(3, 9, 8, depth=2), CategoricalHead(8, 3)))
    rows = [np.arange(n) % 3 for n in (4, 9, 5)]
    examples = SequenceExamples.of(rows, window=9)
    together = pooled_features(model, examples, 1, segments=2)
    assert np.allclose(together, pooled_features(model, examples, 1, segments=2, batch_size=1), atol=1e-6)
    h = model.features(Batch.of(rows), 1)
    assert np.allclose(together[0, :8], h[0, :2].mean(0), atol=1e-6)
    assert np.allclose(together[2, :8], h[2, :3].mean(0), atol=1e-6)
    with pytest.raises(InputError, match="4 elements have no 5 segments"):
        pooled_features(model, examples, 1, segments=5)
