"""Any number of processes and any split into microbatches take the same steps."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from chainrule import InputError
from chainrule.training.engine import Engine
from tests.support import processes

HERE = Path(__file__).parents[1]


def torchrun(count, *arguments):
    """Run in so many processes; the exit code, standard output and standard error."""
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(count)]
    environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": f"{HERE.parent / 'src'}{os.pathsep}{HERE.parent}"}
    return subprocess.run(
        [*command, *map(str, arguments)], env=environment, capture_output=True, text=True, timeout=300
    )


def compare(tmp_path, count, engine, names):
    done = torchrun(count, HERE / "support" / "processes.py", tmp_path, engine, *names)
    assert done.returncode == 0, done.stderr
    for name in names:
        weights, nats, penalty = torch.load(tmp_path / f"{name}.pt")
        alone, nats_alone, penalty_alone = processes.parameters(name, "ddp")
        bound = 1e-5 if name == "float32" else 1e-12
        assert (weights - alone).abs().max() < bound, name
        assert abs(nats - nats_alone) < bound * 100, name
        assert abs(penalty - penalty_alone) < bound * 100, name
        assert (penalty != 0) == (name == "prior")


@pytest.mark.soak  # `test_every_case` has them among others
def test_two_processes_take_the_steps_of_one(tmp_path):
    compare(tmp_path, 2, "ddp", ["per_example", "prior"])


@pytest.mark.slow
def test_a_job_that_nobody_closes_ends_as_it_should(tmp_path):
    done = torchrun(3, HERE / "support" / "processes.py", tmp_path, "ddp", "left_open")
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("count", "engine"),
    [pytest.param(3, "ddp", marks=pytest.mark.slow), pytest.param(2, "fsdp", marks=pytest.mark.soak)],
)
def test_every_case(tmp_path, count, engine):
    compare(tmp_path, count, engine, list(processes.CASES))


@pytest.mark.parametrize("microbatch", [1, 2, 3, 5])
@pytest.mark.parametrize("name", ["per_example", "per_element", "prior"])
def test_every_microbatch_split_takes_the_same_steps(microbatch, name, monkeypatch):
    whole, *_ = processes.parameters(name, "ddp")
    monkeypatch.setitem(processes.CASES, "split", processes.CASES[name] | {"microbatch": microbatch})
    split, *_ = processes.parameters("split", "ddp")
    assert (whole - split).abs().max() < 1e-12


@pytest.mark.slow
def test_a_killed_process_ends_the_job_with_a_clear_message(tmp_path):
    done = torchrun(2, HERE / "support" / "processes.py", tmp_path, "ddp", "killed")
    assert done.returncode != 0
    assert "process 0 of 2 lost another one" in done.stderr


def test_shares_are_every_row_once(monkeypatch):
    for world in (1, 2, 3, 7):
        shares = []
        for rank in range(world):
            engine = Engine()
            engine.world, engine.rank = world, rank
            shares.append(engine.share(np.arange(5)))
        assert np.concatenate(shares).tolist() == [0, 1, 2, 3, 4]
        assert max(map(len, shares)) - min(map(len, shares)) <= 1


def test_unknown_engine():
    with pytest.raises(InputError, match="did you mean 'fsdp'"):
        Engine("fdsp")
