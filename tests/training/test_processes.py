"""The processes of a job agree before they begin, and what ends one of them ends all, with one line."""

import os
import socket
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from torch.distributed import HashStore

from chainrule.errors import InputError
from chainrule.runs.agreement import shared_values
from chainrule.runs.plan import plan
from chainrule.training.processes import Processes

ROOT = Path(__file__).parents[2]
QUICK = ("--network", "causal_conv", "--width", "4", "--depth", "1", "--steps", "2")


@pytest.fixture
def two(monkeypatch):
    """Two processes of one job, here in one, with a store that they share."""
    store = HashStore()
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setattr(Processes, "_join", lambda self: setattr(self, "_store", store))
    members = []
    for rank in ("0", "1"):
        monkeypatch.setenv("RANK", rank)
        members.append(Processes())
    return members


def each(members, *works):
    """What happens to each process that does its work, all at the same time."""

    def carried_out(member, work):
        try:
            with member.together():
                return work(member)
        except BaseException as error:  # of the kind that ends a process, too
            return error

    with ThreadPoolExecutor() as pool:
        return list(pool.map(carried_out, members, works))


def test_processes_of_the_same_values_go_on(two):
    values = {"data.sha256": "ab", "training.seed": "1"}
    assert each(two, *[lambda member: member.agree(values)] * 2) == [None, None]


def test_the_first_difference_is_named_with_both_values_by_one_process(two):
    common = {"versions.torch": '"2.13"', "model.width": "3"}
    ends = each(
        two,
        lambda member: member.agree(common | {"training.seed": "0", "training.steps": "7"}),
        lambda member: member.agree(common | {"training.seed": "1", "training.steps": "8"}),
    )
    silent, said = sorted(ends, key=lambda end: isinstance(end, InputError))
    assert isinstance(silent, SystemExit)
    assert silent.code == 2
    assert "has training.seed 1, process 0 on " in str(said)
    assert " has 0; give all of them the same" in str(said)


def test_a_value_that_only_one_process_has_is_a_difference(two):
    ends = each(two, lambda member: member.agree({}), lambda member: member.agree({"job.minutes": "3"}))
    (said,) = [end for end in ends if isinstance(end, InputError)]
    assert "has job.minutes 3, process 0 on " in str(said)
    assert "has no value" in str(said)


def test_the_first_to_fail_says_why_and_which_process_it_is(two):
    def fail(member):
        raise InputError("x.csv: there is no such file")

    ends = each(two, fail, fail)
    (said,) = [end for end in ends if isinstance(end, InputError)]
    assert str(said).startswith("process ")
    assert " of 2 on " in str(said)
    assert str(said).endswith(": x.csv: there is no such file")


def test_what_no_part_of_the_program_explains_keeps_its_traceback(two):
    def fail(member):
        raise KeyError("x")

    ends = each(two, fail, lambda member: None)
    assert isinstance(ends[0], KeyError)


def test_options_data_and_versions_are_what_must_be_equal():
    small = plan("digits", width=8, depth=1)
    values = shared_values(small)
    assert {"versions.torch", "data.sha256", "training.seed", "model.network.width", "machine.device"} <= set(values)
    other = shared_values(plan("digits", width=8, depth=1, seed=1))
    assert [name for name in values if values[name] != other[name]] == ["training.seed"]
    assert "data.name" not in values


def job(tmp_path, *sources):
    """A job of two processes with data of their own; the exit code and standard error of each."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    paths = os.pathsep.join((str(ROOT / "src"), str(ROOT)))
    common = {"OMP_NUM_THREADS": "1", "PYTHONPATH": paths, "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
    processes = [
        subprocess.Popen(
            [sys.executable, "-m", "chainrule", "fit", str(source), "--out", str(tmp_path / "run"), *QUICK],
            env=os.environ | common | {"WORLD_SIZE": str(len(sources)), "RANK": str(rank), "LOCAL_RANK": str(rank)},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank, source in enumerate(sources)
    ]
    return [(process.communicate(timeout=120)[1], process.returncode) for process in processes]


@pytest.mark.slow
@pytest.mark.distributed
@pytest.mark.parametrize("second", ["nothing.npy", "other.npy"])
def test_data_that_are_missing_or_different_on_one_process_end_all(tmp_path, second):
    x = np.random.default_rng(0).integers(0, 3, (60, 5))
    np.save(tmp_path / "rows.npy", x)
    np.save(tmp_path / "other.npy", x[::-1])
    ends = job(tmp_path, tmp_path / "rows.npy", tmp_path / second)
    assert [code for _, code in ends] == [2, 2]
    lines = [line for said, _ in ends for line in said.splitlines() if line.startswith("error:")]
    assert len(lines) == 1
    assert ("there is no such file" if second == "nothing.npy" else "has data.sha256") in lines[0]
    assert "Traceback" not in "".join(said for said, _ in ends)
    assert not (tmp_path / "run" / "config.json").exists()
