"""Categorical against discretised logistics on MNIST with all its 256 grey values: same network, same budget.

    python -m benchmarks.mnist_heads --data DIR

DIR holds the four IDX files. Both heads sit on the same small causal convolution, started from the same seed and
trained on the same images in the same order; each is scored once on every element of the whole test split.
"""

import argparse
import gzip
import json
import sys
import time
from pathlib import Path

import numpy as np
import torch

from chainrule.batch import Batch
from chainrule.heads.categorical import CategoricalHead
from chainrule.heads.logistic_mixture import LogisticMixtureHead
from chainrule.likelihood import LogLikelihood
from chainrule.models.chain import AutoregressiveModel
from chainrule.networks.causal_conv import CausalConv


def images(path):
    """The images of an IDX file as rows of 784 levels."""
    with gzip.open(path) as file:
        return torch.from_numpy(np.frombuffer(file.read(), np.uint8, offset=16).reshape(-1, 784).astype(np.int64))


def train(model, x, steps, batch_size, seed):
    generator = torch.Generator().manual_seed(seed)
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3, weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda i: min((i + 1) / 30, 1) * (1 - i / steps))
    order = torch.randperm(len(x), generator=generator)
    for i in range(steps):
        rows = order[torch.arange(i * batch_size, (i + 1) * batch_size) % len(x)]
        optimizer.zero_grad()
        (-model.log_prob(Batch(x[rows])).mean() / 784).backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        if i % 100 == 99:
            print(f"{i + 1} of {steps} steps", end="\r", file=sys.stderr, flush=True)


@torch.inference_mode()
def evaluate(model, x):
    model.eval()
    batches = Batch(x).split(50)
    return sum((LogLikelihood.of(batch, model.log_prob(batch)) for batch in batches), LogLikelihood.zero())


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--steps", type=int, default=600)
    parser.add_argument("--batch-size", type=int, default=16)
    parser.add_argument("--width", type=int, default=48)
    parser.add_argument("--depth", type=int, default=8)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--test-images", type=int, default=None, help="score only the first ones, for a quick look")
    parser.add_argument("--record", type=Path, default=None, help="write the figures here, as JSON")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    x = images(options.data / "train-images-idx3-ubyte.gz")
    test = images(options.data / "t10k-images-idx3-ubyte.gz")[: options.test_images]
    heads = {
        "categorical": lambda features: CategoricalHead(features, 256),
        "discretised logistics, K = 10": lambda features: LogisticMixtureHead(features, 256, components=10),
    }
    records = []
    print(f"{'head':<32}{'head parameters':>16}{'bits/dim':>20}{'train s':>9}{'test s':>8}")
    for name, build in heads.items():
        torch.manual_seed(options.seed)
        network = CausalConv(256, (28, 28), options.width, options.depth, dilations=(1, 28), ordinal=True)
        model = AutoregressiveModel(network, build(options.width))
        model.initialise(x[:1000])
        started = time.perf_counter()
        train(model, x, options.steps, options.batch_size, options.seed)
        trained = time.perf_counter()
        score = evaluate(model, test)
        done = time.perf_counter()
        size = sum(p.numel() for p in model.head.parameters())
        print(
            f"{name:<32}{size:>16}{score.bits_per_dim!s:>20}{trained - started:>9.1f}{done - trained:>8.1f}", flush=True
        )
        records.append({"head": name, "seconds": trained - started, "head_parameters": size, **score.to_json()})
    if options.record is not None:
        settings = {name: str(value) for name, value in vars(options).items() if name not in ("data", "record")}
        options.record.write_text(
            json.dumps({"settings": settings, "torch": torch.__version__, "rows": records}, indent=1)
        )


if __name__ == "__main__":
    main()
