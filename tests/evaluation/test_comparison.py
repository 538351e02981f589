import numpy as np
import pytest
from scipy.signal import lfilter

from chainrule.errors import InputError
from chainrule.evaluation.block_bootstrap import block_length
from chainrule.evaluation.comparison import block_sums, bootstrap_interval, compare, holm, needed_examples, sign_flip_p
from chainrule.likelihood import LogLikelihood, Units


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


def covered(values, errors, truth):
    return float((np.abs(values - truth) <= 1.96 * errors).mean())


def test_the_error_of_the_mean_covers():
    rng = np.random.default_rng(5)
    ratios = []
    for _ in range(4 * TRIALS):
        counts = np.ones((200, 3), dtype=np.int64)
        ratios.append(LogLikelihood.of_counts(-80 + skewed(rng, 200), counts).nats_per_example)
    assert 0.93 <= covered(*zip_ratios(ratios), 80) <= 0.97


def test_the_error_of_a_ratio_with_varying_lengths_covers():
    """Long examples are harder by element: bits/dim is a ratio of sums, and no mean over examples is near it.

    A thousand examples: with 400 of them the tail of these lengths lets the interval cover 92.8 % only.
    """
    rng = np.random.default_rng(9)
    ratios = []
    for _ in range(4 * TRIALS):
        length = rng.geometric(0.05, 1000) + 4
        nats = -length * (1 + 0.01 * length + 0.2 * rng.gamma(2, 1, 1000))
        ratios.append(LogLikelihood.of_counts(nats, np.stack([length] * 3, 1)).bits_per_dim)
    mean, square = 4 + 20, 380 + 24**2  # of the lengths: the variance of this geometric law is 380
    truth = (1.4 * mean + 0.01 * square) / mean / np.log(2)
    assert 0.93 <= covered(*zip_ratios(ratios), truth) <= 0.97


def zip_ratios(ratios):
    return np.array([r.value for r in ratios]), np.array([r.standard_error for r in ratios])


def test_the_interval_of_a_paired_difference_covers():
    rng = np.random.default_rng(10)
    inside = 0
    for trial in range(TRIALS):
        shared = 20 * rng.normal(size=150)  # what is hard for both
        a, b = shared + skewed(rng, 150), shared + 0.5 * skewed(rng, 150) - 0.3
        low, high = bootstrap_interval(a - b, seed=trial, draws=999)
        inside += low <= 0.3 <= high
    assert 0.93 <= inside / TRIALS <= 0.97


def moving_average(rng, n, k=11):
    return np.convolve(skewed(rng, n + k - 1), np.ones(k), "valid")


def first_order(rng, n, share=0.6):
    return lfilter([1], [1, -share], skewed(rng, n + 100))[100:]


@pytest.mark.parametrize("stream", [moving_average, first_order])
def test_the_interval_of_a_stream_covers(stream):
    """Blocks by the rule, on 2000 windows whose neighbours go together; taken for independent they do not cover."""
    rng = np.random.default_rng(12)
    alone = together = 0
    for trial in range(TRIALS):
        d = stream(rng, 2000)
        low, high = bootstrap_interval(d, block_length(d), trial, draws=999)
        together += low <= 0 <= high
        alone += abs(d.mean()) <= 1.96 * d.std(ddof=1) / np.sqrt(len(d))
    assert alone / TRIALS < 0.75
    assert 0.93 <= together / TRIALS <= 0.97


def test_independent_examples_make_blocks_of_one():
    rng = np.random.default_rng(13)
    lengths = [block_length(skewed(rng, 1000)) for _ in range(50)]
    assert np.mean(np.array(lengths) == 1) > 0.8
    assert block_length(np.zeros(100)) == 1
    assert block_length(np.arange(5.0)) == 1


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


def test_units_are_compared_as_wholes():
    """Examples of a group gain alike: over groups a difference of nothing is significant as seldom as p says."""
    found_by_chance, covered = 0, 0
    for draw in range(40):
        rng = np.random.default_rng(draw)
        number = np.repeat(np.arange(60), rng.integers(1, 15, 60))
        a = rng.normal(size=60)[number] + 0.1 * rng.normal(size=len(number)) - 9
        units = Units("groups of g", number)
        found = compare(a, np.full(len(a), -9.0), units=units)
        ratio = LogLikelihood.of_counts(a, np.ones((len(a), 3), dtype=int), units=units).nats_per_example
        assert found.difference == pytest.approx(9 - ratio.value)
        assert found.standard_error == pytest.approx(ratio.standard_error, rel=1e-12)
        assert (found.unit, found.units) == ("groups of g", 60)
        found_by_chance += found.p_value <= 0.05
        covered += found.interval[0] <= 0 <= found.interval[1]
    assert found_by_chance <= 7
    assert covered >= 33
