"""Novelty: what is called new, and how often that is wrong."""

import pickle

import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import load_breast_cancer

from chainrule import ARMNovelty, InputError

QUICK = {"steps": 5, "random_state": 0}


def test_nothing_else_reads_the_calibration_rows():
    """Whatever stands in them, the model and its scores of other rows are the same, bit for bit."""
    X = pd.DataFrame(np.random.default_rng(0).normal(size=(60, 2)).round(1), columns=["a", "b"])
    one = ARMNovelty(**QUICK, alpha=0.1).fit(X)
    assert len(one.calibration_rows_) == 12
    others = X.drop(index=one.calibration_rows_)
    X.iloc[one.calibration_rows_] = [[1e9, np.nan]] * 6 + [[0.1234, -3.0]] * 6
    two = ARMNovelty(**QUICK, alpha=0.1).fit(X)
    assert list(two.calibration_rows_) == list(one.calibration_rows_)
    assert np.array_equal(one.score_samples(others), two.score_samples(others))
    assert not np.array_equal(one.calibration_scores_, two.calibration_scores_)


class Centre:
    """In place of a fitted model, for many fits: ln p falls with the distance from the mean."""

    def __init__(self, table, *_):
        self.mean = np.array(table["x0"]).mean()
        self.held_out = self.log_prob(table.slice(0, 5))
        self.run = None

    def log_prob(self, table):
        return -np.abs(np.array(table["x0"]) - self.mean).round(1)  # many are equal


@pytest.mark.parametrize("measure", ["typicality", "log_prob"])
def test_the_rate_of_false_alarms_is_kept_over_fits(monkeypatch, measure):
    """Of m = 40 calibration rows two lie below the offset: the rate of a fit is Beta(2, 39) if no scores are equal."""
    monkeypatch.setattr("chainrule.estimators.rows.Scorer.fit", Centre)
    monkeypatch.setattr("chainrule.estimators.rows._unit", lambda run: "density")
    rng, fits, new, rates = np.random.default_rng(0), 300, 100, []
    for seed in range(fits):
        X = rng.standard_t(3, size=(200 + new, 1))
        model = ARMNovelty(measure=measure, random_state=seed).fit(X[:200])
        assert len(model.calibration_rows_) == 40
        rates.append((model.predict(X[200:]) == -1).mean())
        assert np.array_equal(model.predict(X[200:]) == -1, model.p_values(X[200:]) <= 0.05)
    expected = 2 / 41
    error = np.sqrt(expected * (1 - expected) * (1 / 42 + 1 / new) / fits)
    assert expected - 0.02 < np.mean(rates) < expected + 3 * error


@pytest.mark.soak
def test_the_rate_of_false_alarms_is_kept_by_networks():
    """Of m = 40 calibration rows two lie below the offset: the rate of a fit is Beta(2, 39), their mean 2/41."""
    rng, fits, new, rates = np.random.default_rng(0), 20, 200, []
    for seed in range(fits):
        X = rng.standard_t(3, size=(200 + new, 3))
        model = ARMNovelty(steps=20, random_state=seed).fit(X[:200])
        rates.append((model.predict(X[200:]) == -1).mean())
    expected = 2 / 41
    error = np.sqrt(expected * (1 - expected) * (1 / 42 + 1 / new) / fits)
    assert abs(np.mean(rates) - expected) < 3 * error


def test_too_few_calibration_rows_for_alpha_are_told_at_fit(monkeypatch):
    monkeypatch.setattr("chainrule.estimators.rows.Scorer.fit", Centre)
    monkeypatch.setattr("chainrule.estimators.rows._unit", lambda run: "density")
    X = np.random.default_rng(0).normal(size=(94, 1))
    ARMNovelty(random_state=0).fit(X)  # 19 calibration rows are enough
    with pytest.warns(UserWarning, match=r"1 / 19 = 0.0526, above alpha=0.05, which needs at least 19") as said:
        model = ARMNovelty(random_state=0).fit(X[:91])
    assert (model.predict(X * 1e6) == 1).all()
    assert "set calibration_fraction=0.209, alpha=0.053 or more, or fit to more than these 91 rows" in str(
        said[0].message
    )
    for parameters in ({"calibration_fraction": 0.209}, {"alpha": 0.053}):  # what the warning names is enough
        model = ARMNovelty(**parameters, random_state=0).fit(X[:91])
        assert model.predict([[1e6]]) == -1
    with pytest.warns(UserWarning, match=r"at least 19 of them; set alpha=0.5 or more, or fit to more than these 5"):
        ARMNovelty(random_state=0).fit(X[:5])


