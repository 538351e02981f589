"""Freed memory stays: a large block that is had again costs no new pages."""

import subprocess
import sys

import pytest

FAULTS = """
import resource, sys
import torch
from chainrule.training.allocation import keep_freed_memory
if sys.argv[1] == "kept":
    assert keep_freed_memory()
for turn in range(21):
    if turn == 1:
        before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    torch.ones(48 << 18)  # 48 MiB, beyond what glibc would keep by itself
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def faults(how):
    command = [sys.executable, "-c", FAULTS, how]
    return int(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="is about the allocator of glibc")
@pytest.mark.slow
def test_a_block_that_is_had_again_is_the_same_memory():
    assert faults("kept") < faults("not") / 2  # where the heap begins decides how often it has to grow
