"""Programs in the cache: which are loaded, which are not, and what they are a function of."""

import os
import shutil
import warnings

import pytest
import torch
from torch import nn

from chainrule import AutoregressiveModel, CategoricalHead, CausalConv, Transformer
from chainrule.networks import PixelCNN, StateSpace
from chainrule.sampling import chosen_step, programs
from chainrule.sampling.chosen_step import is_by_program
from chainrule.sampling.compiled import compile_step, is_compiled
from chainrule.sampling.program_key import program_key
from chainrule.sampling.programs import is_at_hand, program

KEY = "0" * 32


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("CHAINRULE_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "programs"


@pytest.fixture
def built(monkeypatch):
    """A way to build a program, which counts; what is loaded is the content of its package."""
    made = []
    monkeypatch.setattr(programs, "_loaded", lambda package: package.read_bytes())

    def build(package):
        made.append(package)
        package.write_bytes(f"program {len(made)}".encode())

    return build, made


def test_the_second_time_it_is_at_hand(cache, built):
    build, made = built
    assert not is_at_hand(KEY)
    assert program(KEY, build) == program(KEY, build) == b"program 1"
    assert is_at_hand(KEY)
    assert program(None, build) == b"program 2"  # not kept
    assert len(made) == 2
    assert cache.stat().st_mode & 0o777 == 0o700


def cut(place):
    (place / "step.pt2").write_bytes(b"prog")


def without_hash(place):
    (place / "sha256").unlink()


def forged(place):
    (place / "step.pt2").write_bytes(b"program of another")


def writable_by_others(place):
    (place / "step.pt2").chmod(0o666)


def linked(place):
    moved = place.parent.parent / "elsewhere"
    place.rename(moved)
    place.symlink_to(moved)


@pytest.mark.parametrize("damage", [cut, without_hash, forged, writable_by_others, linked])
def test_what_is_damaged_or_foreign_is_not_loaded(cache, built, damage):
    build, made = built
    program(KEY, build)
    damage(cache / KEY)
    assert not is_at_hand(KEY)
    assert program(KEY, build) == b"program 2"
    assert len(made) == 2


def test_a_folder_that_others_may_write_is_not_used(cache, built):
    build, _ = built
    program(KEY, build)
    cache.chmod(0o777)
    assert not is_at_hand(KEY)
    assert program(KEY, build) == b"program 2"
    cache.chmod(0o700)
    assert program(KEY, build) == b"program 1"


def test_a_place_that_cannot_be_written_keeps_nothing(tmp_path, built, monkeypatch):
    build, _ = built
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("CHAINRULE_CACHE", str(tmp_path / "file" / "cache"))
    assert program(KEY, build) == b"program 1"
    assert program(KEY, build) == b"program 2"


def test_those_that_were_not_used_for_longest_go(cache, built, monkeypatch):
    build, _ = built
    for number in range(3):
        program(f"{number}", build)
        os.utime(cache / f"{number}", (number, number))
    os.utime(cache / "0", (9, 9))
    monkeypatch.setattr(programs, "MOST_BYTES", 3 * 80)
    program("3", build)
    assert sorted(path.name for path in cache.iterdir()) == ["0", "2", "3"]


def model(network=None):
    torch.manual_seed(0)
    return AutoregressiveModel(network or Transformer(5, 6, 16, 1, 2), CategoricalHead(16, 5)).eval()


@pytest.mark.parametrize(
    "network",
    [
        Transformer(5, 6, 16, 1, 2),
        Transformer(5, 6, 16, 2, 2, window=3, ngrams=40),
        Transformer(5, 6, 16, 1, 2, num_classes=3),
        CausalConv(5, 6, 16, 2),
        StateSpace(5, 6, 16, 1),
        PixelCNN(5, (4, 4), 16, 1),
    ],
    ids=lambda network: type(network).__name__,
)
def test_networks_of_the_house_have_a_key(network):
    assert program_key([network]) is not None
    assert program_key([network]) == program_key([network.train()])


def test_whatever_decides_a_program_is_in_its_key():
    torch.manual_seed(0)
    layer = Transformer(5, 6, 16, 1, 2)
    keys = [program_key([layer], 1, torch.zeros(2))]
    keys += [program_key([layer], 2, torch.zeros(2)), program_key([layer], 1, torch.zeros(3))]
    keys.append(program_key([layer], 1, torch.zeros(2).double()))
    keys.append(program_key([layer, nn.Linear(2, 2)], 1, torch.zeros(2)))
    with torch.no_grad():
        next(layer.parameters()).view(-1)[0] += 1e-3
    keys.append(program_key([layer], 1, torch.zeros(2)))
    layer.something = [1, {"a": 2.5}]
    keys.append(program_key([layer], 1, torch.zeros(2)))
    assert len(set(keys)) == len(keys)
    assert None not in keys


def test_what_cannot_be_described_has_no_key():
    class Own(nn.Linear):
        """A class whose code may change."""

    layer = nn.Linear(2, 2)
    layer.function = lambda x: x
    assert program_key([layer]) is None
    hooked = nn.Sequential(nn.Linear(2, 2))
    hooked[0].register_forward_hook(lambda module, inputs, output: output + 1)
    assert program_key([hooked]) is None
    assert program_key([nn.Sequential(Own(2, 2))]) is None


def test_a_method_that_was_replaced_and_other_threads_are_other_programs(monkeypatch):
    network = CausalConv(5, 6, 16, 2)
    key = program_key([network])
    monkeypatch.setattr(torch, "get_num_threads", lambda: 64)
    assert program_key([network]) not in (None, key)
    monkeypatch.setattr(CausalConv, "step", lambda *arguments: None)
    assert program_key([network]) is None


def test_counts_decide(monkeypatch):
    """Few steps, or many examples side by side, take the eager step; a program that is at hand is taken."""
    monkeypatch.setattr(chosen_step, "compile_step", lambda model, *arguments: "compiled")
    monkeypatch.setattr(shutil, "which", lambda name: "/usr/bin/g++")
    asked, few, many = model(), 29_999, 30_000

    def choice(n, steps, wanted=None):
        found = chosen_step.chosen_step(asked, n, steps, None, wanted)
        return "eager" if found is asked else found

    assert [choice(1, few), choice(1, many), choice(9, many), choice(1, many, False)] == [
        "eager", "compiled", "eager", "eager",
    ]  # fmt: skip
    assert choice(1, 10, True) == "compiled"
    monkeypatch.setattr(chosen_step, "is_compiled", lambda *arguments: True)
    assert [choice(1, 199), choice(64, 200), choice(64, 200, False)] == ["eager", "compiled", "eager"]
    monkeypatch.setattr(chosen_step, "is_compiled", lambda *arguments: False)
    monkeypatch.setattr(shutil, "which", lambda name: None)
    with pytest.warns(UserWarning, match="install g"):
        assert choice(1, many) == "eager"


@pytest.mark.soak  # the command line does it in tests/cli/test_sample.py
@pytest.mark.skipif(shutil.which("g++") is None, reason="compiling a step needs g++")
def test_a_program_from_the_cache_draws_the_same(cache, monkeypatch):
    eager = model()
    assert not is_compiled(eager, 2)
    first = compile_step(eager, 2)
    assert is_compiled(eager, 2)
    assert not is_compiled(eager, 3)
    monkeypatch.setattr("torch.export.export", None)  # nothing is compiled again
    with warnings.catch_warnings(action="error"):
        second = compile_step(model(), 2)
    assert is_by_program(second)
    draws = [m.sample(2, seed=1) for m in (eager, first, second)]
    assert torch.equal(draws[0].x, draws[2].x)
    assert torch.equal(draws[1].log_prob, draws[2].log_prob)
