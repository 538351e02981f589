"""Densities of continuous tables, fold by fold, beside those of kernels, Gaussian mixtures and a Gaussian copula.

    python -m benchmarks.continuous --data DIR [--sets red,white,wine] [--folds 3] [--minutes 1] [--experts NAMES]

The protocol of the RNADE papers: the target and columns of fewer than three values are dropped, and one of each
pair with a correlation above 0.98. The rows are cut into ten folds, at random; columns are standardised by the nine
tenths of train. A ninth of these is the validation split of our model and of the kernels' bandwidth; the mixture and
the copula are fitted to all nine. Reported are nats per row of the standardised columns, as a density, of the test
folds that are scored, with the standard error over rows, and the paired difference of each peer to ours. Our model is
the default of `fit --density`. Values repeat in most of these tables, which a density can exploit: compare like with
like only.
"""

from __future__ import annotations

import argparse
import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
from scipy.stats import norm
from sklearn.covariance import LedoitWolf
from sklearn.datasets import load_breast_cancer, load_diabetes, load_wine
from sklearn.mixture import GaussianMixture
from sklearn.neighbors import KernelDensity

from chainrule.evaluation.evaluate import evaluate
from chainrule.runs.fit import fit

PUBLISHED = {"red": 8.76, "white": 9.67}  # deep RNADE, ensembles of orders (Uria, Murray, Larochelle, ICML 2014)
FILES = {"red": "winequality-red.csv", "white": "winequality-white.csv", "ionosphere": "ionosphere.csv"}
SHIPPED: dict[str, Callable[[], np.ndarray]] = {
    "wine": lambda: load_wine().data,
    "cancer": lambda: load_breast_cancer().data,
    "diabetes": lambda: load_diabetes(scaled=False).data,
}
FOLDS = 10
BANDWIDTHS = np.geomspace(0.03, 2.0, 25)


def table(name: str, data: Path) -> np.ndarray:
    """The columns of a set that the protocol keeps, float64 (N, D)."""
    if name in SHIPPED:
        x = SHIPPED[name]()
    else:
        lines = (data / "uci_continuous" / FILES[name]).read_text().split()
        x = np.array([[float(cell) for cell in line.split(",")[:-1]] for line in lines])
    x = x[:, [len(np.unique(column)) > 2 for column in x.T]]
    kept: list[int] = []
    for d in range(x.shape[1]):
        if all(abs(np.corrcoef(x[:, d], x[:, k])[0, 1]) <= 0.98 for k in kept):
            kept.append(d)
    return x[:, kept]


def kernels(train: np.ndarray, valid: np.ndarray, test: np.ndarray) -> np.ndarray:
    """Gaussian kernels at all rows of train and valid, with the bandwidth that is best on valid."""
    best = max(BANDWIDTHS, key=lambda width: KernelDensity(bandwidth=width).fit(train).score(valid))
    return np.asarray(KernelDensity(bandwidth=best).fit(np.concatenate([train, valid])).score_samples(test))


def mixture(train: np.ndarray, valid: np.ndarray, test: np.ndarray) -> np.ndarray:
    """A mixture of Gaussians with as many components, and the kind of covariance, that BIC prefers."""
    x = np.concatenate([train, valid])
    tried = [
        GaussianMixture(k, covariance_type=kind, random_state=0, reg_covar=1e-4).fit(x)
        for kind in ("full", "diag")
        for k in (1, 2, 3, 4, 6, 8, 12)
        if k * 5 < len(x)
    ]
    return np.asarray(min(tried, key=lambda fitted: fitted.bic(x)).score_samples(test))


