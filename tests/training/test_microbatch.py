import os

import numpy as np
import pytest
import torch

from chainrule import AutoregressiveModel, CategoricalHead, CausalConv, InputError
from chainrule.data import ArrayExamples
from chainrule.data.sources.memory import available_bytes
from chainrule.training.forward import TrainingForward
from chainrule.training.microbatch import fitting, largest_microbatch, saved_bytes

EXAMPLES = ArrayExamples(np.zeros((50, 6), dtype=np.int64))


def forward():
    torch.manual_seed(0)
    return TrainingForward(AutoregressiveModel(CausalConv(3, 6, 8, depth=2, dropout=0.5), CategoricalHead(8, 3)))


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory"),
        MemoryError(),
        RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried ..."),
    ],
)
@pytest.mark.parametrize(("most", "limit", "found"), [(64, 10, 8), (64, 64, 64), (7, 3, 2), (5, 4, 3), (9, 1, 1)])
def test_the_size_is_halved_while_memory_runs_out(error, most, limit, found):
    tried = []

    def trial(size):
        tried.append(size)
        if size > limit:
            raise error

    assert fitting(trial, most) == found
    assert tried[0] == most
    assert all(size > limit for size in tried[:-1])


def test_when_nothing_fits_it_says_so():
    def trial(size):
        raise torch.OutOfMemoryError("out of memory")

    with pytest.raises(InputError, match="not even one"):
        fitting(trial, 8)


def test_other_errors_are_not_taken_for_memory():
    def trial(size):
        raise RuntimeError("shapes do not fit")

    with pytest.raises(RuntimeError, match="shapes"):
        fitting(trial, 8)


def test_on_a_cpu_it_goes_by_the_memory_that_is_free():
    part = forward()
    assert largest_microbatch(part, EXAMPLES, 32) == 32
    found = []
    for free in (3e5, 6e5):
        found.append(largest_microbatch(part, EXAMPLES, 10_000, free_bytes=free))
    assert 1 < found[0] < found[1] <= 50
    assert found[1] / found[0] == pytest.approx(2, rel=0.3)
    assert largest_microbatch(part, EXAMPLES, 32, free_bytes=1.0) == 1


def test_the_search_leaves_gradients_and_random_state_as_they_were():
    part = forward()
    before = torch.get_rng_state()
    largest_microbatch(part, EXAMPLES, 16)
    assert torch.equal(before, torch.get_rng_state())
    assert all(parameter.grad is None for parameter in part.parameters())


def test_saved_bytes_grow_with_the_batch():
    part = forward()

    def run(size):
        part(EXAMPLES.batch(np.arange(size)))[0].sum().backward()

    one, four = (saved_bytes(lambda size=size: run(size)) for size in (1, 4))
    assert one < four < 5 * one


def test_the_free_memory_is_that_of_the_machine_or_of_the_control_group(tmp_path):
    half = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2
    assert available_bytes(tmp_path) == half  # neither says anything
    (tmp_path / "proc").mkdir()
    (tmp_path / "proc" / "meminfo").write_text("MemTotal:  9000 kB\nMemAvailable:    2000 kB\n")
    assert available_bytes(tmp_path) == 2000 * 1024
    group = tmp_path / "sys" / "fs" / "cgroup"
    group.mkdir(parents=True)
    (group / "memory.current").write_text("300000\n")
    for limit, free in (("max", 2000 * 1024), ("1300000", 1_000_000), ("9000000", 2000 * 1024)):
        (group / "memory.max").write_text(f"{limit}\n")
        assert available_bytes(tmp_path) == free
