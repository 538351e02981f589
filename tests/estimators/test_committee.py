"""Small tables: a committee of cross-validation."""

import pickle

import numpy as np
import pytest

from chainrule import ARMDensity


@pytest.mark.slow
def test_a_small_table_has_a_committee_in_which_every_row_is_left_out_once():
    X = np.random.default_rng(0).normal(size=(40, 2)) @ np.array([[1.0, 0.9], [0.0, 0.4]])
    model = ARMDensity(random_state=0).fit(X)
    spec = model.run_.config["model"]
    experts = [expert["network"]["name"] for expert in spec["experts"]]
    assert (spec["members"], experts) == (
        5,
        [*["joint_gaussians"] * 6, *["kernels"] * 6, *["boosted_trees"] * len(experts[12:])],
    )
    scorer = model._scorer
    assert scorer.held_out_rows.tolist() == list(range(40))
    assert model.nats_ == pytest.approx(-scorer.held_out.mean())
    assert model.nats_ > -model.score(X)  # a row is less probable to who has not seen it
    weights = model.run_.chain().network.hindsight.log_weight.exp()
    assert float(weights.sum()) == pytest.approx(1)
    copy = pickle.loads(pickle.dumps(model))
    assert np.array_equal(copy.score_samples(X), model.score_samples(X))
    assert model.sample(3, random_state=0).shape == (3, 2)


def test_who_says_how_to_fit_has_one_model():
    X = np.random.default_rng(0).normal(size=(40, 2))
    model = ARMDensity(steps=5, random_state=0).fit(X)
    assert "members" not in model.run_.config["model"]
    assert len(model._scorer.held_out_rows) == 4
