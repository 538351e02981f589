"""Archives that were changed at random, and a process that is killed while it writes one."""

import os
import signal
import time

import numpy as np
import pytest

import chainrule as cr
from chainrule import atomic_files
from chainrule.runs.run import Run
from tests.golden.places import GOLDEN, RUNS
from tests.support import hostile_archives
from tests.support.killing import SlowDisk


@pytest.mark.slow
def test_changed_archives_are_refused_or_give_the_file_back():
    found = hostile_archives.trials(300, seed=0)
    assert not found["faults"], found["faults"]
    assert found["megabytes more"] < 50
    assert sum(count for kind, count in found["seen"].items() if "refused" in kind) > 250


@pytest.mark.slow
def test_a_kill_at_any_moment_leaves_the_whole_archive_or_none(tmp_path):
    """Ten kills; the child is forked, so that it need not import anything, and its disk is slow."""
    run, random = Run.open(RUNS / "binary"), np.random.default_rng(0)
    path, packed = GOLDEN / "data" / "bits" / "bits.test.data", tmp_path / "x.cr"
    cr.compress(path, model=run, out=packed)
    whole = packed.read_bytes()
    killed = 0
    for number in range(10):
        packed.unlink(missing_ok=True)
        child = os.fork()
        if not child:
            atomic_files.os = SlowDisk()
            cr.compress(path, model=run, out=packed)
            os._exit(0)
        until = time.monotonic() + 30
        beside = tmp_path / f".x.cr.{child}.new"
        if number % 2:
            while (
                not beside.exists()
                and time.monotonic() < until
                and not os.waitid(os.P_PID, child, os.WEXITED | os.WNOHANG | os.WNOWAIT)
            ):
                time.sleep(0.0002)
        time.sleep(float(random.uniform(0, 0.01 if number % 2 else 0.05)))
        os.kill(child, signal.SIGKILL)
        killed += os.WIFSIGNALED(os.waitpid(child, 0)[1])
        assert not packed.exists() or packed.read_bytes() == whole
    assert killed > 5
