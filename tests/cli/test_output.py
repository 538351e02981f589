"""Standard output that is full, closed, or a pipe that nobody reads: one line, a code of its own, no traceback."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CODES = {"/dev/full": 74, "closed": 74, "broken pipe": 141}


@pytest.mark.slow
def test_output_that_cannot_be_written_has_a_code_of_its_own_in_every_command(tmp_path):
    paths = os.pathsep.join((str(ROOT / "src"), str(ROOT)))
    environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": paths}
    words = [sys.executable, "-m", "tests.support.outputs", str(tmp_path)]
    done = subprocess.run(words, capture_output=True, text=True, env=environment, cwd=ROOT, timeout=500)
    made, *seen = map(json.loads, done.stdout.splitlines())
    assert made["code"] == 0, done.stderr
    assert {entry["output"] for entry in seen} == set(CODES)
    for entry in seen:
        if entry["words"] == "left":
            assert entry["written"], "a run was begun and is gone"
            continue
        errors = [line for line in entry["err"].splitlines() if line.startswith("error:")]
        assert entry["code"] == CODES[entry["output"]], entry
        assert "Traceback" not in entry["err"]
        assert len(errors) == (0 if entry["output"] == "broken pipe" else 1), entry
