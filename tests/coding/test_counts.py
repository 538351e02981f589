"""Counts that both sides learn: rows come back, cost what the formula says, and are found by what saves bits."""

from hashlib import sha256
from time import perf_counter

import numpy as np
import pytest

from chainrule.coding.count_search import find_elements
from chainrule.coding.counts import Counts, Element, code_rows, elements_from_json
from chainrule.coding.elements import Reader, Writer
from chainrule.coding.range_coder import decoder, encoder
from chainrule.errors import DamagedArchive


def code_of(elements, x):
    coder = encoder()
    code_rows(Writer(coder), Counts(elements), x, len(x))
    return coder.words()


def rows(count, seed=0):
    """Rows whose last element is a function of two before it."""
    random = np.random.default_rng(seed)
    a, b = random.integers(3, size=count), random.integers(2, size=count)
    return np.stack([a, np.zeros(count, np.int64), b, (a + b) % 4], 1)


SYMBOLS = [3, 1, 2, 4]


@pytest.mark.parametrize("count", [0, 1, 2, 31, 32, 33, 200, 3000])
def test_rows_of_any_number_come_back(count):
    x = rows(count)
    elements = find_elements(x, SYMBOLS, perf_counter() + 10)
    words = code_of(elements, x)
    found = code_rows(Reader(decoder(words)), Counts(elements), None, count)
    assert found.shape == x.shape
    assert (found == x).all()


def test_what_follows_from_others_costs_nearly_nothing():
    x = rows(3000)
    elements = find_elements(x, SYMBOLS, perf_counter() + 10)
    last = next(e for e in elements if e.place == max(e.place for e in elements if e.parents))
    assert len(last.parents) == 2
    bits = 32 * len(code_of(elements, x))
    assert bits < 3000 * (np.log2(3) + 1) * 1.02


def test_a_prior_of_no_rows_is_uniform_and_probabilities_are_those_of_the_formula():
    elements = [Element(0, 3), Element(1, 2, (0,), (1,))]
    counts = Counts(elements)
    assert np.allclose(counts.pmf(1, np.zeros((2, 2), np.int64)), 0.5)
    counts.learn(np.array([[0, 1], [0, 1], [2, 0]]))
    x = np.array([[0, 0], [2, 0], [1, 0]])
    p0 = (np.array([1.0, 2.0]) + 0.5) / 4
    wanted = [(np.array([0, 2]) + 2 * p0) / 4, (np.array([1, 0]) + 2 * p0) / 3, p0]
    assert np.allclose(counts.pmf(1, x), wanted, rtol=1e-15)
    assert np.allclose(counts.pmf(0, x), (np.array([2, 0, 1]) + 1 / 3) / 4, rtol=1e-15)


def test_a_large_alphabet_comes_back():
    x = np.random.default_rng(0).integers(5000, size=(100, 1))
    elements = [Element(0, 5000)]
    assert (code_rows(Reader(decoder(code_of(elements, x))), Counts(elements), None, 100) == x).all()


def test_the_code_is_the_same_everywhere():
    """A golden vector: the format is defined by these numbers."""
    x = rows(500, seed=7)
    elements = [Element(2, 2), Element(0, 3, (2,), (0,)), Element(1, 1), Element(3, 4, (0, 2), (-2, 2))]
    assert sha256(code_of(elements, x).astype("<u4").tobytes()).hexdigest()[:16] == "815085c53d3a6133"


@pytest.mark.parametrize(
    "value",
    [
        None,
        [],
        [[0, [], []]],
        [[0, [], []], [0, [], []]],
        [[0, [1], [0]], [1, [], []]],
        [[0, [], []], [1, [0], []]],
        [[0, [], []], [1, [0], [40]]],
        [[0, [], []], [1, [0] * 40, [0] * 40]],
        [[0, [], []], [1, [0], ["x"]]],
        [[0, [], []], [True, [], []]],
        [[0, [], []], [5, [], []]],
        [[0, [], []], [1, [[]], [0]]],
    ],
)
def test_what_cannot_be_counted_by_is_damage(value):
    with pytest.raises(DamagedArchive, match="does not say what is counted"):
        elements_from_json(value, [2, 2])
