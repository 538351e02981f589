"""DNA (180 binary elements): a MADE of one order against 32 orders that share its weights.

    python -m recipes.dna_orders FILE.npz [--orders 32] [--seed 0]

FILE.npz holds `train`, `valid` and `test`, arrays of 0 and 1 with 180 columns. Published test nats, Germain et al.
2015, table of UCI results: one order 83.63, orders and masks sampled 79.66. The ensemble averages the probabilities of
whole examples, so its figure is a likelihood.
"""

from __future__ import annotations

import argparse
from math import sqrt

import numpy as np
import torch
from torch import nn

from chainrule.data.base import ArrayExamples
from chainrule.evaluation import evaluate
from chainrule.heads.bernoulli import BernoulliHead
from chainrule.model import AutoregressiveModel
from chainrule.networks.made import MADE
from chainrule.ordering import OrderEnsemble, random_orders
from chainrule.training.fit import fit
from chainrule.training.settings import TrainingSettings

LENGTH = 180


def one_order(seed: int) -> tuple[nn.Module, TrainingSettings]:
    """The natural order; 1400 examples want a single hidden layer, much dropout and much decay."""
    model = AutoregressiveModel(MADE(2, LENGTH, depth=0, hidden=500, dropout=0.5), BernoulliHead(1))
    settings = TrainingSettings(
        steps=600, batch_size=100, learning_rate=1e-2, weight_decay=1.0, clip_norm=100.0, evaluate_every=30, seed=seed
    )
    return model, settings


def many_orders(orders: int, seed: int) -> tuple[nn.Module, TrainingSettings]:
    """Random orders, a fresh one for each batch; other orders regularise, so there is room for a second layer."""
    model = AutoregressiveModel(MADE(2, LENGTH, depth=1, hidden=500, dropout=0.3), BernoulliHead(1))
    settings = TrainingSettings(
        steps=3000, batch_size=100, learning_rate=5e-3, weight_decay=0.3, clip_norm=100.0, evaluate_every=150, seed=seed
    )
    return OrderEnsemble(model, random_orders(LENGTH, orders, seed)), settings


def main() -> None:
    """Train both, score the test split once, print the figures and their paired difference."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("file")
    parser.add_argument("--orders", type=int, default=32)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=2)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    with np.load(arguments.file) as arrays:
        train, valid, test = (ArrayExamples(arrays[split].astype(np.int64)) for split in ("train", "valid", "test"))
    nats = {}
    for name, build in {
        "one order": lambda: one_order(arguments.seed),
        f"{arguments.orders} orders": lambda: many_orders(arguments.orders, arguments.seed),
    }.items():
        torch.manual_seed(arguments.seed)
        model, settings = build()
        run = fit(model, train, valid, settings)
        evaluation = evaluate(model, test)
        nats[name] = evaluation.nats
        print(
            f"{name}: test {evaluation.likelihood.nats_per_example} nats per example, "
            f"valid {run.best_valid_nats:.2f} at step {run.best_step}, {run.seconds:.0f} s",
            flush=True,
        )
    one, many = nats.values()
    gain = many - one
    print(f"gain of the orders: {gain.mean():.2f} ± {gain.std(ddof=1) / sqrt(len(gain)):.2f} nats, paired")


if __name__ == "__main__":
    main()
