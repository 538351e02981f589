"""A chain of mixtures of Gaussians against one Gaussian per column, on tables that scikit-learn ships.

    python -m benchmarks.table_heads

Each table is cut into five folds; every row is scored by the model that has not seen it. A tenth of the other rows
stops the training. Reported are nats per row in the units of the raw data, as densities and as masses at the resolution
of each column, with the paired difference to the Gaussians and its standard error.
"""

import argparse
import time

import numpy as np
import torch
from sklearn.covariance import LedoitWolf
from sklearn.datasets import load_breast_cancer, load_wine

from chainrule.batch import Batch
from chainrule.domain import detect_resolution
from chainrule.heads.gaussian_mixture import GaussianMixture, GaussianMixtureHead
from chainrule.models.chain import AutoregressiveModel
from chainrule.networks.transformer import Transformer

FOLDS = 5


def gaussian_per_column(train, test, resolution):
    """Mean and standard deviation of each column by maximum likelihood."""
    zero = torch.zeros(*test.shape, 1)
    p = GaussianMixture(zero, zero, zero, train.mean(0), train.std(0, correction=0), resolution)
    return p.log_prob(test).sum(1)


def one_gaussian(train, test):
    """A single multivariate Gaussian, its covariance shrunk by Ledoit and Wolf, on standardised columns."""
    mean, spread = train.mean(0), train.std(0, correction=0)
    fitted = LedoitWolf().fit(((train - mean) / spread).numpy())
    law = torch.distributions.MultivariateNormal(torch.zeros(len(mean)).double(), torch.tensor(fitted.covariance_))
    return law.log_prob((test - mean) / spread) - spread.log().sum()


def chain(train, test, resolution, seed, components=4, width=32, steps=800):
    """A small transformer over the columns; the step is chosen on a tenth of the training rows."""
    torch.manual_seed(seed)
    order = torch.randperm(len(train))
    valid, train = train[order[: len(train) // 10]], train[order[len(train) // 10 :]]
    length = train.shape[1]
    step = None if resolution is None else resolution.tolist()
    head = GaussianMixtureHead(width, components=components, resolution=step, length=length)
    network = Transformer(None, length, width, depth=2, heads=4, dropout=0.3)
    model = AutoregressiveModel(network, head)
    model.initialise(train)
    optimizer = torch.optim.AdamW(model.parameters(), lr=4e-3, weight_decay=0.1)
    best, kept, waited = -np.inf, None, 0
    for i in range(steps):
        batch = Batch(train[torch.randint(len(train), (64,))])
        model.train()
        optimizer.zero_grad()
        (-model.log_prob(batch).mean()).backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 10.0)
        optimizer.step()
        if i % 20 == 19:
            model.eval()
            with torch.no_grad():
                now = float(model.log_prob(Batch(valid)).mean())
            waited += 1
            if now > best:
                best, waited = now, 0
                kept = {name: value.clone() for name, value in model.state_dict().items()}
            if waited == 15:
                break
    model.load_state_dict(kept)
    model.eval()
    with torch.no_grad():
        return model.log_prob(Batch(test))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    seed = options.seed
    torch.set_num_threads(options.threads)
    print(f"{'table':<15}{'number':<9}{'model':<36}{'nats/row':>10}{'gain':>20}{'seconds':>9}")
    for name, load in (("wine", load_wine), ("breast cancer", load_breast_cancer)):
        x = torch.tensor(load().data)
        steps = torch.tensor([detect_resolution(column) for column in x.T], dtype=torch.float64)
        fold = torch.tensor(np.random.default_rng(seed).permutation(len(x)) % FOLDS)
        for number, resolution in (("density", None), ("mass", steps)):
            models = {
                "Gaussian per column": lambda a, b, r=resolution: gaussian_per_column(a, b, r),
                "transformer, mixtures of Gaussians": lambda a, b, r=resolution: chain(a, b, r, seed),
            }
            if resolution is None:
                models["one Gaussian, Ledoit-Wolf"] = one_gaussian
            scores = {}
            for model, fit in models.items():
                started = time.perf_counter()
                score = torch.zeros(len(x), dtype=torch.float64)
                for k in range(FOLDS):
                    score[fold == k] = fit(x[fold != k], x[fold == k])
                scores[model] = score
                gain = score - scores["Gaussian per column"]
                difference = f"{float(gain.mean()):.2f} ± {float(gain.std()) / len(x) ** 0.5:.2f}"
                seconds = time.perf_counter() - started
                row = f"{name:<15}{number:<9}{model:<36}{-float(score.mean()):>10.2f}{difference:>20}{seconds:>9.1f}"
                print(row, flush=True)


if __name__ == "__main__":
    main()
