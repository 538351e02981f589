"""The first whole number that reaches something: of all sizes, and it always ends."""

import pytest
import torch

from chainrule.heads.average import Average
from chainrule.heads.gaussian_mixture import GaussianMixture
from chainrule.heads.whole_search import first_reached


def test_it_is_the_first():
    wanted = torch.tensor([-7.0, -6.0, 0.0, 3.0, 99.0, 1e9, 2.0**52 + 1]).double()
    found = first_reached(lambda k: k >= wanted, wanted.new_full(wanted.shape, -8.0), wanted + 2.0**40)
    assert torch.equal(found, wanted)


@pytest.mark.timeout(60)
@pytest.mark.parametrize("far", [2.0**53, 1e17, 1e300, torch.inf])
def test_it_ends_where_neighbours_are_further_apart_than_one(far):
    ends = torch.tensor([-far, 0.0, 2.0**53 - 1]).double(), torch.tensor([far, far, 2.0**53 + 2]).double()
    for reached in (lambda k: k > 3e16, lambda k: k > torch.inf, lambda k: k > -torch.inf):
        found = first_reached(reached, *(end.clone() for end in ends))
        assert bool((found <= ends[1]).all())


@pytest.mark.timeout(60)
@pytest.mark.parametrize("far", [1e15, 1e17, 1e40])
def test_an_average_of_numbers_far_apart_is_drawn_from(far):
    zero, one = torch.zeros(3, 1).double(), torch.ones(()).double()
    p = Average([GaussianMixture(zero, mean, zero, 0 * one, one, one) for mean in (zero, zero + far)])
    x = p.icdf(torch.tensor([0.25, 0.75, 1 - 1e-16]).double())
    assert abs(float(x[0])) < 2
    assert float(x[1]) == pytest.approx(far)
    assert float(x[2]) >= 0.99 * far
