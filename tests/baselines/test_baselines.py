"""Baselines: written once more by counting in a loop, and the published figures."""

from collections import Counter, defaultdict
from itertools import pairwise
from math import log

import numpy as np
import pytest
import torch

from chainrule import Batch, InputError
from chainrule.baselines import IndependentColumns, KneserNey, MarkovChain
from chainrule.baselines.compressors import code_lengths
from chainrule.baselines.fitted import fit_baselines
from chainrule.data import ArrayExamples, SequenceExamples, StreamExamples, load
from chainrule.domain import Column
from chainrule.evaluation.evaluate import evaluate
from chainrule.heads.marginal import Marginal

V = 4


def stream(size=400, seed=0):
    rng = np.random.default_rng(seed)
    x = [0]
    for _ in range(size - 1):
        x.append(int((x[-1] + rng.choice([0, 1, 3], p=[0.2, 0.7, 0.1])) % V))
    return np.array(x, dtype=np.uint8)


def kneser_ney_oracle(train, context, symbol, order):
    """p(symbol | context) by the recursion of Chen & Goodman (1999), counting in dictionaries; V stands before."""
    padded = [V] * (order - 1) + list(train)
    grams = Counter(tuple(padded[i : i + order]) for i in range(len(train)))
    counts = {order: grams}
    for size in range(order - 1, 0, -1):
        counts[size] = Counter(gram[1:] for gram in counts[size + 1])
    p = 1 / V
    for size in range(1, order + 1):
        history = tuple(context[len(context) - size + 1 :]) if size > 1 else ()
        by_history = {g[-1]: c for g, c in counts[size].items() if g[:-1] == history}
        if not by_history:
            break
        once, twice = (sum(c == k for c in counts[size].values()) for k in (1, 2))
        discount = once / (once + 2 * twice) if once and twice else 0.5
        total = sum(by_history.values())
        p = (max(by_history.get(symbol, 0) - discount, 0) + discount * len(by_history) * p) / total
    return p


@pytest.mark.parametrize("order", [1, 2, 4])
def test_kneser_ney_is_the_recursion(order):
    train = stream()
    model = KneserNey.fit(StreamExamples(train, len(train), len(train)), V, order)
    test = stream(30, seed=1)
    mine = model.element_log_prob(Batch(torch.from_numpy(test.astype(np.int64))[None]))[0].numpy()
    for d in range(len(test)):
        context = ([V] * order + test.tolist())[d : d + order]
        assert mine[d] == pytest.approx(log(kneser_ney_oracle(train, context, test[d], order)), abs=1e-12)


def test_every_baseline_is_normalised():
    train = StreamExamples(stream(), 64, 64)
    prefix = torch.tensor([[0, 1, 2, 3, 3]]).expand(V, -1)
    x = torch.cat([prefix, torch.arange(V)[:, None]], 1)
    for model in (KneserNey.fit(train, V, 4), MarkovChain.fit(train, V), MarkovChain.fit(train, V, period=2, lag=2)):
        assert float(model.element_log_prob(Batch(x))[:, -1].exp().sum()) == pytest.approx(1, abs=1e-12)


def test_markov_chain_counts():
    train = stream()
    model = MarkovChain.fit(StreamExamples(train, len(train), len(train)), V)
    counts = defaultdict(lambda: 0.1)
    for a, b in pairwise(train):
        counts[a, b] += 1
    x = torch.tensor([[2, 3, 1]])
    expected = [counts[a, b] / sum(counts[a, k] for k in range(V)) for a, b in ((2, 3), (3, 1))]
    assert model.element_log_prob(Batch(x))[0, 1:].exp().tolist() == pytest.approx(expected)
    assert float(MarkovChain.fit(SequenceExamples.of([[1], [1]], 4), V).log_pmf[0, V, 1].exp()) == pytest.approx(
        2.1 / 2.4
    )


def columns_of_every_kind():
    """Rows of a name that may be missing, a count, a real at a resolution that may be missing, and a density."""
    rng = np.random.default_rng(0)
    name = rng.choice(4, 300, p=[0.4, 0.3, 0.2, 0.1])
    count = rng.poisson(3, 300) ** 2
    real = np.where(rng.random(300) < 0.2, np.nan, np.round(rng.normal(50, 8, 300)))
    x = np.stack([name, count, real, rng.normal(2, 0.3, 300)], 1)
    kinds = (Column(3, missing=True), Column(None, resolution=1.0, count=True))
    return x, (*kinds, Column(None, resolution=1.0, missing=True), Column(None))


