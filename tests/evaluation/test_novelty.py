import numpy as np
import pytest

from chainrule.errors import InputError
from chainrule.evaluation.novelty import Novelty, conformal_p


def test_the_false_positive_rate_is_as_stated():
    rng = np.random.default_rng(0)
    for level in (0.01, 0.05, 0.2):
        flagged = [(conformal_p(rng.gamma(2, 1, 100), rng.gamma(2, 1, 99)) <= level).mean() for _ in range(300)]
        assert np.mean(flagged) <= level * 1.15
        assert np.mean(flagged) >= level * 0.8


def test_conformal_p_by_hand():
    scores, reference = np.array([0.5, 1.0, 7.0]), np.array([1.0, 2.0, 1.0, 5.0])
    by_hand = [(1 + sum(r >= s for r in reference)) / 5 for s in scores]
    assert conformal_p(scores, reference).tolist() == by_hand


def test_what_is_too_probable_is_strange_too():
    rng = np.random.default_rng(1)
    novelty = Novelty(rng.normal(-85, 10, 400))
    columns = novelty.columns(np.array([-85.0, -20.0, -150.0, -np.inf]))
    assert columns["p_typicality"][0] > 0.5
    assert (columns["p_typicality"][1:] < 0.01).all()
    assert columns["typicality"][3] == np.inf


def test_the_ratio_takes_the_background_out():
    reference, background = np.array([-80.0, -90.0]), np.array([-100.0, -110.0])
    novelty = Novelty(reference, background)
    columns = novelty.columns(np.array([-20.0, -np.inf]), np.array([-21.0, -5.0]))
    assert columns["ratio"].tolist() == [-1.0, np.inf]
    assert columns["p_ratio"].tolist() == pytest.approx([1 / 3, 1 / 3])


def test_bad_input():
    with pytest.raises(InputError, match="2 held-out"):
        Novelty(np.zeros(1))
    with pytest.raises(InputError, match="background scores"):
        Novelty(np.zeros(3), np.zeros(2))