@pytest.mark.parametrize("measure", ["typicality", "log_prob"])
def test_a_row_of_probability_zero_is_new_and_has_a_finite_score(measure):
    X = np.round(np.random.default_rng(0).normal(size=(150, 2)), 1)
    model = ARMNovelty(**QUICK, measure=measure, network="nade").fit(X)
    rows = np.array([[0.1, 0.2], [0.1234, 0.2]])  # the second is between the steps of the data
    scores = model.score_samples(rows)
    assert np.isfinite(scores).all()
    assert scores[1] < scores[0]
    assert np.isfinite(model.decision_function(rows)).all()
    assert model.predict(rows)[1] == -1


@pytest.mark.slow
def test_novelty_tells_two_kinds_of_tumours_apart():
    X, y = load_breast_cancer(return_X_y=True)
    model = ARMNovelty(steps=30, random_state=0).fit(X[y == 1][::2])
    known, other = model.p_values(X[y == 1][1::2]), model.p_values(X[y == 0])
    assert np.median(known) > 0.3
    assert np.median(other) < 0.1


def test_what_cannot_be_is_refused_with_words():
    with pytest.raises(InputError, match="alpha is between 0 and 1, got 2"):
        ARMNovelty(alpha=2).fit(np.zeros((20, 2)))
    with pytest.raises(InputError, match="calibration_fraction is between 0 and 1, got 1"):
        ARMNovelty(calibration_fraction=1).fit(np.zeros((20, 2)))
    with pytest.raises(InputError, match="unknown measure"):
        ARMNovelty(measure="likelihod").fit(np.zeros((20, 2)))


def test_contrast_takes_off_what_independent_columns_explain():
    generator = np.random.default_rng(0)
    busy = generator.random((240, 1)) < 0.5  # rows with much in them are improbable, and as normal as the others
    X = np.where(busy, generator.integers(0, 5, (240, 8)), 0).astype(float)
    X[:, 1::2] = X[:, ::2]  # pairs of columns are equal
    model = ARMNovelty(**QUICK, experts="chow_liu").fit(X)
    assert model.measure_ == "contrast"
    odd = np.zeros((1, 8))
    odd[0, 0] = 4  # what no row has: a pair that differs
    rows = np.concatenate([odd, X[busy[:, 0]][:9]])
    assert (model.score_samples(rows)[0] < model.score_samples(rows)[1:]).all()
    log_prob = ARMNovelty(**QUICK, experts="chow_liu", measure="log_prob").fit(X).score_samples(rows)
    assert (log_prob[0] > log_prob[1:]).any()
    again = pickle.loads(pickle.dumps(model))
    assert np.array_equal(again.score_samples(rows), model.score_samples(rows))


def test_contrast_is_not_for_numbers_and_not_the_default_of_other_tables():
    X = np.random.default_rng(0).normal(size=(100, 2))
    with pytest.raises(InputError, match="contrast is a measure for levels and names, and there are numbers"):
        ARMNovelty(**QUICK, measure="contrast").fit(X)
    assert ARMNovelty(**QUICK).fit(X).measure_ == "log_prob"
    X = pd.DataFrame({"city": ["Rome", "Oslo"] * 50, "size": ["small"] * 80 + ["large"] * 20})
    assert ARMNovelty(**QUICK).fit(X).measure_ == "log_prob"
    model = ARMNovelty(**QUICK, measure="contrast").fit(X)
    assert np.isfinite(model.score_samples(pd.DataFrame({"city": ["Paris"], "size": [None]}))).all()