def test_independent_columns_are_normalised():
    x, columns = columns_of_every_kind()
    model = IndependentColumns.fit(ArrayExamples(x), columns)
    support = [np.arange(4), np.arange(200_000), np.append(np.nan, np.arange(-300, 400)), np.linspace(-8, 12, 20_001)]
    for d, (values, step) in enumerate(zip(support, (1, 1, 1, 1e-3), strict=True)):
        rows = np.zeros((len(values), 4))
        rows[:, d] = values
        mass = model.element_log_prob(ArrayExamples(rows).batch(np.arange(len(values))))[:, d].exp().sum() * step
        assert float(mass) == pytest.approx(1, abs=1e-6 if d == 0 else 1e-4)


def test_independent_columns_are_the_formulas():
    x, columns = columns_of_every_kind()
    model = IndependentColumns.fit(ArrayExamples(x), columns)
    row = np.array([[3, 9, np.nan, 2.1], [0, 10_001, 51, 2.1]])
    name, count, real, density = model.element_log_prob(ArrayExamples(row).batch(np.arange(2))).exp().numpy().T
    assert name == pytest.approx([((x[:, 0] == k).sum() + 1) / 304 for k in (3, 0)])
    present = x[~np.isnan(x[:, 2]), 2]
    gone = (301 - len(present)) / 302
    for values, column, p in ((present, columns[2], real[1:] / (1 - gone)), (x[:, 1], columns[1], count)):
        marginal = Marginal(column.resolution, column.count)
        marginal.fit(values)
        rows = torch.tensor([51.0] if column.missing else [9.0, 10_001.0]).double()
        assert p == pytest.approx(marginal.log_prob(rows).exp().numpy())
    assert real[0] == pytest.approx(gone)
    marginal = Marginal(None)
    marginal.fit(x[:, 3])
    assert density == pytest.approx(marginal.log_prob(torch.tensor([2.1, 2.1]).double()).exp().numpy())


def test_a_table_with_reals_has_a_baseline(tmp_path):
    rng = np.random.default_rng(0)
    lines = [f"{'AB'[n % 2]},{rng.normal(100 * (n % 2), 5):.1f},{rng.poisson(40)}" for n in range(300)]
    (tmp_path / "t.csv").write_text("city,height,clicks\n" + "\n".join(lines))
    data = load(str(tmp_path / "t.csv"))
    baselines = fit_baselines(data)
    assert list(baselines) == ["independent elements"]
    result = evaluate(baselines["independent elements"], data.test)
    assert 5 < result.likelihood.nats_per_example.value < 15
    (tmp_path / "u.csv").write_text("city,height,clicks\nA,3.0,40\nC,3.0,40\n")
    unknown = evaluate(baselines["independent elements"], data.encoding.encode(str(tmp_path / "u.csv")))
    assert (unknown.likelihood.impossible, unknown.nats[1]) == (1, -np.inf)


def test_compressors_learn_from_the_training_text():
    rng = np.random.default_rng(0)
    text = bytes(rng.integers(0, 256, 3000).astype(np.uint8))
    for name, nats in code_lengths(text, text).items():
        assert 0 < nats < 3000 * log(256) / 3, name
    for nats in code_lengths(b"", text).values():
        assert nats > 3000 * log(256) * 0.99


def test_bad_orders():
    with pytest.raises(InputError, match="at least its own symbol"):
        KneserNey.fit(StreamExamples(stream(), 8, 8), V, 0)
    with pytest.raises(InputError, match="at least one example"):
        MarkovChain.fit(SequenceExamples.of([], 8), V)


def nats(data, name, per="nats_per_element"):
    model = fit_baselines(data)[name]
    return getattr(evaluate(model, data.test).likelihood, per).value


def test_published_figures(shared_data):
    """Figures of the data's own README: bigrams of names; below, orders 0 and 1 of tinyshakespeare."""
    names = load(str(shared_data / "names" / "names.txt"), symbols="characters")
    assert nats(names, "Markov chain") == pytest.approx(2.454, abs=0.02)


@pytest.mark.slow
def test_figures_of_tinyshakespeare(shared_data):
    text = load(str(shared_data / "tinyshakespeare" / "input.txt"), symbols="characters", split="80/10/10")
    assert nats(text, "independent elements") == pytest.approx(3.347, abs=0.03)
    assert nats(text, "Markov chain") == pytest.approx(2.484, abs=0.03)
    assert nats(text, "Kneser-Ney 5-gram") < 1.784
