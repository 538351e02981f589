"""The transformer's step on caches that grow, against its parallel pass."""

import re
from copy import deepcopy
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from chainrule import AutoregressiveModel, Batch, CategoricalHead, InputError, Transformer
from chainrule.networks.kv_cache import ROOM, reserved
from chainrule.verification.laws import randomised

LENGTH = 2 * ROOM + 7


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float32, 1e-4), (torch.float64, 1e-10)])
@pytest.mark.parametrize(
    "options",
    [
        pytest.param({}, id="all of the past"),
        pytest.param({"groups": 2}, id="grouped queries"),
        pytest.param({"window": ROOM + 5, "groups": 1}, id="a window longer than a cache begins"),
        pytest.param({"window": 9, "ngrams": 50, "value_embeddings": True}, id="a short window"),
    ],
)
def test_the_step_equals_the_pass_while_caches_grow(options, dtype, tolerance):
    network = randomised(Transformer(11, LENGTH, 32, 2, 4, **options)).to(dtype).eval()
    x = torch.randint(11, (3, LENGTH), generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        h, state, previous = network(x), network.initial_state(3), None
        for d in range(LENGTH):
            step, state = network.step(previous, state)
            torch.testing.assert_close(step, h[:, d], atol=tolerance, rtol=0)
            previous = x[:, d]
        with pytest.raises(InputError, match=f"built for at most {LENGTH}"):
            network.step(previous, state)


def test_caches_hold_little_more_than_what_is_filled_and_grow_where_they_lie():
    network = Transformer(5, LENGTH, 16, 1, 2)
    state, previous = network.initial_state(2), None
    memory = [cache.data_ptr() for cache in state.caches]
    for d in range(LENGTH):
        _, state = network.step(previous, state)
        unseen, keys, values = state.caches
        assert d < len(unseen) == keys.shape[2] == values.shape[2] <= d + ROOM
        assert torch.equal(unseen == 0, torch.arange(len(unseen)) <= d)
        for cache in (keys, values):
            assert cache.is_contiguous()
            assert not cache[:, :, d + 1 :].any()
        previous = torch.zeros(2, dtype=torch.long)
    assert [cache.data_ptr() for cache in state.caches] == memory


@pytest.mark.parametrize("part", ["slice", "clone", "copy", "repeat"])
def test_a_part_or_a_copy_of_a_state_grows_in_memory_of_its_own(part):
    network = randomised(Transformer(5, LENGTH, 16, 1, 2)).double()
    x = torch.randint(5, (2, LENGTH), generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        state, previous = network.initial_state(2), None
        for d in range(ROOM - 2):
            _, state = network.step(previous, state)
            previous = x[:, d]
        if part == "copy":
            states, rows = [state, deepcopy(state)], [slice(0, 2), slice(0, 2)]
        elif part == "repeat":
            caches = [state.caches[0].clone(), *(c.repeat_interleave(2, 0) for c in state.caches[1:])]
            doubled = replace(state, position=state.position.clone(), caches=caches)
            states, rows = [state, doubled], [slice(0, 2), torch.tensor([0, 0, 1, 1])]
        else:
            rows = [slice(0, 1), slice(1, 2)]
            parts = [[c[r] for c in state.caches[1:]] for r in rows]
            if part == "clone":
                parts = [[c.clone() for c in caches] for caches in parts]
            caches = [[state.caches[0].clone(), *each] for each in parts]
            states = [replace(state, position=state.position.clone(), caches=c) for c in caches]
        h = network(x)
        for d in range(ROOM - 2, LENGTH):
            for which, some in enumerate(rows):
                step, states[which] = network.step(x[some, d - 1], states[which])
                torch.testing.assert_close(step, h[some, d], atol=1e-10, rtol=0)


def test_a_short_window_keeps_no_more_than_it_sees():
    unseen, keys, _ = Transformer(5, LENGTH, 16, 1, 2, window=4).initial_state(2).caches
    assert unseen.shape == (4,)
    assert keys.shape == (2, 2, 4, 8)


def test_a_sample_does_not_depend_on_its_batch_and_its_log_prob_is_the_models():
    model = randomised(AutoregressiveModel(Transformer(5, LENGTH, 16, 2, 2), CategoricalHead(16, 5))).double()
    together = model.sample(9, seed=4)
    alone = model.sample(1, seed=4, first=7)
    assert torch.equal(together.x[7:8], alone.x)
    torch.testing.assert_close(together.log_prob, model.eval().log_prob(Batch(together.x)), atol=1e-9, rtol=0)


@pytest.mark.skipif(
    not Path("/sys/kernel/mm/transparent_hugepage/enabled").exists(), reason="the system has no large pages"
)
def test_a_cache_is_to_lie_in_large_pages():
    cache = reserved(torch.zeros(1), (64, 4, 256, 32), 2, 0.0)
    middle = cache.data_ptr() + cache.untyped_storage().nbytes() // 2
    mapped = re.split(r"^(?=[0-9a-f]+-[0-9a-f]+ )", Path("/proc/self/smaps").read_text(), flags=re.MULTILINE)[1:]
    (flags,) = [
        re.search("VmFlags: (.*)", part)[1].split()
        for part in mapped
        if int(part.split("-")[0], 16) <= middle < int(part.split("-")[1].split(" ")[0], 16)
    ]
    assert "hg" in flags  # asked for; whether they are there is the system's affair
