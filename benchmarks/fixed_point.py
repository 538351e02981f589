"""Sampling by fixed-point iteration against element by element: how many passes, and are the draws the same bits?

    python -m benchmarks.fixed_point --data DIR [--steps 1000] [--images 16]

DIR holds `binarized_mnist.npz`. A PixelCNN of 5 blocks and 32 features is trained for some steps, on one thread (about
20 minutes for 1000); then images are drawn both ways, alone and together.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import torch

from chainrule.data.examples.arrays import ArrayExamples
from chainrule.evaluation.evaluate import evaluate
from chainrule.heads.bernoulli import BernoulliHead
from chainrule.models.chain import AutoregressiveModel
from chainrule.networks.pixelcnn import PixelCNN
from chainrule.sampling.parallel import parallel_sample
from chainrule.training.fit import fit
from chainrule.training.settings import TrainingSettings

GOAL = 0.15


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.fixed_point", description=__doc__.split("\n")[0])
    parser.add_argument("--data", type=Path, required=True, help="the folder that holds binarized_mnist.npz")
    parser.add_argument("--steps", type=int, default=1000)
    parser.add_argument("--images", type=int, default=16)
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    torch.manual_seed(0)
    splits = np.load(options.data / "binarized_mnist.npz")
    train, valid, test = (ArrayExamples(splits[name].astype(np.int64)) for name in ("train", "valid", "test"))
    model = AutoregressiveModel(PixelCNN(2, (28, 28), 32, 5), BernoulliHead(32))
    some = ArrayExamples(valid.batch(np.arange(200)).x.numpy())
    settings = TrainingSettings(steps=options.steps, batch_size=16, learning_rate=3e-3, evaluate_every=options.steps)
    fit(model, train, some, settings)
    nats = evaluate(model, ArrayExamples(test.batch(np.arange(0, len(test), 10)).x.numpy())).likelihood.nats_per_example
    print(f"after {options.steps} steps of 16 images: {nats} nats/image on every tenth test image", flush=True)

    length, passes, same = model.network.length, [], True
    for first in range(options.images):
        result = parallel_sample(model, 1, seed=0, first=first)
        passes.append(result.passes)
        same &= torch.equal(result.sample.x, model.sample(1, seed=0, first=first).x)
    together = parallel_sample(model, options.images, seed=0)
    same &= torch.equal(together.sample.x, model.sample(options.images, seed=0).x)
    print(
        f"alone: {np.mean(passes):.1f} passes on average ({min(passes)} to {max(passes)}), "
        f"{np.mean(passes) / length:.1%} of {length}; {options.images} together: {together.passes} passes, "
        f"{together.passes / length:.1%} (goal {GOAL:.0%}); {together.redrawn} drawn again; "
        f"{'the same bits' if same else 'NOT the same bits'}"
    )


if __name__ == "__main__":
    main()
