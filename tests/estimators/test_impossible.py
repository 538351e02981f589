"""Values that the columns of the fitted rows never had."""

import pickle

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from chainrule import ARMClassifier, ARMDensity, ARMNovelty
from chainrule.estimators.scorer import Scorer

QUICK = {"steps": 5, "random_state": 0, "network": "nade", "experts": "none"}
RNG = np.random.default_rng(0)
FRAME = pd.DataFrame(
    {"size": RNG.normal(size=80).round(1), "city": ["Rome", "Rome", "Rome", "Oslo"] * 20, "n": RNG.poisson(40, 80)}
)


@pytest.fixture(scope="module")
def density():
    return ARMDensity(**QUICK).fit(FRAME)


def row(**cells):
    return pd.DataFrame([{"size": 0.5, "city": "Rome", "n": 40} | cells])


def test_a_number_between_two_steps_has_the_mass_of_the_nearest(density):
    with pytest.warns(
        UserWarning, match=r"1 of 1 rows have numbers between the steps of 'size' \(real, resolution 0.1"
    ):
        found = density.score_samples(row(size=0.5312))
    assert found == density.score_samples(row())
    assert pickle.loads(pickle.dumps(density)).score_samples(row()) == density.score_samples(row())


@pytest.mark.parametrize("cells", [{"n": -3}, {"size": None}, {"size": "large"}], ids=str)
def test_a_value_that_a_column_cannot_have_has_probability_zero_and_a_warning(density, cells):
    with pytest.warns(UserWarning, match=f"1 of 1 rows have probability zero.* '{next(iter(cells))}'"):
        assert density.score_samples(row(**cells)) == -np.inf


def test_a_name_that_was_never_there_has_probability_zero(density):
    assert density.score_samples(row(city="Kyiv")) == -np.inf


def test_rows_with_impossible_values_are_scored_by_the_rest_and_by_how_many_there_are():
    model = ARMNovelty(**QUICK, alpha=0.1).fit(FRAME)
    cost = np.log(len(FRAME) * 0.8 + 1)
    usual = model.score_samples(row(city="Rome"))
    assert model.score_samples(row(city="Kyiv")) == pytest.approx(usual - cost)
    assert model.score_samples(row(city="Kyiv", size=0.5312)) == pytest.approx(usual - 2 * cost)
    assert model.score_samples(row(city="Kyiv", size=9.0)) < model.score_samples(row(city="Kyiv"))
    assert np.isfinite(model.score_samples(row(size="large", n=None)))


def test_a_text_among_numbers_of_a_calibration_row_is_a_low_score():
    frame = FRAME.astype({"size": object})
    rows = ARMNovelty(**QUICK, alpha=0.1).fit(frame).calibration_rows_
    frame.loc[rows[0], "size"] = "large"
    model = ARMNovelty(**QUICK, alpha=0.1).fit(frame)
    before = ARMNovelty(**QUICK, alpha=0.1).fit(FRAME.astype({"size": object})).calibration_scores_
    assert before[0] - 6 < model.calibration_scores_[0] < before[0]
    np.testing.assert_array_equal(model.calibration_scores_[1:], before[1:])


def test_columns_on_one_scale_have_all_its_levels():
    X = RNG.integers(0, 6, (60, 6)).astype(float)
    X[:, 0] = 0
    X[:, 1] = np.minimum(X[:, 1], 1)
    new = X[:1] + 0
    new[0, :2] = 3, 5
    assert np.isfinite(ARMDensity(**QUICK).fit(X).score_samples(new)).all()
    assert np.isfinite(ARMClassifier(**QUICK).fit(X, np.arange(60) % 2).score_samples(new)).all()
    told = ARMDensity(**QUICK, columns={"x0": "constant"}).fit(X)
    assert told.score_samples(new) == -np.inf


@pytest.mark.parametrize("value", [1e101, -1e160, 1e308])
def test_a_huge_number_is_impossible_to_a_density_and_finite_to_novelty(value):
    X = np.random.default_rng(0).normal(size=(60, 2))
    row = np.array([[value, 0.5]])
    with pytest.warns(UserWarning, match="out of range"):
        assert ARMDensity(**QUICK).fit(X).score_samples(row) == -np.inf
    assert np.isfinite(ARMNovelty(**QUICK, alpha=0.1).fit(X).score_samples(row)).all()


def test_a_state_of_before_is_read():
    """It said neither how many rows there were nor what is usual, and an impossible row was impossible."""
    scorer = ARMDensity(**QUICK).fit(FRAME)._scorer
    state = {name: value for name, value in scorer.state().items() if name not in ("rows", "usual", "finite")}
    again = Scorer.from_state(state)
    assert not again.finite
    table = pa.Table.from_pandas(FRAME)
    np.testing.assert_allclose(again.log_prob(table), scorer.log_prob(table), rtol=1e-6)
