import numpy as np
import pytest

from chainrule.comparison import block_sums, bootstrap_interval, compare, holm, needed_examples, sign_flip_p
from chainrule.errors import InputError
from chainrule.likelihood import LogLikelihood


def test_the_figures_are_those_by_hand():
    rng = np.random.default_rng(0)
    a, b = rng.normal(-80, 10, 50), rng.normal(-80, 10, 50)
    result = compare(a, b)
    d = a - b
    assert result.difference == pytest.approx(d.mean())
    assert result.standard_error == pytest.approx(d.std(ddof=1) / np.sqrt(50))
    assert result.b_better == (d < 0).mean()
    assert compare(b, a).difference == pytest.approx(-result.difference)
    assert compare(b, a).p_value == pytest.approx(result.p_value, abs=0.02)


def test_sign_flips_match_the_enumeration():
    d = np.array([1.0, 2.0, -0.5, 3.0, 0.7])
    signs = 1 - 2 * ((np.arange(32)[:, None] >> np.arange(5)) & 1)
    exact = (np.abs(signs @ d) >= abs(d.sum()) - 1e-12).mean()
    assert sign_flip_p(d) == pytest.approx(exact, abs=0.015)


def test_blocks():
    assert block_sums(np.arange(5.0), 2).tolist() == [1, 5, 4]
    d = np.repeat(np.random.default_rng(1).normal(size=100), 10)  # ten neighbours are the same
    wide, narrow = (np.diff(bootstrap_interval(d, block))[0] for block in (10, 1))
    assert wide > 2.3 * narrow
    assert compare(d, 0 * d, block=10).standard_error > 2.5 * compare(d, 0 * d).standard_error


def test_impossible_examples_decide():
    a, b = np.array([-1.0, -np.inf, -2.0]), np.array([-1.5, -3.0, -2.5])
    result = compare(a, b, ("x", "y"))
    assert result.impossible == (1, 0)
    assert result.examples == 2
    assert "x calls 1 more" in result.verdict


def test_bad_input():
    with pytest.raises(InputError, match="same examples"):
        compare(np.zeros(3), np.zeros(4))
    with pytest.raises(InputError, match="NaN"):
        compare(np.array([np.nan, 0]), np.zeros(2))
    with pytest.raises(InputError, match="block"):
        compare(np.zeros(4), np.zeros(4), block=3)
    with pytest.raises(InputError, match="nothing to compare"):
        compare(np.array([-np.inf]), np.zeros(1))


def test_no_difference_needs_no_number():
    assert compare(np.zeros(4), np.zeros(4)).needed is None
    assert compare(np.zeros(4), np.zeros(4)).p_value == 1


def test_holm_keeps_order_and_never_lowers():
    p = [0.2, 0.001, 0.03, 0.03]
    corrected = holm(p)
    assert all(c >= q for c, q in zip(corrected, p, strict=True))
    assert corrected[1] == pytest.approx(0.004)


# --- by simulation: a truth that is known ----------------------------------------------------------------------------

TRIALS = 500


def skewed(rng, n, shift=0.0):
    """Differences as they come: skewed, heavy on one side, with a mean that is known."""
    return rng.gamma(4.0, 0.5, n) - 2.0 + shift


def test_intervals_cover():
    rng = np.random.default_rng(5)
    bootstrap = normal = 0
    for trial in range(TRIALS):
        d = skewed(rng, 200)
        low, high = bootstrap_interval(d, seed=trial, draws=999)
        bootstrap += low <= 0 <= high
        counts = np.ones((200, 3), dtype=np.int64)
        ratio = LogLikelihood.of_counts(-80 + d, counts).nats_per_example
        normal += abs(ratio.value - 80) <= 1.96 * ratio.standard_error
    assert 0.93 <= bootstrap / TRIALS <= 0.97
    assert 0.93 <= normal / TRIALS <= 0.97


def test_block_intervals_cover_a_stream():
    rng = np.random.default_rng(6)
    covered = {1: 0, 25: 0}
    for trial in range(200):
        noise = rng.normal(size=1010)
        d = np.convolve(noise, np.ones(11) / np.sqrt(11), "valid")
        for block in covered:
            low, high = bootstrap_interval(d, block, trial, draws=999)
            covered[block] += low <= 0 <= high
    assert covered[1] / 200 < 0.6  # what happens if neighbours are taken for independent
    assert 0.90 <= covered[25] / 200 <= 0.98


def test_the_paired_test_keeps_its_level():
    rng = np.random.default_rng(7)
    wrong = sum(sign_flip_p(skewed(rng, 100), trial, 999) <= 0.05 for trial in range(TRIALS))
    assert 0.03 <= wrong / TRIALS <= 0.075


def test_the_announced_number_of_examples_is_enough():
    """A difference of 0.2 % of 80 nats, with the spread of two models that mostly agree."""
    rng = np.random.default_rng(8)
    difference, spread = 0.002 * 80, 1.0
    announced = needed_examples(difference, spread)
    found = sum(sign_flip_p(skewed(rng, announced, difference), trial, 999) <= 0.05 for trial in range(TRIALS))
    assert 0.75 <= found / TRIALS <= 0.88
