"""Files of a run that are no files, or lie elsewhere; and directories damaged at random, a few of those of the soak."""

import os
import shutil

import pytest

from chainrule.errors import RunError
from chainrule.runs.stored import StoredRun
from tests.golden.places import GOLDEN
from tests.support import damaged_runs, hostile_data


@pytest.fixture
def there(tmp_path):
    return shutil.copytree(GOLDEN / "runs-1" / "table", tmp_path / "run")


def test_a_pipe_in_a_run_is_refused_and_not_waited_for(there):
    (there / "config.json").unlink()
    os.mkfifo(there / "config.json")
    with pytest.raises(RunError, match=r"config\.json cannot be read .*is a pipe or a device"):
        StoredRun.open(there)


def test_a_link_that_leads_out_of_a_run_is_refused(there, tmp_path):
    shutil.move(there / "config.json", tmp_path / "elsewhere.json")
    (there / "config.json").symlink_to(tmp_path / "elsewhere.json")
    with pytest.raises(RunError, match="leads out of its directory"):
        StoredRun.open(there)


def test_a_link_within_a_run_and_one_to_a_run_are_followed(there, tmp_path):
    shutil.move(there / "config.json", there / "other.json")
    (there / "config.json").symlink_to("other.json")
    (tmp_path / "link").symlink_to(there)
    assert StoredRun.open(tmp_path / "link").config["format"] == 1


@pytest.mark.slow
def test_damaged_directories_are_refused_in_one_line_or_give_the_same_figures(monkeypatch):
    monkeypatch.setenv("CHAINRULE_CACHE", "")
    found = damaged_runs.trials(64, seed=2)
    assert not found["faults"]


@pytest.mark.slow
def test_damaged_data_files_are_refused_or_are_data(monkeypatch):
    monkeypatch.setenv("CHAINRULE_CACHE", "")
    monkeypatch.setenv("CHAINRULE_MAX_MEMORY", "")
    found = hostile_data.trials(400, seed=2)
    assert not found["faults"]
    assert found["data"] > 20
    assert found["refused"] > 20
