"""Where a new run goes."""

from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import pytest

from chainrule.runs.new import reserved_place
from tests.support.command_line import run


def test_runs_that_begin_together_have_directories_of_their_own(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with ExitStack() as stack, ThreadPoolExecutor(8) as threads:
        places = list(threads.map(lambda _: stack.enter_context(reserved_place("data/a.csv")), range(100)))
        assert sorted(place.name for place in places) == sorted(f"a-{k}" for k in range(1, 101))
        (places[7] / "config.json").write_text("{}")
    assert [path.name for path in (tmp_path / "runs").iterdir()] == [places[7].name]


def test_the_other_processes_of_a_job_make_no_directory(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("RANK", "1")
    with reserved_place("a.csv"):
        assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--prior", "gaussian:0"], "positive width"),
        (["--prior", "laplace:x"], "positive width"),
        (["--seed", str(10**22)], "seed must be a whole number from 0 to 2^63 - 1"),
        (["--seed", "-1"], "seed must be a whole number"),
        (["--optimizer", "sgd"], "optimizer must be"),
        (["--width", "0"], "width"),
    ],
    ids=lambda part: part[1] if isinstance(part, list) else None,
)
def test_a_refused_setting_leaves_nothing_behind(options, message, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    code, _, err = run(capsys, "fit", "digits", "--steps", "2", *options)
    assert code == 2
    assert message in err
    assert not any((tmp_path / "runs").glob("*"))
    code, _, err = run(capsys, "fit", "digits", "--steps", "2", *options, "--out", "runs/mine")
    assert code == 2
    assert not (tmp_path / "runs" / "mine").exists()
