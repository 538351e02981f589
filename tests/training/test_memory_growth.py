"""A process that trains for long, or evaluates often, does not take more and more memory."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.slow
def test_memory_does_not_grow_with_steps_or_evaluations():
    command = [sys.executable, "-m", "tests.support.memory_growth", "1000", "100"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    for early, late in json.loads(done.stdout).values():
        assert late < 1.01 * early
