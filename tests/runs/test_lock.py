"""Two processes and one run: one of them writes, and whoever only reads never waits for it."""

import errno
import os
import platform
import shutil
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

import chainrule as cr
from chainrule.errors import RunError
from chainrule.runs.lock import LOCK, only_writer, writer_of
from tests.support.command_line import run, run_json

QUICK = ("--network", "causal_conv", "--width", "4", "--depth", "1", "--steps", "4", "--checkpoint-every", "2")
HOLD = """
import sys, time
from pathlib import Path
from chainrule.runs.lock import only_writer
with only_writer(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(60)
"""


@contextmanager
def held_by_another_process(path):
    process = subprocess.Popen([sys.executable, "-c", HOLD, str(path)], stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout.readline() == "held\n"
        yield process
    finally:
        process.kill()
        process.communicate()


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    place = tmp_path_factory.mktemp("lock")
    np.save(place / "rows.npy", np.random.default_rng(0).integers(0, 3, (60, 5)))
    cr.fit(
        str(place / "rows.npy"),
        out=place / "run",
        network="causal_conv",
        width=4,
        depth=1,
        steps=4,
        checkpoint_every=2,
    )
    return place


def test_a_second_writer_is_refused_and_told_who_writes(tmp_path):
    place = tmp_path / "runs" / "a"
    with only_writer(place):
        assert writer_of(place) == f"process {os.getpid()} on {platform.node()}"
        said = f"is being written by process {os.getpid()} on {platform.node()}"
        with pytest.raises(RunError, match=said), only_writer(place):
            pass
        (place / "config.json").touch()
    assert [entry.name for entry in place.iterdir()] == ["config.json"]
    assert writer_of(place) is None


def test_a_directory_that_stayed_empty_is_removed_again(tmp_path):
    with only_writer(tmp_path / "runs" / "a"):
        pass
    assert not list(tmp_path.iterdir())


def test_the_lock_of_a_killed_process_locks_nothing(capsys, trained, tmp_path):
    place = shutil.copytree(trained / "run", tmp_path / "run")
    with held_by_another_process(place) as process:
        code, _, err = run(capsys, "fit", "--resume", "--out", place)
        assert code == 2
        assert f"{place}: is being written by process {process.pid} on " in err
    assert (place / LOCK).exists()
    assert writer_of(place) is None
    assert run(capsys, "fit", "--resume", "--out", place)[0] == 0
    assert not (place / LOCK).exists()


def test_a_file_system_without_locks_is_said_and_the_work_goes_on(tmp_path, monkeypatch):
    import filelock

    def without(self, *arguments, **options):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(filelock.FileLock, "acquire", without)
    said = []
    with only_writer(tmp_path / "a", said.append):
        assert (tmp_path / "a").is_dir()
    assert len(said) == 1
    assert "has no locks" in said[0]


def test_a_run_whose_training_has_not_begun_is_known(capsys, tmp_path):
    place = tmp_path / "run"
    with held_by_another_process(place) as process:
        for command in ("info", "evaluate", "sample"):
            code, _, err = run(capsys, command, place)
            assert code == 2
            assert f"{place}: in training by process {process.pid} on " in err
            assert "no checkpoint yet" in err


@pytest.mark.filterwarnings("always::UserWarning")
def test_a_run_in_training_answers_from_its_last_checkpoint(capsys, trained, tmp_path):
    place = shutil.copytree(trained / "run", tmp_path / "run")
    final = run_json(capsys, "evaluate", place)
    for name in ("model.safetensors", "report.json"):
        (place / name).unlink()
    with held_by_another_process(place) as process:
        assert f"in training by process {process.pid} on " in run(capsys, "info", place)[1]
        code, out, err = run(capsys, "evaluate", place, "--json")
        assert code == 0
        assert "the weights of its checkpoint at step 4 are used" in err
        assert f'"nats_per_example": {final["nats_per_example"]}' in out
        assert run(capsys, "sample", place, "-n", "2", "--out", tmp_path / "x.npy")[0] == 0
        shutil.rmtree(place / "checkpoints")
        code, _, err = run(capsys, "evaluate", place)
        assert code == 2
        assert f"{place}: in training by process {process.pid} on " in err
    assert "training ended before its first validation" in run(capsys, "evaluate", place)[2]


def test_an_ensemble_in_training_names_its_members(capsys, trained, tmp_path):
    place = shutil.copytree(trained / "run", tmp_path / "run")
    (place / "model.safetensors").unlink()
    shutil.rmtree(place / "checkpoints")
    shutil.copytree(trained / "run", Path(place) / "members" / "1")
    with held_by_another_process(place):
        assert f"name a member, such as {place}/members/1" in run(capsys, "evaluate", place)[2]
