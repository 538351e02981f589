"""Density, novelty and classification as scikit-learn has them."""

import pickle
import pickletools
from subprocess import run
from sys import executable

import numpy as np
import pandas as pd
import polars as pl
import pytest
import torch
from sklearn import config_context
from sklearn.base import clone
from sklearn.datasets import load_iris, load_wine
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

from chainrule import ARMClassifier, ARMDensity, ARMNovelty
from chainrule.errors import InputError

QUICK = {"steps": 5, "random_state": 0}
ESTIMATORS = [ARMDensity(**QUICK), ARMNovelty(**QUICK), ARMClassifier(steps=15, random_state=0)]
IRIS = load_iris(as_frame=True)


@parametrize_with_checks(ESTIMATORS[:1])
def test_every_check_of_scikit_learn_passes(estimator, check):
    check(estimator)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:predict will call no row new")  # some checks fit a few rows
@parametrize_with_checks(ESTIMATORS[1:])
def test_novelty_and_classifier_pass_every_check(estimator, check):
    check(estimator)


@pytest.mark.parametrize("estimator", ESTIMATORS[:2], ids=["density", "novelty"])
def test_a_row_has_the_same_score_alone_and_among_others(estimator):
    X = load_wine().data
    fitted = clone(estimator).fit(X)
    alone = np.concatenate([fitted.score_samples(X[k : k + 1]) for k in range(20)])
    np.testing.assert_allclose(fitted.score_samples(X)[:20], alone, rtol=1e-9, atol=1e-7)


@pytest.mark.slow
def test_the_score_is_the_exact_log_likelihood_of_the_run():
    X = load_wine(as_frame=True).data
    model = ARMDensity(**QUICK).fit(X)
    scores = model.run_.score(X)
    np.testing.assert_allclose(model.score_samples(X), scores.log_prob, rtol=1e-5)
    assert model.score(X) == pytest.approx(model.score_samples(X).mean())
    assert model.run_.verify(quick=True).passed


def test_the_unit_says_what_a_score_is_the_logarithm_of():
    X = np.random.default_rng(0).normal(size=(60, 2))
    assert ARMDensity(**QUICK).fit(X).unit_ == "density"
    assert ARMDensity(**QUICK).fit(X.round(1)).unit_ == "mass"
    X[:, 1] = X[:, 1].round(1)
    assert ARMDensity(**QUICK).fit(X).unit_ == "mass, but density in x0"
    assert ARMDensity(**QUICK, density=True).fit(X).unit_ == "density"


@pytest.mark.parametrize("kind", ["array", "pandas", "polars"])
def test_samples_have_the_form_of_the_data(kind):
    frame = pd.DataFrame(
        {"height": [1.5, 1.6, 1.8, 1.7] * 10, "n": [1, 2, 3, 4] * 10, "city": ["Rome", "Oslo", "Rome", None] * 10}
    )
    X = {"array": frame[["height", "n"]].to_numpy(), "pandas": frame, "polars": pl.from_pandas(frame)}[kind]
    model = ARMDensity(**QUICK).fit(X)
    drawn = model.sample(7, random_state=1)
    assert type(drawn) is type(X)
    assert len(drawn) == 7
    assert np.isfinite(model.score_samples(drawn)).all()
    if kind != "array":
        assert list(drawn.columns) == list(X.columns)
        assert set(drawn["city"].unique()) <= {"Rome", "Oslo", None, np.nan} or kind == "pandas"


def test_missing_values_are_an_outcome_and_infinite_ones_are_refused():
    X = np.random.default_rng(0).normal(size=(60, 2)).round(1)
    X[::7, 0] = np.nan
    model = ARMDensity(**QUICK).fit(X)
    assert np.isfinite(model.score_samples(X)).all()
    with pytest.raises(ValueError, match="infinity"):
        model.fit(np.array([[1.0], [np.inf]]))


@pytest.mark.parametrize("names", [["x", "x"], [("a", 1), ("a", 1)]])
def test_two_columns_of_one_name_are_refused_by_it(names):
    rows = pd.DataFrame(np.arange(20.0).reshape(10, 2), columns=pd.Index(names, tupleize_cols=False))
    with pytest.raises(InputError, match="occurs twice; rename one"):
        ARMDensity(steps=1).fit(rows)


def test_a_value_that_a_column_cannot_have_is_impossible():
    X = pd.DataFrame({"city": ["Rome", "Oslo"] * 20, "n": [1, 2, 3, 4] * 10})
    model = ARMDensity(**QUICK).fit(X)
    assert model.score_samples(pd.DataFrame({"city": ["Paris"], "n": [1]}))[0] == -np.inf


@pytest.mark.slow
def test_a_pickle_scores_the_same_in_another_process(tmp_path):
    X = load_wine().data
    model = ARMDensity(**QUICK).fit(X)
    content = pickle.dumps(model)
    modules = {str(argument) for _, argument, _ in pickletools.genops(content) if isinstance(argument, str)}
    assert not {name for name in modules if name.startswith("torch.")}
    (tmp_path / "model.pickle").write_bytes(content)
    code = (
        f"import pickle, sys; from sklearn.datasets import load_wine; "
        f"m = pickle.load(open({str(tmp_path / 'model.pickle')!r}, 'rb')); print(repr(m.score(load_wine().data)))"
    )
    said = run([executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert float(said) == pytest.approx(model.score(X), rel=1e-6)


@pytest.mark.slow
def test_the_same_seed_gives_the_same_model_and_leaves_everything_as_it_was():
    X, threads, state = load_wine().data, torch.get_num_threads(), torch.random.get_rng_state()
    one, two, other = (ARMDensity(steps=5, random_state=seed).fit(X).score_samples(X) for seed in (0, 0, 1))
    assert np.array_equal(one, two)
    assert not np.array_equal(one, other)
    assert torch.get_num_threads() == threads
    assert torch.equal(torch.random.get_rng_state(), state)


@pytest.mark.slow
def test_workers_of_joblib_fit_with_one_thread_each():
    assert cross_val_score(ARMDensity(**QUICK), load_iris().data, cv=2, n_jobs=2).shape == (2,)


@pytest.mark.slow
def test_pipelines_searches_and_cross_validation():
    X = load_iris().data
    assert np.isfinite(make_pipeline(StandardScaler(), ARMDensity(**QUICK)).fit(X).score(X))
    search = GridSearchCV(ARMDensity(**QUICK), {"steps": [2, 4]}, cv=2).fit(X)
    assert search.best_params_["steps"] in (2, 4)
    assert cross_val_score(ARMDensity(**QUICK), X, cv=2).shape == (2,)
    with config_context(enable_metadata_routing=True):
        assert cross_val_score(ARMDensity(**QUICK), X, cv=2).shape == (2,)


@pytest.mark.slow
def test_the_classifier_knows_the_flowers():
    X, y = IRIS.data, IRIS.target_names[IRIS.target]
    model = ARMClassifier(steps=100, random_state=0).fit(X[::2], y[::2])
    assert model.score(X[1::2], y[1::2]) > 0.85
    probability = model.predict_proba(X)
    np.testing.assert_allclose(probability.sum(1), 1, rtol=1e-12)
    assert list(model.classes_) == sorted(set(y))
    assert model.score_samples(X).shape == (150,)


def test_no_class_explains_a_value_that_was_never_there():
    X = pd.DataFrame({"city": ["Rome", "Oslo"] * 20})
    model = ARMClassifier(**QUICK).fit(X, np.array([0, 1, 1, 1] * 10))
    np.testing.assert_allclose(model.predict_proba(pd.DataFrame({"city": ["Paris"]})), [[0.25, 0.75]])
