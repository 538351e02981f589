"""Other instruction sets and threads: portable codes are the same bytes, native ones are refused."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from tests.coding.other_settings import found, prepare, refused

# The first one with a NumPy without its faster kernels, too, and both with other kernels of its products of matrices.
# Here is what the processor has, AVX512 where it can.
OLD = {"ATEN_CPU_CAPABILITY": "default", "MKL_CBWR": "COMPATIBLE", "OPENBLAS_CORETYPE": "Nehalem"}
SETTINGS = [
    (OLD | {"NPY_DISABLE_CPU_FEATURES": "AVX512F AVX2 FMA3"}, 1),
    ({"ATEN_CPU_CAPABILITY": "avx2", "MKL_CBWR": "AVX2", "OPENBLAS_CORETYPE": "Haswell", "OMP_NUM_THREADS": "2"}, 2),
]


QUIET = {"OMP_WAIT_POLICY": "PASSIVE"}  # threads that wait leave the processor to others


@pytest.mark.slow
def test_portable_codes_are_the_same_and_native_ones_are_refused(tmp_path):
    prepare(tmp_path)
    with torch.no_grad():
        here, again = found(tmp_path), refused(tmp_path)
    assert set(again.values()) == {"decoded", 0}
    assert all(same for _, _, same in (value for value in here.values() if isinstance(value, list)))
    (tmp_path / "back").unlink()
    now = torch.backends.cpu.get_cpu_capability()
    for setting, threads in SETTINGS:
        words = [sys.executable, "-m", "tests.coding.other_settings", str(tmp_path), str(threads)]
        place = Path(__file__).parents[2]
        ended = subprocess.run(words, env=os.environ | setting | QUIET, cwd=place, capture_output=True, text=True)
        assert ended.returncode == 0, ended.stderr
        there = json.loads(ended.stdout.splitlines()[-1])
        assert there["portable"] == json.loads(json.dumps(here)), setting
        native = there["native"]
        assert "ANOTHER FILE" not in native.values(), setting
        assert native["the command"] == 5, ended.stderr
        assert f"cpu was {now} and is" in ended.stderr or "mkl_cbwr was" in ended.stderr
        assert list(native.values()).count("refused") >= 4, native
        assert not (tmp_path / "back").exists()
