"""Exact products: the same bits in any order, equal to whole numbers, and near the product that they stand for."""

from fractions import Fraction

import numpy as np
import pytest

from chainrule.coding.exact_products import ExactProduct, on_grid
from chainrule.coding.portable_heads import softmax
from chainrule.coding.portable_numbers import halved_sum
from chainrule.errors import InputError


@pytest.mark.parametrize("scale", [1e-4, 1.0, 300.0])
@pytest.mark.parametrize("inputs", [1, 7, 300])
def test_sums_are_exact_in_any_order(scale, inputs):
    random = np.random.default_rng(inputs)
    weight, bound = random.standard_normal((inputs, 5)) * scale, np.full(inputs, 16.0)
    product = ExactProduct(weight, bound)
    x = on_grid(random.uniform(-16, 16, (40, inputs)))
    x[0] = 16 * np.sign(product.weight[:, 0])  # as large as a sum can be
    y, order = product.of(x), random.permutation(inputs)
    assert np.array_equal(y, x[:, order] @ product.weight[order])
    assert np.array_equal(y[3:4], product.of(x[3:4]))
    exact = [sum(Fraction(a) * Fraction(b) for a, b in zip(x[n], product.weight[:, 0], strict=True)) for n in (0, 1)]
    assert [Fraction(value) for value in y[:2, 0]] == exact
    assert (np.abs(y) <= product.largest).all()
    assert np.abs(y - x @ weight).max() < 1e-5 * max(scale, 1)


def test_weights_without_enough_bits_are_refused():
    with pytest.raises(InputError, match="leave too few bits"):
        ExactProduct(np.ones((2, 1)), np.array([1.0, 2.0**33]))
    assert ExactProduct(np.zeros((3, 2)), np.ones(3)).of(np.ones((4, 3))).tolist() == [[0.0, 0.0]] * 4


def test_a_softmax_of_any_logits():
    s = np.random.default_rng(0).standard_normal((50, 7)) * 8
    wanted = np.exp(s - s.max(1, keepdims=True))
    assert np.abs(softmax(s) - wanted / wanted.sum(1, keepdims=True)).max() < 1e-5
    assert softmax(np.array([[1e300, -1e300]])).tolist()[0][0] == 1.0


@pytest.mark.parametrize("count", [1, 2, 3, 64, 100])
def test_a_sum_by_halves(count):
    x = np.random.default_rng(0).standard_normal((3, count))
    assert np.allclose(halved_sum(x)[:, 0], x.sum(1), rtol=1e-13, atol=1e-13)
    assert np.array_equal(halved_sum(x)[1:2], halved_sum(x[1:2]))
