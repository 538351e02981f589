"""A training run that takes milliseconds, and what of it must be the same bits however it was interrupted."""

import json

import numpy as np
import torch

from chainrule import AutoregressiveModel, CategoricalHead, CausalConv
from chainrule.data import ArrayExamples
from chainrule.training.checkpoint import Checkpoints
from chainrule.training.fit import Callbacks, begin, fit
from chainrule.training.settings import TrainingSettings
from chainrule.training.state_dict_json import split

CLOCK = ("seconds", "examples_per_second", "elements_per_second", "waiting_share")  # what may differ


def rows(n, seed, symbols=4, length=6):
    return ArrayExamples(np.random.default_rng(seed).integers(0, symbols, (n, length)))


TRAIN, VALID = rows(50, 0), rows(20, 1)


def build(seed=0):
    torch.manual_seed(seed)
    return AutoregressiveModel(CausalConv(4, 6, 8, depth=2, dropout=0.2), CategoricalHead(8, 4))


def settings(**changes):
    return TrainingSettings(
        **({"steps": 12, "batch_size": 8, "evaluate_every": 5, "learning_rate": 1e-2, "checkpoint_every": 3} | changes)
    )


def train(place, chosen, model=None, data=(TRAIN, VALID), said=None, **callbacks):
    """Go on from the newest checkpoint at a place, if there is one; the state, and what `fit` returned."""
    model = model or build()
    checkpoints = Checkpoints(place, "run", chosen.keep, chosen.checkpoint_every, ([] if said is None else said).append)
    state = begin(model, chosen)
    checkpoints.restore(state)
    return state, fit(model, *data, chosen, state=state, checkpoints=checkpoints, callbacks=Callbacks(**callbacks))


def stop_after(steps):
    """As Ctrl-C does it: asked before each step, it is time to stop after so many."""
    asked = iter(range(steps + 1))
    return lambda: next(asked) == steps


def fingerprint(state):
    """Every bit of a state but the clock's, as text."""
    values, tensors = split(state.state_dict())
    for name in ("seconds", "pace"):
        values["progress"][name] = None
    values["records"] = timeless(values["records"])
    bits = {name: (str(t.dtype), list(t.shape), t.cpu().numpy().tobytes().hex()) for name, t in tensors.items()}
    return json.dumps([values, bits], sort_keys=True)


def timeless(record):
    """A report or records without what a clock says."""
    if isinstance(record, list):
        return [timeless(part) for part in record]
    if isinstance(record, dict):
        return {key: timeless(value) for key, value in record.items() if key not in CLOCK}
    return record
