"""Statistical checks: how seldom they accuse a sound sampler, and that they see what they say that they see."""

import re

import pytest
import torch
from scipy.stats import chi2, poisson

from chainrule import AutoregressiveModel, CategoricalHead, CausalConv, GaussianMixtureHead
from chainrule.heads.missing import MissingHead
from chainrule.verification.certificate.adapters import model_under_test
from chainrule.verification.certificate.sampler import fits
from chainrule.verification.certificate.sampling import FALSE_ALARM, LEAST_EXPECTED, chi_square, moved_share
from chainrule.verification.certificate.statistics import TOGETHER, Tally, correlations
from chainrule.verification.laws import randomised
from tests.mutants.parts import drawn_by, inverse


def test_all_statistics_of_a_certificate_together_accuse_less_than_once_in_a_million():
    """Up to three orders have draws with and without a prefix; each has counts of examples and repeats besides."""
    of_one_chain = 2 * TOGETHER + 2 * FALSE_ALARM
    of_orders = 2 * FALSE_ALARM
    assert 3 * of_one_chain + of_orders < 1e-6


@pytest.mark.parametrize("cells", [2, 3, 10])
def test_the_tail_of_counts_is_within_the_bound_of_chi_square(cells):
    """One pool with the fewest draws that a pool may expect: its count alone exceeds the bound less than 1e-8 often."""
    bound = chi2.isf(FALSE_ALARM / 100, cells - 1)
    far = LEAST_EXPECTED + (bound * LEAST_EXPECTED) ** 0.5
    assert poisson.sf(far, LEAST_EXPECTED) < FALSE_ALARM


def test_cells_are_pooled_with_their_neighbours():
    statistic, bound = chi_square(torch.full((10,), 12.0), torch.full((10,), 12.0))
    assert statistic == 0.0
    assert bound == chi2.isf(FALSE_ALARM / 100, 1)  # two pools of five
    assert chi_square(torch.tensor([60.0, 1.0]), torch.tensor([61.0, 0.0]))[0] == float("inf")
    assert moved_share(50.0, 2, 1000).startswith("sees a share of draws moved by 0.11")


def test_a_sound_sampler_is_far_from_the_bound():
    worst = 0.0
    for seed in range(200):
        u = torch.rand(64, 8, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
        tally = Tally("below a half", 1.0)
        below = (u < 0.5).double()
        tally.add(below - 0.5, torch.full_like(below, 0.25), torch.ones_like(u, dtype=torch.bool))
        worst = max(worst, tally.worst(10)[0], correlations(u, 10)[0])
    assert worst < 0.9


def test_what_is_missing_beside_a_density_is_one_outcome():
    model = AutoregressiveModel(CausalConv(None, 4, 8, depth=1), MissingHead(GaussianMixtureHead(8)))
    with torch.no_grad():
        check = fits(model_under_test(model), 2000, 4)
    assert check.passed, str(check)


def sampled_at(temperature, draws):
    model = drawn_by(lambda d, p, u, x: inverse(p.log_pmf().div(temperature).softmax(-1), u[:, d]), 16, 8)
    with torch.no_grad():
        return fits(model_under_test(model), draws, 8, prefixes=False)


def test_what_the_certificate_says_that_it_sees_is_seen():
    sound = sampled_at(1.0, 2000)
    assert sound.passed
    seen = float(re.search(r"a temperature off by ([0-9.e-]+)", sound.power)[1])
    assert 0.01 < seen < 0.3
    assert sampled_at(1 - 1.3 * seen, 2000).passed is False
    assert sampled_at(1 + 1.3 * seen, 2000).passed is False
    assert sampled_at(1 - 0.3 * seen, 2000).passed


def test_the_power_is_on_the_certificate():
    model = randomised(AutoregressiveModel(CausalConv(6, 8, 8, depth=1), CategoricalHead(8, 6)))
    with torch.no_grad():
        check = fits(model_under_test(model), 500, 8)
    assert "sees a share of draws moved by" in str(check)
    assert "a temperature off by" in str(check)
