"""How many rows are distinct."""

import numpy as np
import pytest

from chainrule.data.examples.distinct import count_distinct, row_hashes


@pytest.mark.parametrize("dtype", [np.uint8, np.int32, np.int64, np.float64])
@pytest.mark.parametrize("width", [1, 3, 8, 13])
def test_distinct_rows_are_counted(dtype, width):
    x = np.random.default_rng(width).integers(0, 3, (2000, width)).astype(dtype)
    assert count_distinct(x) == (len(np.unique(x, axis=0)), True)


def test_distinct_bytes_are_counted():
    assert count_distinct([b"a", b"b", b"a", b""]) == (3, True)
    assert count_distinct([]) == (0, True)


def test_of_many_rows_the_number_is_estimated():
    x = np.random.default_rng(0).integers(0, 250_000, (600_000, 1))
    distinct, counted = count_distinct(x, exact=1000)
    assert not counted
    assert distinct == pytest.approx(len(np.unique(x)), rel=0.02)


def test_of_few_distinct_rows_the_estimate_is_exact():
    x = np.random.default_rng(0).integers(0, 30, (5000, 2))
    assert count_distinct(x, exact=1000) == (len(np.unique(x, axis=0)), True)


def test_the_order_of_the_columns_counts():
    a, b = np.array([[1, 2]]), np.array([[2, 1]])
    assert next(row_hashes(a)) != next(row_hashes(b))
