from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from chainrule import Batch, InputError, LogLikelihood
from chainrule.likelihood import Protocol, Ratio, Units

LN2 = np.log(2)


def batch_of(elements, dims=None, bytes_=None):
    mask = torch.arange(max(elements)) < torch.tensor(elements)[:, None]
    counts = {
        "dims": None if dims is None else torch.tensor(dims),
        "bytes": None if bytes_ is None else torch.tensor(bytes_),
    }
    return Batch(torch.zeros(mask.shape, dtype=torch.long), mask, **counts)


def test_metrics_are_those_of_the_definition():
    rng = np.random.default_rng(0)
    nats = -rng.gamma(3.0, 20.0, 50)
    elements, dims, bytes_ = rng.integers(1, 9, 50), rng.integers(3, 99, 50), rng.integers(1, 40, 50)
    total = LogLikelihood.of(batch_of(elements.tolist(), dims, bytes_), torch.tensor(nats))

    def ratio(weight, unit=1.0):
        r = nats.sum() / weight.sum()
        error = np.sqrt(50 / 49 * ((nats - r * weight) ** 2).sum()) / weight.sum()
        return -r / unit, error / unit

    for metric, expected in (
        (total.nats_per_example, (-nats.mean(), nats.std(ddof=1) / np.sqrt(50))),
        (total.nats_per_element, ratio(elements)),
        (total.bits_per_dim, ratio(dims, LN2)),
        (total.bits_per_byte, ratio(bytes_, LN2)),
    ):
        assert (metric.value, metric.standard_error) == pytest.approx(expected, rel=1e-12)
    assert total.perplexity.value == pytest.approx(np.exp(-nats.sum() / elements.sum()), rel=1e-12)
    assert total.total_nats == pytest.approx(nats.sum(), rel=1e-15)
    assert (total.examples, total.elements, total.dims) == (50, elements.sum(), dims.sum())


@given(st.lists(st.floats(-1e6, 0), min_size=2, max_size=30), st.lists(st.integers(0, 30), max_size=4))
def test_any_split_adds_up_to_the_same(nats, cuts):
    borders = [0, *sorted(min(cut, len(nats)) for cut in cuts), len(nats)]
    elements = [1 + n % 5 for n in range(len(nats))]
    whole = LogLikelihood.of(batch_of(elements), torch.tensor(nats, dtype=torch.float64))
    parts = LogLikelihood.zero()
    for a, b in pairwise(borders):
        if b > a:
            parts += LogLikelihood.of(batch_of(elements[a:b]), torch.tensor(nats[a:b], dtype=torch.float64))
    for metric in ("nats_per_example", "nats_per_element", "bits_per_dim"):
        one, other = getattr(whole, metric), getattr(parts, metric)
        assert other.value == pytest.approx(one.value, rel=1e-12, abs=1e-12)
        assert other.standard_error == pytest.approx(one.standard_error, rel=1e-6, abs=1e-6 * abs(one.value) + 1e-12)


def test_standard_errors_survive_a_large_offset():
    # A sum of squares would lose all digits here: sd 1e-3 on a mean of 1e6.
    nats = torch.tensor([-1e6 + 1e-3 * (-1) ** n for n in range(100)], dtype=torch.float64)
    total = sum((LogLikelihood.of(batch_of([1]), nats[n : n + 1]) for n in range(100)), LogLikelihood.zero())
    assert total.nats_per_example.standard_error == pytest.approx(nats.std().item() / 10, rel=1e-6)


def test_impossible_examples_are_counted_and_shown():
    total = LogLikelihood.of(batch_of([2, 2, 2]), torch.tensor([-1.0, -torch.inf, -3.0]))
    assert (total.examples, total.elements, total.impossible) == (3, 6, 1)
    assert total.total_nats == -np.inf
    assert total.nats_per_example.value == np.inf
    assert total.possible.nats_per_example.value == 2.0
    record = total.to_json()
    assert record["nats_per_example"] == "inf"
    assert record["nats_per_example_of_possible"] == 2.0


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_what_is_no_log_probability_is_refused(bad):
    with pytest.raises(InputError, match="example 1"):
        LogLikelihood.of(batch_of([1, 1]), torch.tensor([0.0, bad]))


def test_densities_may_exceed_one():
    assert LogLikelihood.of(batch_of([1]), torch.tensor([7.0])).nats_per_example.value == -7.0


def clustered(rng, units=60):
    """ln p and lengths of examples in units of one to nine, alike within a unit."""
    sizes = rng.integers(1, 10, units)
    number = np.repeat(np.arange(units), sizes)
    counts = rng.integers(2, 7, len(number))[:, None].repeat(3, 1)
    nats = -counts[:, 0] * (2 + rng.normal(size=units)[number]) + 0.1 * rng.normal(size=len(number))
    return nats, counts, Units("groups of g", rng.permutation(units)[number])


