"""Counting pairs: the tree and the chain of the baselines as one network, and what validation leaves of it."""

import numpy as np
import pytest
import torch

from chainrule.baselines.chow_liu import ChowLiuTree
from chainrule.baselines.independent import IndependentElements
from chainrule.baselines.markov import MarkovChain
from chainrule.baselines.pair_counts import counted_pairs, counts_beside
from chainrule.config.defaults import default_spec
from chainrule.config.registry import build_model
from chainrule.data.examples.arrays import ArrayExamples
from chainrule.domain import Column, Domain
from chainrule.errors import InputError
from chainrule.training.fitted import fit_parts, fitting_of


def fitted(train, valid, symbols, columns=()):
    domain = Domain((train.shape[1],), symbols, columns=columns)
    model = build_model(default_spec(domain, "row", network="chow_liu"), domain)
    fit_parts(fitting_of(model, ArrayExamples(train), ArrayExamples(valid), seed=0))
    return model.eval()


def nats(model, x):
    with torch.no_grad():
        return -float(model.log_prob(ArrayExamples(x).batch(np.arange(len(x)))).double().mean())


def rows_of_a_tree(noise, rows, columns, symbols=2):
    """Symbols of a tree whose columns stand in any order."""
    x = [noise.integers(0, symbols, rows)]
    for d in range(1, columns):
        parent = x[int(noise.integers(0, d))]
        x.append(np.where(noise.random(rows) < 0.8, parent, noise.integers(0, symbols, rows)))
    return np.stack([x[d] for d in noise.permutation(columns)], 1)


@pytest.mark.parametrize("symbols", [2, 4])
def test_it_is_the_tree_of_the_baselines(symbols):
    x = rows_of_a_tree(np.random.default_rng(0), 1200, 15, symbols)
    model = fitted(x[:1000], x[1000:1100], symbols)
    baseline = ChowLiuTree.fit(ArrayExamples(x[:1000]), symbols)
    assert torch.equal(model.network.parent, baseline.parent)
    assert nats(model, x[1100:]) == pytest.approx(nats(baseline, x[1100:]), abs=0.02)


def test_without_validation_it_is_the_same_to_rounding():
    x = rows_of_a_tree(np.random.default_rng(1), 500, 9, 3)
    model, baseline = fitted(x[:400], x[:0], 3), ChowLiuTree.fit(ArrayExamples(x[:400]), 3)
    assert nats(model, x[400:]) == pytest.approx(nats(baseline, x[400:]), abs=1e-5)


def test_of_a_chain_of_few_rows_it_is_the_better_of_both():
    noise = np.random.default_rng(0)
    x = [noise.integers(0, 6, 360)]
    for _ in range(11):
        x.append(np.where(noise.random(360) < 0.5, x[-1], noise.integers(0, 6, 360)))
    x = np.stack(x, 1)
    model = fitted(x[:60], x[60:160], 6)
    markov = MarkovChain.fit(ArrayExamples(x[:60]), 6, period=12)
    tree = ChowLiuTree.fit(ArrayExamples(x[:60]), 6)
    assert nats(model, x[160:]) <= min(nats(markov, x[160:]), nats(tree, x[160:])) + 1e-4


def test_of_noise_no_edge_is_left():
    x = np.random.default_rng(0).integers(0, 3, (900, 20))
    model = fitted(x[:300], x[300:600], 3)
    assert torch.equal(model.network.parent, torch.arange(20))
    alone = IndependentElements.fit(ArrayExamples(x[:300]), 3)
    assert nats(model, x[600:]) == pytest.approx(nats(alone, x[600:]), abs=0.01)


def test_columns_of_different_sizes():
    noise = np.random.default_rng(0)
    first = noise.integers(0, 2, 400)
    x = np.stack([first, np.where(noise.random(400) < 0.9, first * 2, 1), noise.integers(0, 5, 400)], 1)
    columns = (Column(2), Column(3), Column(4, missing=True))
    model = fitted(x[:300], x[300:], 5, columns)
    rows = torch.tensor([[a, b, c] for a in range(2) for b in range(3) for c in range(5)])
    with torch.no_grad():
        assert float(model.log_prob(rows).exp().sum()) == pytest.approx(1, abs=1e-5)
    baseline = ChowLiuTree.fit(ArrayExamples(x[:300]), 5, [2, 3, 5])
    assert nats(model, x[300:]) <= nats(baseline, x[300:]) + 0.01


def test_a_column_of_very_many_symbols_does_not_fill_memory():
    noise = np.random.default_rng(0)
    names = np.minimum(noise.geometric(0.01, 800) - 1, 2999)
    x = np.stack([names, names % 2, noise.integers(0, 2, 800), names % 3], 1)
    model = fitted(x[:600], x[600:], 3000, (Column(3000), Column(2), Column(2), Column(3)))
    with torch.no_grad():
        first = model.network(torch.zeros(1, 4).long())[0, 0]
    assert float(first.exp().sum()) == pytest.approx(1, abs=1e-5)
    assert nats(model, x[600:]) < np.log(3000) + np.log(12)


def test_counts_are_those_of_a_loop():
    x = torch.from_numpy(np.random.default_rng(0).integers(0, 3, (200, 4)))
    pairs = counted_pairs([x[:90], x[90:]], 3)
    beside = counts_beside([x[:90], x[90:]], torch.tensor([0, 3, 1, 2]), 3)
    for i in range(4):
        for a in range(3):
            for j in range(4):
                for b in range(3):
                    expected = int(((x[:, i] == a) & (x[:, j] == b)).sum())
                    assert int(pairs[i, a, j, b]) == expected
                    assert [0, 3, 1, 2][i] != j or int(beside[i, a, b]) == expected


def test_numbers_are_refused():
    domain = Domain((2,), None, columns=(Column(3), Column(None, resolution=1.0)))
    with pytest.raises(InputError, match="some elements are numbers"):
        build_model(default_spec(domain, "row", network="chow_liu"), domain)
