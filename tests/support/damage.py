"""Ways to damage a checkpoint, by accident and on purpose."""

import json
import shutil
from hashlib import sha256

import numpy as np
from safetensors.torch import load, save

from chainrule.errors import InputError
from chainrule.training.checkpoint import Checkpoints, read


def _pick(random, items):
    return items[int(random.integers(len(items)))]


def _put(path, content):
    """Write a new file: some file systems take milliseconds to cut an old one to nothing."""
    path.unlink(missing_ok=True)
    path.write_bytes(content)


def _any(place, random):
    return _pick(random, sorted(place.iterdir()))


def _flip(place, random):
    path = _any(place, random)
    content = bytearray(path.read_bytes())
    content[int(random.integers(len(content)))] ^= 1 << int(random.integers(8))
    _put(path, content)


def _cut(place, random):
    path = _any(place, random)
    content = path.read_bytes()
    _put(path, content[: int(random.integers(len(content)))])


def _lengthen(place, random):
    path = _any(place, random)
    _put(path, path.read_bytes() + random.bytes(int(random.integers(1, 9))))


def _zero(place, random):
    """A block that the disk lost."""
    path = _any(place, random)
    content = bytearray(path.read_bytes())
    start = int(random.integers(len(content)))
    block = content[start : start + 512]
    content[start : start + 512] = bytes(len(block)) if any(block) else b"\xff" * len(block)
    _put(path, content)


def _swap(place, random):
    paths = [path for path in sorted(place.iterdir()) if path.name not in ("average.safetensors", "manifest.json")]
    first, second = (paths[int(k)] for k in random.permutation(len(paths))[:2])
    a, b = first.read_bytes(), second.read_bytes()
    _put(first, b if a != b else b + b"\0")
    _put(second, a)


def _lose(place, random):
    _any(place, random).unlink()


def _add(place, random):
    _put((place / f"{random.integers(1000)}.safetensors"), random.bytes(8))


def _older(place, random):
    """A file of the checkpoint before."""
    name = _pick(random, ["model.safetensors", "optimizer.safetensors", "state.json", "manifest.json"])
    shutil.copy(place.parent / "step-00000003" / name, place / name)


def _whole_older(place, random):
    """The checkpoint before, under the name of this one."""
    for path in (place.parent / "step-00000003").iterdir():
        shutil.copy(path, place / path.name)


def _manifest_text(place, random):
    """The same JSON, written otherwise."""
    path = place / "manifest.json"
    manifest = json.loads(path.read_text())
    texts = [json.dumps(manifest), json.dumps(manifest | {"more": 1}, indent=1), "[]", "{}"]
    _put(path, _pick(random, texts).encode())


DAMAGE = {
    "a flipped bit": _flip,
    "cut off": _cut,
    "too long": _lengthen,
    "a lost block": _zero,
    "two files swapped": _swap,
    "a missing file": _lose,
    "a file too many": _add,
    "a file of the one before": _older,
    "the one before under another name": _whole_older,
    "another manifest": _manifest_text,
}


def _sealed(place):
    """Make the manifest fit the files again, as a forger would."""
    hashes = {}
    for path in sorted(place.iterdir()):
        if path.name != "manifest.json":
            content = path.read_bytes()
            hashes[path.name] = {"bytes": len(content), "sha256": sha256(content).hexdigest()}
    recorded = json.loads((place / "manifest.json").read_text())
    body = {key: recorded[key] for key in ("format", "step", "run")} | {"files": hashes}
    seal = sha256((json.dumps(body, indent=1) + "\n").encode()).hexdigest()
    _put(place / "manifest.json", (json.dumps(body | {"sha256": seal}, indent=1) + "\n").encode())


def _state(change):
    def forge(place, random):
        path = place / "state.json"
        state = json.loads(path.read_text())
        change(state, random)
        _put(path, json.dumps(state).encode())
        _sealed(place)

    return forge


def _tensors(change):
    def forge(place, random):
        name = _pick(random, ["model", "average", "kept", "optimizer", "random"])
        path = place / f"{name}.safetensors"
        tensors = load(path.read_bytes())
        change(tensors, random)
        _put(path, save(tensors))
        _sealed(place)

    return forge


def _reshape(tensors, random):
    name = _pick(random, sorted(name for name, tensor in tensors.items() if tensor.numel() > 1))
    tensors[name] = tensors[name].flatten()[:-1].clone()


def _wrong_values(state, random):
    name = _pick(random, ["step", "best_step", "best_valid_nats", "ended", "pace"])
    state["progress"][name] = _pick(random, ["__import__('os').system('true')", None, -1, [], {"a": 1}, 1e400])
    if name == "best_valid_nats" and state["progress"][name] == 1e400:
        state["progress"][name] = None


def _wrong_reference(state, random):
    part = state[_pick(random, ["model", "kept"])]
    part[_pick(random, sorted(part))] = {"#tensor": "model.elsewhere"}


FORGERIES = {
    "a key too many": _state(
        lambda state, random: _pick(random, [state, state["model"], state["progress"]]).update(x=1)
    ),
    "a key too few": _state(lambda state, random: state.pop(_pick(random, sorted(set(state) - {"scaler"})))),
    "a value of another type": _state(_wrong_values),
    "a reference to nowhere": _state(_wrong_reference),
    "records that are none": _state(
        lambda state, random: state.update(records=[_pick(random, [1, {}, {"step": "a"}])])
    ),
    "a state that is a list": _state(lambda state, random: [state.pop(key) for key in list(state)]),
    "a tensor too many": _tensors(lambda tensors, random: tensors.update(x=next(iter(tensors.values())).clone())),
    "a tensor too few": _tensors(lambda tensors, random: tensors.pop(_pick(random, sorted(tensors)))),
    "a tensor of another shape": _tensors(_reshape),
}


def damaged(place, state, count, seed):
    """Damage the checkpoint at step 6 again and again; the kind of damage, and why it was refused, "" if it was not."""
    newest = place / "step-00000006"
    contents = {path: path.read_bytes() for path in newest.iterdir()}
    random = np.random.default_rng(seed)
    for number in range(count):
        kind = _pick(random, sorted(FORGERIES if number % 5 == 4 else DAMAGE))  # mostly accidents
        {**DAMAGE, **FORGERIES}[kind](newest, random)
        reason = ""
        try:
            state.load_state_dict(read(newest, 6, "run"))
        except (InputError, OSError) as error:
            reason = str(error) or type(error).__name__
        for path in newest.iterdir():
            if path not in contents:
                path.unlink()
        for path, content in contents.items():
            if not path.exists() or path.read_bytes() != content:
                _put(path, content)
        yield kind, reason


def restored(intact, place, kind, state, said):
    """Damage a copy once, and restore from it: the step that was taken."""
    shutil.copytree(intact, place)
    {**DAMAGE, **FORGERIES}[kind](place / "step-00000006", np.random.default_rng(0))
    return Checkpoints(place, "run", say=said.append).restore(state)
