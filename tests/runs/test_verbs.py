"""The verbs of a run in Python: in memory as in a directory; nothing is printed, nothing is written."""

import numpy as np
import pytest

import chainrule as cr
from chainrule.errors import InputError

QUICK = {"network": "causal_conv", "width": 4, "depth": 1, "steps": 4, "evaluate_every": 2}


@pytest.fixture(scope="module")
def rows():
    return np.random.default_rng(0).integers(0, 3, (120, 6))


@pytest.fixture(scope="module")
def run(rows):
    return cr.fit(rows, **QUICK)


@pytest.fixture(autouse=True)
def nothing_is_printed_or_written(capfd, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    yield
    assert capfd.readouterr().out == ""


def test_evaluate_gives_the_figures_of_the_report(run):
    result = run.evaluate()
    assert result.to_json()["nats_per_example"] == run.report_dict["results"]["test"]["nats_per_example"]
    assert result.nats.sum() == pytest.approx(result.likelihood.total_nats)


def test_a_saved_run_says_the_same(run, rows, tmp_path):
    saved = run.save(tmp_path / "saved")
    again = cr.Run.open(tmp_path / "saved")
    assert np.array_equal(again.score(rows).log_prob, run.score(rows).log_prob)
    assert np.array_equal(again.sample(3).sample.x, run.sample(3).sample.x)
    assert saved.evaluate().likelihood.total_nats == run.evaluate().likelihood.total_nats


def test_score_writes_only_where_it_is_told(run, rows, tmp_path):
    scores = run.score(rows, novelty=True)
    assert set(scores.columns) >= {"log_prob", "typicality"}
    assert list(tmp_path.iterdir()) == []
    run.score(rows, out=tmp_path / "scores.csv")
    assert (tmp_path / "scores.csv").read_text() == cr.Run.score(run, rows).to_csv()


def test_samples_are_raw_data_with_their_ln_p(run, tmp_path):
    result = run.sample(5, seed=3, out=tmp_path / "drawn.npy")
    assert np.asarray(result.raw).shape == (5, 6)
    assert np.array_equal(np.load(tmp_path / "drawn.npy"), result.raw)
    assert np.allclose(run.score(result.raw).log_prob, result.sample.log_prob, atol=1e-4)


def test_verify_keeps_its_certificate(run):
    certificate = run.verify(quick=True)
    assert certificate.passed
    assert run.certificate_dict["passed"]


def test_the_page_of_a_run_in_memory_is_a_text(run, tmp_path):
    page = run.report()
    assert page.html.startswith("<!doctype html>")
    assert page.out is None
    assert run.report(tmp_path / "page.html").bytes == (tmp_path / "page.html").stat().st_size


def test_info_says_what_the_run_holds(run):
    assert run.info().to_json()["report"] == run.report_dict


def test_runs_in_memory_are_compared(run, rows):
    other = cr.fit(rows, **QUICK, seed=1)
    result = cr.compare(run, other)
    assert result.comparisons[0].examples == len(run.data().test)
    with pytest.raises(InputError, match="at least two models"):
        cr.compare(run)


def test_a_probe_takes_labels_from_python(run, rows):
    layers = run.probe(rows, labels=rows[:, 0], folds=2).layers
    assert all(0 <= layer.accuracy <= 1 for layer in layers)


def test_progress_is_handed_down(run, rows):
    from contextlib import contextmanager

    done = []

    @contextmanager
    def progress(what, total):
        done.append((what, total))
        yield done.append

    run.score(rows, progress=progress)
    assert done[0] == ("scoring", 120)
    assert sum(done[1:]) == 120