def copula(train: np.ndarray, valid: np.ndarray, test: np.ndarray) -> np.ndarray:
    """A Gaussian copula over kernel densities of the columns, its correlations shrunk by Ledoit and Wolf."""
    x, total, scores = np.concatenate([train, valid]), np.zeros(len(test)), []
    for d in range(x.shape[1]):
        column = train[:, d : d + 1]
        best = max(BANDWIDTHS, key=lambda width: KernelDensity(bandwidth=width).fit(column).score(valid[:, d : d + 1]))
        total += KernelDensity(bandwidth=best).fit(x[:, d : d + 1]).score_samples(test[:, d : d + 1])
        both = [norm.cdf((y[:, d : d + 1] - x[:, d]) / best).mean(1).clip(1e-9, 1 - 1e-9) for y in (x, test)]
        scores.append([norm.ppf(p) for p in both])
    z, w = (np.stack([column[i] for column in scores], 1) for i in (0, 1))
    covariance = LedoitWolf(assume_centered=True).fit(z).covariance_
    inverse = np.linalg.inv(covariance)
    quadratic = np.einsum("nd,de,ne->n", w, inverse, w)
    return total - quadratic / 2 + (w**2).sum(1) / 2 - np.linalg.slogdet(covariance)[1] / 2


def ours(train: np.ndarray, valid: np.ndarray, test: np.ndarray, scale: np.ndarray, options: dict) -> np.ndarray:
    """The default of `fit --density` on columns as they are recorded, in nats of columns divided by their scale."""
    names = [f"x{d}" for d in range(train.shape[1])]
    parts = {"train": train, "valid": valid, "test": test}
    frames = {part: pa.table(dict(zip(names, x.T, strict=True))) for part, x in parts.items()}
    run = fit(frames, density=True, **options)
    return np.asarray(evaluate(run.model(), run.data().test).nats) + np.log(scale).sum()


PEERS = {"kernels": kernels, "mixture": mixture, "copula": copula}


def shown(values: np.ndarray) -> str:
    return f"{values.mean():7.3f} ± {values.std() / len(values) ** 0.5:.3f}"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.continuous", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--data", type=Path, default=Path("."), help="folder with uci_continuous")
    parser.add_argument("--sets", default="red,white,ionosphere,wine,cancer,diabetes")
    parser.add_argument("--folds", type=int, default=FOLDS, help="number of test folds that are scored")
    parser.add_argument("--minutes", type=float, default=1.0)
    parser.add_argument("--experts", default=None)
    parser.add_argument("--network", default=None)
    parser.add_argument("--members", type=int, default=None)
    options = parser.parse_args()
    given = {"minutes": options.minutes, "experts": options.experts, "network": options.network}
    given = {name: value for name, value in (given | {"members": options.members}).items() if value is not None}
    if options.network is not None:
        given.pop("minutes")
    warnings.simplefilter("ignore")
    for name in options.sets.split(","):
        x = table(name, options.data)
        fold = np.random.default_rng(0).permutation(len(x)) % FOLDS
        scores: dict[str, list[np.ndarray]] = {}
        for held in range(options.folds):
            rest, test = x[fold != held], x[fold == held]
            rest = rest[np.random.default_rng(held).permutation(len(rest))]
            part = np.arange(len(rest)) < len(rest) // 9
            centre, scale = rest.mean(0), rest.std(0)
            for peer, score in PEERS.items():
                standard = ((y - centre) / scale for y in (rest[~part], rest[part], test))
                scores.setdefault(peer, []).append(score(*standard))
            began = time.perf_counter()
            scores.setdefault("ours", []).append(ours(rest[~part], rest[part], test, scale, given))
            each = {model: -parts[-1].mean() for model, parts in scores.items()}
            print(
                name,
                held,
                {model: round(float(nats), 3) for model, nats in each.items()},
                f"{time.perf_counter() - began:.0f} s",
                file=sys.stderr,
                flush=True,
            )
        own = np.concatenate(scores["ours"])
        line = f"{name:11} {x.shape[0]:5} x {x.shape[1]:2}  ours {shown(-own)}"
        for peer in PEERS:
            other = np.concatenate(scores[peer])
            line += f"  {peer} {-other.mean():.3f} (ours better by {shown(own - other).strip()})"
        print(line + (f"  published {PUBLISHED[name]}" if name in PUBLISHED else ""), flush=True)


if __name__ == "__main__":
    main()
