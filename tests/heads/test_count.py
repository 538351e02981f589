"""Counts at the largest number that a float64 holds exactly."""

import pytest
import torch

from chainrule.heads.count import LARGEST, Count


@pytest.mark.parametrize("mean", [0.0, 30.0, 36.0, 40.0, 1e5])
def test_all_that_is_beyond_the_largest_count_counts_as_it(mean):
    """p sums to one over 0 to 2^53, and draws are cut to it: as many are there as p says."""
    zero = torch.zeros(20_000, 1, dtype=torch.float64)
    p = Count(zero, zero + mean, zero)
    last = torch.full((20_000,), LARGEST, dtype=torch.float64)
    assert bool((p.cdf(last) == 1).all())
    mass = p.log_prob(last).exp()
    torch.testing.assert_close(mass, 1 - p.cdf(last - 1), atol=1e-9, rtol=0)
    drawn = p.icdf(torch.rand(20_000, generator=torch.Generator().manual_seed(0), dtype=torch.float64))
    assert abs(float((drawn == last).double().mean() - mass[0])) < 5 * float(
        (mass[0] * (1 - mass[0]) / 20_000).sqrt() + 1e-9
    )
