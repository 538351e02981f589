"""Row numbers in a random order that is computed, not stored."""

import numpy as np
import pytest
from scipy import stats

from chainrule.data.examples.random_split import places, random_split


@pytest.mark.parametrize("total", [1, 2, 3, 4, 5, 7, 10, 16, 17, 100, 101, 1000, 4096, 4097, 65537])
@pytest.mark.parametrize("seed", [0, 1, -3, 2**70])
def test_places_are_a_permutation_of_the_rows(total, seed):
    assert np.array_equal(np.sort(places(np.arange(total), total, seed)), np.arange(total))


def test_a_place_is_a_function_of_the_row_alone():
    every = places(np.arange(1000), 1000, 5)
    assert np.array_equal(places(np.array([7, 999, 7]), 1000, 5), every[[7, 999, 7]])


def test_another_seed_gives_another_order():
    assert (places(np.arange(1000), 1000, 0) != places(np.arange(1000), 1000, 1)).mean() > 0.98


@pytest.mark.parametrize(("total", "shares"), [(10, (0.8, 0.1, 0.1)), (999, (0.5, 0.25, 0.25)), (100, (0.9, 0.1, 0.0))])
def test_every_split_has_its_share_and_every_row_is_in_one(total, shares):
    parts = random_split(total, shares)
    assert np.array_equal(np.sort(np.concatenate(parts)), np.arange(total))
    assert all(abs(len(part) - share * total) <= 1 for part, share in zip(parts, shares, strict=True))


def test_the_split_is_a_stored_constant():
    assert random_split(20, (0.6, 0.2, 0.2))[2].tolist() == [1, 2, 3, 8]


@pytest.mark.slow
@pytest.mark.parametrize("total", [12, 50, 1000])
def test_every_row_is_as_likely_as_any_to_be_in_test(total):
    """Over seeds, the number of times that each row is in test is binomial: chi-squared over the rows."""
    seeds = 2000
    counts = np.zeros(total)
    for seed in range(seeds):
        counts[random_split(total, (0.5, 0.25, 0.25), seed)[2]] += 1
    share = counts.sum() / seeds / total
    z = (counts - seeds * share) / np.sqrt(seeds * share * (1 - share))
    freedom = total - 1
    assert stats.chi2.sf((z**2).sum() * (1 - 1 / total), freedom) > 1e-4


@pytest.mark.slow
@pytest.mark.parametrize("gap", [1, 2, 8, 64])
def test_neighbours_are_in_test_as_if_drawn_apart(gap):
    """Rows n and n + gap are both in test as often as two rows drawn without replacement."""
    total, seeds, share = 256, 1000, 0.25
    both = 0
    for seed in range(seeds):
        inside = np.zeros(total, dtype=bool)
        inside[random_split(total, (0.5, 0.25, 0.25), seed)[2]] = True
        both += int((inside[:-gap] & inside[gap:]).sum())
    pairs = seeds * (total - gap)
    expected = share * (share * total - 1) / (total - 1)
    assert abs(both / pairs - expected) < 5 * np.sqrt(expected / pairs)
