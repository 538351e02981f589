"""What the tests of several processes run in each: `python -m torch.distributed.run ... processes.py OUT ENGINE NAMES`.

Trains tiny models under every named case and writes the parameters of each, from the first process.
"""

import os
import signal
import sys
from pathlib import Path

import numpy as np
import torch

from chainrule import AutoregressiveModel, Batch, CategoricalHead, CausalConv
from chainrule.data import Examples
from chainrule.evaluation.evaluate import evaluate
from chainrule.networks import Transformer
from chainrule.training.engine import Engine
from chainrule.training.fit import Callbacks, begin, fit
from chainrule.training.settings import TrainingSettings

RNG = np.random.default_rng(0)
X, LENGTHS = RNG.integers(0, 5, (21, 6)), RNG.integers(1, 7, 21)

# settings and network of each case; 21 examples in batches of 5 leave one, of which all processes but one have none
CASES = {
    "per_example": {},
    "per_element": {"normalisation": "per_element"},
    "prior": {"prior": "gaussian:0.5", "normalisation": "per_element"},
    "microbatch": {"microbatch": 2},
    "transformer": {"batch_size": 21},
    "muon": {"optimizer": "muon"},
    "muon_transformer": {"optimizer": "muon", "batch_size": 21},
    "float32": {"precision": "float32"},
}


class Ragged(Examples):
    """Examples of unequal lengths."""

    def __len__(self):
        return len(X)

    def batch(self, rows):
        return Batch(torch.tensor(X[rows]), torch.arange(6) < torch.tensor(LENGTHS[rows])[:, None])

    def digest(self):
        return ""


def parameters(name, engine):
    """The parameters after 10 steps, two epochs, the nats of each example, and the nats of the last step."""
    torch.manual_seed(0)
    transformer = name.endswith("transformer")
    network = Transformer(5, 6, width=8, depth=2, heads=2) if transformer else CausalConv(5, 6, 8, depth=2)
    model = AutoregressiveModel(network, CategoricalHead(8, 5))
    options = {
        "steps": 10,
        "batch_size": 5,
        "precision": "float64",
        "ema": 0.0,
        "evaluate_every": 10,
        "patience": 9,
    }
    settings = TrainingSettings(**(options | {"engine": engine} | CASES[name]))
    seen = []
    job = Engine(engine)
    fit(
        model, Ragged(), Ragged(), settings, state=begin(model, settings, job), callbacks=Callbacks(on_step=seen.append)
    )
    sharded = job.evaluate(model, Ragged())
    alone = evaluate(model, Ragged())
    assert (sharded.nats == alone.nats).all()
    assert sharded.likelihood.examples == 21
    assert abs(sharded.likelihood.total_nats - alone.likelihood.total_nats) < 1e-9 * abs(alone.likelihood.total_nats)
    weights = torch.cat([p.detach().double().flatten() for p in model.parameters()])
    return weights, seen[-1]["nats_per_example"], seen[-1]["penalty"]


def main(out, engine, *names):
    for name in names:
        if name == "left_open":
            return left_open(engine)
        if name == "killed":
            killed(engine)
        result = parameters(name, engine)
        if int(os.environ.get("RANK", "0")) == 0:
            torch.save(result, Path(out) / f"{name}.pt")
    Engine(engine).close()


def left_open(engine):
    """A job that nobody closes, whose threads ask the store all the time, also while Python ends."""
    from chainrule.training import processes

    processes.PERIOD = 1e-5
    Engine(engine).add_up([1.0])


def killed(engine):
    """Process 1 dies in the middle of training; the first says that it lost it."""
    from chainrule.errors import InputError

    def die(record):
        if record["step"] == 3 and os.environ["RANK"] == "1":
            os.kill(os.getpid(), signal.SIGKILL)

    torch.manual_seed(0)
    model = AutoregressiveModel(CausalConv(5, 6, 8, depth=2), CategoricalHead(8, 5))
    try:
        fit(model, Ragged(), Ragged(), TrainingSettings(steps=1000, batch_size=5), callbacks=Callbacks(on_step=die))
    except InputError as error:
        print("error:", error, file=sys.stderr, flush=True)
        os._exit(2)


if __name__ == "__main__":
    torch.set_num_threads(1)
    main(*sys.argv[1:])
