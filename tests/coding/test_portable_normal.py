"""The normal distribution by portable arithmetic against that of PyTorch."""

import numpy as np
import torch

from chainrule.coding.portable_normal import portable_ndtr, portable_score


def test_the_normal_distribution_is_right_on_both_sides():
    # `ndtr` has nothing left below -8.3
    z = np.linspace(-25, 25, 20_001)
    for ours, sign in zip(portable_ndtr(z), (1, -1), strict=True):
        wanted = torch.special.log_ndtr(torch.from_numpy(sign * z)).exp().numpy()
        assert np.abs(ours / wanted - 1).max() < 1e-13
    below, above = portable_ndtr(np.array([-1e300, 1e300, np.inf]))
    assert below.round(9).tolist() == [0.0, 1.0, 1.0]
    assert above.round(9).tolist() == [1.0, 0.0, 0.0]


def test_normal_scores_are_right():
    p = np.concatenate([np.geomspace(1e-290, 0.5, 20_001), np.linspace(1e-3, 0.5, 2001)])
    wanted = torch.special.ndtri(torch.from_numpy(p)).numpy()
    assert np.abs(portable_score(p, 1 - p) - wanted).max() < 1e-12
    assert np.array_equal(portable_score(1 - p, p)[p < 0.5], -portable_score(p, 1 - p)[p < 0.5])
    assert portable_score(np.array([0.0, 1.0]), np.array([1.0, 0.0])).tolist() == [-np.inf, np.inf]
