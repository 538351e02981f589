"""Memory of a process that trains for long, or evaluates often: `python -m tests.support.memory_growth STEPS TIMES`.

Prints a line of JSON with the resident bytes after a tenth of the work and after all of it, for each of the two.
"""

import json
import sys
from pathlib import Path

import numpy as np
import torch

from chainrule import AutoregressiveModel, CategoricalHead, CausalConv
from chainrule.data import ArrayExamples
from chainrule.evaluation.evaluate import evaluate
from chainrule.training.fit import Callbacks, fit
from chainrule.training.settings import TrainingSettings


def resident():
    """The bytes of memory that this process holds."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * 4096


def parts():
    torch.manual_seed(0)
    x = np.random.default_rng(0).integers(0, 5, (200, 8))
    return AutoregressiveModel(CausalConv(5, 8, 8, depth=2), CategoricalHead(8, 5)), ArrayExamples(x)


def training(steps):
    """Resident bytes after a tenth of so many steps, and after all."""
    model, examples = parts()
    seen = {}

    def look(record):
        if record["step"] in (steps // 10, steps):
            seen[record["step"]] = resident()

    settings = TrainingSettings(steps=steps, batch_size=20, evaluate_every=max(1, steps // 20), patience=1000)
    fit(model, examples, examples, settings, callbacks=Callbacks(on_step=look))
    return [seen[steps // 10], seen[steps]]


def evaluations(times):
    """Resident bytes after a tenth of so many evaluations, and after all."""
    model, examples = parts()
    seen = []
    for done in range(1, times + 1):
        evaluate(model, examples)
        if done in (times // 10, times):
            seen.append(resident())
    return seen


if __name__ == "__main__":
    torch.set_num_threads(1)
    print(json.dumps({"training": training(int(sys.argv[1])), "evaluations": evaluations(int(sys.argv[2]))}))