def test_the_standard_error_over_units_is_that_of_a_ratio_of_their_sums():
    nats, counts, units = clustered(np.random.default_rng(0))
    found = LogLikelihood.of_counts(nats, counts, units=units)
    sums = [
        (nats[units.number == u].sum(), (units.number == u).sum(), counts[units.number == u, 0].sum())
        for u in range(60)
    ]
    a, n, w = np.array(sums).T
    for ratio, below in ((found.nats_per_example, n), (found.nats_per_element, w)):
        r = a.sum() / below.sum()
        assert ratio.value == pytest.approx(-r)
        expected = np.sqrt(60 / 59 * ((a - r * below) ** 2).sum()) / below.sum()
        assert ratio.standard_error == pytest.approx(expected, rel=1e-12)
    assert found.total_nats == LogLikelihood.of_counts(nats, counts).total_nats
    record = found.to_json()
    assert (record["unit"], record["units"], record["examples"]) == ("groups of g", 60, len(nats))


def test_log_likelihoods_of_whole_units_add_exactly():
    nats, counts, units = clustered(np.random.default_rng(1))
    whole = LogLikelihood.of_counts(nats, counts, units=units)
    first = units.number < 17
    parts = [
        LogLikelihood.of_counts(nats[some], counts[some], units=Units(units.name, units.number[some]))
        for some in (first, ~first)
    ]
    together = LogLikelihood.zero() + parts[0] + parts[1]
    for name in ("nats_per_example", "bits_per_dim"):
        one, other = getattr(whole, name), getattr(together, name)
        assert (one.value, one.standard_error) == pytest.approx((other.value, other.standard_error), rel=1e-12)
    assert (together.unit, together.units) == ("groups of g", 60)
    with pytest.raises(InputError, match="groups of g and of examples do not add"):
        parts[0] + LogLikelihood.of_counts(nats, counts)


def test_units_of_one_example_are_examples():
    nats, counts, _ = clustered(np.random.default_rng(2))
    alone = LogLikelihood.of_counts(nats, counts)
    named = LogLikelihood.of_counts(nats, counts, units=Units("distinct examples", np.arange(len(nats))[::-1].copy()))
    assert named.bits_per_dim.standard_error == pytest.approx(alone.bits_per_dim.standard_error, rel=1e-12)


def test_one_unit_has_no_standard_error_however_many_examples_it_has():
    found = LogLikelihood.of_counts(
        np.arange(-9.0, 0), np.ones((9, 3), dtype=int), units=Units("g", np.zeros(9, dtype=int))
    )
    assert np.isnan(found.nats_per_example.standard_error)
    assert found.nats_per_example.value == 5


def test_impossible_examples_are_left_out_of_their_unit():
    nats, number = np.array([-1.0, -np.inf, -3.0, -np.inf]), np.array([0, 0, 1, 2])
    found = LogLikelihood.of_counts(nats, np.ones((4, 3), dtype=int), units=Units("g", number))
    assert (found.impossible, found.units) == (2, 2)
    assert found.possible.nats_per_example.standard_error == pytest.approx(1.0)


def test_intervals_over_units_cover_the_mean_where_contents_repeat():
    """Each of 80 contents stands up to 19 times: over them two standard errors cover, over examples they do not."""
    covered = {"units": 0, "examples": 0}
    for draw in range(300):
        rng = np.random.default_rng(draw)
        number = np.repeat(np.arange(80), rng.integers(1, 20, 80))
        nats, counts = rng.normal(-5, 1, 80)[number], np.ones((len(number), 3), dtype=int)
        for name, units in (("units", Units("distinct examples", number)), ("examples", None)):
            found = LogLikelihood.of_counts(nats, counts, units=units).nats_per_example
            covered[name] += abs(found.value - 5) <= 2 * found.standard_error
    assert covered["units"] >= 270  # of 300; 285 are expected
    assert covered["examples"] < 200


def test_two_protocols_do_not_add():
    parts = [LogLikelihood.of(batch_of([1]), torch.tensor([-1.0]), Protocol(end=end)) for end in ("given", "scored")]
    with pytest.raises(InputError, match="two protocols"):
        parts[0] + parts[1]


def test_one_example_has_no_standard_error():
    assert np.isnan(LogLikelihood.of(batch_of([1]), torch.tensor([-1.0])).nats_per_example.standard_error)


def test_a_ratio_prints_the_digits_that_its_error_allows():
    assert str(Ratio(1234.5678, 12.3)) == "1235 ± 12"
    assert str(Ratio(0.0123456, 0.00012)) == "0.01235 ± 0.00012"
    assert str(Ratio(float("inf"), float("nan"))) == "inf"


def _reduce(rank, world, folder):
    import torch.distributed as dist

    dist.init_process_group("gloo", init_method=f"file://{folder}/store", rank=rank, world_size=world)
    mine = LogLikelihood.of(batch_of([1 + rank]), torch.tensor([-1.0 - rank]))
    everything = mine.all_reduced()
    assert (everything.examples, everything.elements, everything.total_nats) == (2, 3, -3.0)
    assert everything.nats_per_example.standard_error == pytest.approx(0.5)
    dist.destroy_process_group()


@pytest.mark.slow
@pytest.mark.distributed
def test_all_reduced_is_the_sum_over_processes(tmp_path):
    torch.multiprocessing.spawn(_reduce, args=(2, tmp_path), nprocs=2)
