"""Checkpoints: resumed bit for bit, whole whatever fails while they are written, and never believed unseen."""

import errno
import os
import pickle
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from chainrule import AutoregressiveModel, CategoricalHead, CausalConv, atomic_files
from chainrule.data import ArrayExamples
from chainrule.errors import InputError, RunError
from chainrule.training.checkpoint import Checkpoints
from chainrule.training.fit import begin
from chainrule.training.state_dict_json import join, split
from tests.laws.head_instances import FEATURES
from tests.laws.network_instances import LENGTH, NETWORKS
from tests.support.damage import DAMAGE, FORGERIES, damaged, restored
from tests.support.small_training import VALID, build, fingerprint, rows, settings, stop_after, timeless, train


def network_data(instance):
    """Rows for a network of the laws, with its context."""
    sets = []
    for n, seed in ((24, 0), (9, 1)):
        x = rows(n, seed, FEATURES, LENGTH).x
        context = (
            None if instance.context is None else instance.context.repeat(n // 3, *[1] * (instance.context.ndim - 1))
        )
        sets.append(ArrayExamples(x, None if context is None else context.numpy()))
    return sets


@pytest.mark.parametrize("name", [name for name in NETWORKS if name not in ("HuggingFace", "Recomputed")])
def test_every_network_resumes_to_the_same_bits(name, tmp_path):
    instance = NETWORKS[name]
    chosen = settings(steps=7, evaluate_every=3, batch_size=10)
    finals = []
    for place, stops in (("whole", []), ("parts", [2, 3])):
        for stop in [*map(stop_after, stops), lambda: False]:
            torch.manual_seed(0)
            model = AutoregressiveModel(instance.build(FEATURES), CategoricalHead(FEATURES, FEATURES))
            state, _ = train(tmp_path / place, chosen, model, network_data(instance), stop=stop)
        finals.append(fingerprint(state))
    assert state.step == 7
    assert finals[0] == finals[1]


@pytest.mark.parametrize("cut", [0, 1, 4, 5, 6, 11, 12])
def test_a_run_that_stopped_anywhere_ends_the_same(cut, tmp_path):
    whole, fitted = train(tmp_path / "whole", settings())
    _, stopped = train(tmp_path / "parts", settings(), stop=stop_after(cut))
    assert (stopped.stopped, stopped.steps) == ("interrupt" if cut < 12 else "steps", cut)
    again, resumed = train(tmp_path / "parts", settings(), build(seed=1))
    assert fingerprint(again) == fingerprint(whole)
    assert (resumed.best_step, resumed.best_valid_nats) == (fitted.best_step, fitted.best_valid_nats)
    assert timeless(resumed.validations) == timeless(fitted.validations)
    assert [record["step"] for record in resumed.validations] == [5, 10, 12]
    for name, weight in again.model.state_dict().items():
        assert torch.equal(weight, whole.model.state_dict()[name])


def test_patience_survives_and_what_has_ended_does_not_go_on(tmp_path):
    chosen = settings(steps=400, evaluate_every=2, patience=3, learning_rate=0.3)
    whole, fitted = train(tmp_path / "whole", chosen)
    train(tmp_path / "parts", chosen, stop=stop_after(fitted.steps - 1))
    _, resumed = train(tmp_path / "parts", chosen)
    assert (resumed.stopped, resumed.steps, resumed.best_step) == ("patience", fitted.steps, fitted.best_step)
    again, ended = train(tmp_path / "parts", chosen)
    assert (ended.stopped, ended.steps) == ("patience", fitted.steps)
    assert fingerprint(again) == fingerprint(whole)


@pytest.mark.parametrize(("name", "held"), [("muon", "momentum_buffer"), ("schedule_free", "z")])
def test_every_optimizer_resumes_to_the_same_bits(name, held, tmp_path):
    chosen = settings(optimizer=name)
    whole, _ = train(tmp_path / "whole", chosen)
    train(tmp_path / "parts", chosen, stop=stop_after(4))
    parts, _ = train(tmp_path / "parts", chosen)
    entries = parts.optimizer.state_dict()["state"].values()
    assert any(held in entry for entry in entries)
    assert fingerprint(parts) == fingerprint(whole)


@pytest.mark.parametrize("keep", [1, 3])
def test_the_last_few_are_kept(keep, tmp_path):
    train(tmp_path / "c", settings(keep=keep))
    assert Checkpoints(tmp_path / "c").steps() == [3, 6, 9, 12][-keep:]
    assert not [path for path in (tmp_path / "c").iterdir() if path.name.startswith(".")]


def test_one_too_many_left_by_a_kill_goes_when_training_goes_on(tmp_path):
    train(tmp_path / "c", settings(keep=3))
    left, place = tmp_path / "left", tmp_path / "c" / "step-00000006"
    shutil.copytree(place, left)
    train(tmp_path / "c", settings(keep=2))
    assert Checkpoints(tmp_path / "c").steps() == [9, 12]
    shutil.copytree(left, place)
    train(tmp_path / "c", settings(keep=2))
    assert Checkpoints(tmp_path / "c").steps() == [9, 12]


def test_without_an_interval_the_cost_of_a_checkpoint_decides(tmp_path):
    now = [0.0]

    class Slow:
        step = 2

        def state_dict(self):
            now[0] += 3.0
            return {"values": []}

    checkpoints = Checkpoints(tmp_path, clock=lambda: now[0])
    assert not checkpoints.due(1)
    now[0] = 10.5
    assert checkpoints.due(2)
    now[0] = 7.5
    checkpoints.save(Slow())
    now[0] = 310.0
    assert not checkpoints.due(3)
    now[0] = 311.0
    assert checkpoints.due(4)


# --- a disk that fails --------------------------------------------------------------------------------------------


class FailingDisk:
    """The module `os`, whose n-th operation on files fails."""

    def __init__(self, n, code):
        self.left, self.code = n, code

    def __getattr__(self, name):
        operation = getattr(os, name)
        if name not in ("open", "write", "fsync", "close", "mkdir", "rename", "replace", "unlink", "rmdir"):
            return operation

        def counted(*arguments, **more):
            self.left -= 1
            if self.left == 0:
                if name == "close":
                    operation(*arguments)
                raise OSError(self.code, os.strerror(self.code))
            return operation(*arguments, **more)

        return counted


@pytest.mark.parametrize(("keep", "code"), [(1, errno.EIO), (2, errno.ENOSPC)])
def test_whichever_operation_fails_a_checkpoint_remains(keep, code, tmp_path, monkeypatch):
    chosen, state = settings(keep=keep), begin(build(), settings())
    train(tmp_path / "begun", chosen, stop=stop_after(6))
    for n in range(1, 1000):
        place = tmp_path / f"{n}"
        shutil.copytree(tmp_path / "begun", place)
        checkpoints = Checkpoints(place, "run", keep)
        checkpoints.restore(state)
        state.step += 1
        disk = FailingDisk(n, code)
        monkeypatch.setattr(atomic_files, "os", disk)
        said = refusal(lambda: checkpoints.save(state))  # noqa: B023
        monkeypatch.setattr(atomic_files, "os", os)
        if disk.left > 0:
            break
        assert "\n" not in said
        assert os.strerror(code) in said or not said  # what could not be tidied away is not worth a word
        again = Checkpoints(place, "run", keep)
        assert again.restore(state) in ((7,) if not said else (6, 7))
        state.step = 8
        again.save(state)  # when the disk is well, so is everything
        assert again.steps() == [6, 7, 8][-keep:] or again.steps() == [6, 8]
        assert not [path for path in place.iterdir() if path.name.startswith(".")]
    assert n > 40


def refusal(work):
    """The one error that may come of it, as text; "" if none came."""
    try:
        work()
    except RunError as error:
        return str(error)
    return ""


# --- damage -------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def intact(tmp_path_factory):
    """Two checkpoints, at steps 3 and 6."""
    place = tmp_path_factory.mktemp("intact") / "checkpoints"
    train(place, settings(), stop=stop_after(6))
    assert Checkpoints(place).steps() == [3, 6]
    return place


def hunt(intact, tmp_path, count, seed):
    """Damage the newer checkpoint in so many ways: it must be refused, with a reason, and leave the state untouched."""
    place = tmp_path / "c"
    shutil.copytree(intact, place)
    state = begin(build(), settings())
    before = fingerprint(state)
    kinds = set()
    for kind, reason in damaged(place, state, count, seed):
        kinds.add(kind)
        assert reason, f"{kind} was loaded"
        assert "\n" not in reason
    assert fingerprint(state) == before
    assert kinds == {*DAMAGE, *FORGERIES}
    assert Checkpoints(place, "run").restore(state) == 6  # put back after each: what was refused was the damage


def no_code(*arguments, **more):
    raise AssertionError("a checkpoint ran code")


def test_damaged_checkpoints_are_refused_without_running_code(intact, tmp_path, monkeypatch):
    for module, name in ((torch, "load"), (pickle, "loads"), (pickle, "load"), (pickle, "Unpickler")):
        monkeypatch.setattr(module, name, no_code)
    hunt(intact, tmp_path, 600, seed=0)


@pytest.mark.slow
def test_thousands_of_damaged_checkpoints_are_refused(intact, tmp_path):
    hunt(intact, tmp_path, 2000, seed=1)


@pytest.mark.parametrize("kind", [*DAMAGE, *FORGERIES])
def test_the_one_before_a_damaged_one_is_taken_and_it_is_said(kind, intact, tmp_path):
    place, said = tmp_path / "c", []
    assert restored(intact, place, kind, begin(build(), settings()), said) == 3
    assert len(said) == 1
    assert "step-00000006 is damaged" in said[0]
    assert "the one before" in said[0]


def test_if_all_are_damaged_nothing_begins_anew(intact, tmp_path):
    shutil.copytree(intact, tmp_path / "c")
    for path in (tmp_path / "c").glob("*/model.safetensors"):
        path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(RunError, match="none of the checkpoints can be loaded"):
        train(tmp_path / "c", settings())


def test_a_checkpoint_of_another_run_or_model_is_refused(intact):
    with pytest.raises(RunError, match="another format"):
        Checkpoints(intact, "another run").restore(begin(build(), settings()))
    torch.manual_seed(0)
    other = AutoregressiveModel(NETWORKS["MADE"].build(FEATURES), CategoricalHead(FEATURES, FEATURES))
    with pytest.raises(RunError, match=r"missing|unknown"):
        Checkpoints(intact, "run").restore(begin(other, settings()))


def test_a_damaged_checkpoint_is_replaced_when_training_comes_there_again(intact, tmp_path):
    shutil.copytree(intact, tmp_path / "c")
    (tmp_path / "c" / "step-00000006" / "kept.safetensors").unlink()
    said = []
    state, _ = train(tmp_path / "c", settings(keep=1), said=said)
    assert "a file is missing" in said[0]
    assert fingerprint(state) == fingerprint(train(tmp_path / "whole", settings(keep=1))[0])
    assert Checkpoints(tmp_path / "c").steps() == [12]


def test_a_state_of_unknown_types_or_references_is_refused():
    with pytest.raises(InputError, match=r"a\.b is a set"):
        split({"a": {"b": {1}}})
    with pytest.raises(InputError, match="does not refer to the tensor x"):
        join({}, {"x": torch.zeros(1)})
    with pytest.raises(InputError, match="not there"):
        join({"#tensor": "x"}, {})


@pytest.mark.slow
def test_memory_does_not_grow(tmp_path):
    """The resident memory after 500 and after 4500 steps of one process, checkpoints and validations included."""
    resident = []

    def look(record):
        if record["step"] in (500, 4500):
            resident.append(int(Path("/proc/self/statm").read_text().split()[1]))

    model = AutoregressiveModel(CausalConv(4, 6, 4, depth=1), CategoricalHead(4, 4))
    chosen = settings(steps=4500, evaluate_every=500, patience=1000, checkpoint_every=1000)
    train(tmp_path, chosen, model, (rows(10, 0), VALID), on_step=look)
    assert resident[1] < 1.004 * resident[0]


@pytest.mark.slow
@pytest.mark.distributed
@pytest.mark.parametrize("engine", ["ddp", "fsdp"])
def test_two_processes_resume_to_the_same_bits(engine, tmp_path):
    script = Path(__file__).parents[1] / "support" / "resuming.py"
    command = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2", "--standalone", script]
    paths = os.pathsep.join((str(script.parents[2] / "src"), str(script.parents[2])))
    environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": paths}
    done = subprocess.run([*command, tmp_path, engine], capture_output=True, text=True, env=environment, timeout=300)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["same"]
