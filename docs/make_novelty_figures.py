"""The figures of novelty.md: what a model of the digits says of pictures that are none, over three seeds.

OMP_NUM_THREADS=1 python docs/make_novelty_figures.py
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch

from chainrule.baselines.independent import IndependentElements
from chainrule.data import ArrayExamples, load
from chainrule.evaluation.evaluate import evaluate
from chainrule.evaluation.novelty import Novelty
from chainrule.heads.categorical import CategoricalHead
from chainrule.models.chain import AutoregressiveModel
from chainrule.networks.causal_conv import CausalConv
from chainrule.training.fit import fit
from chainrule.training.settings import TrainingSettings

SEEDS, LEVEL = (0, 1, 2), 0.05
Pictures = dict[str, np.ndarray]


def pictures(digits: np.ndarray) -> Pictures:
    """Pictures that are no digits, beside the test digits, each (n, 64) in levels 0 to 16."""
    rng = np.random.default_rng(0)
    return {
        "test digits": digits,
        "a blank image": np.zeros((1, 64), np.int64),
        "an all-white image": np.full((1, 64), 16),
        "digits, levels divided by 4": digits // 4,
        "one grey level (8) everywhere": np.full((1, 64), 8),
        "digits, pixels shuffled": rng.permuted(digits, axis=1),
        "uniform noise": rng.integers(0, 17, (200, 64)),
    }


def trained(seed: int) -> tuple[AutoregressiveModel, int]:
    """A causal convolutional model of the digits, and the step whose weights were kept."""
    data = load("digits")
    torch.manual_seed(seed)
    model = AutoregressiveModel(CausalConv(17, (8, 8), 48, depth=6, dropout=0.3), CategoricalHead(48, 17))
    settings = TrainingSettings(steps=700, batch_size=50, learning_rate=3e-3, evaluate_every=50, seed=seed)
    return model, fit(model, data.train, data.valid, settings).best_step


def figures(seed: int) -> dict[str, tuple[float, ...]]:
    """Of each kind of picture: mean ln p, shares above the mean digit, and flagged by typicality and by the ratio."""
    data = load("digits")
    model, step = trained(seed)
    print(f"seed {seed}: the weights of step {step}", flush=True)
    background = IndependentElements.fit(data.train, 17, period=1)
    novelty = Novelty(evaluate(model, data.valid).nats, evaluate(background, data.valid).nats)
    found = {}
    typical = float(evaluate(model, data.test).nats.mean())
    for name, x in pictures(data.test.batch(np.arange(len(data.test))).x.numpy()).items():
        examples = ArrayExamples(x)
        log_p, log_q = (evaluate(one, examples).nats for one in (model, background))
        columns = novelty.columns(log_p, log_q)
        flagged = (float((columns[p] <= LEVEL).mean()) for p in ("p_typicality", "p_ratio"))
        found[name] = (float(log_p.mean()), float((log_p > typical).mean()), *flagged)
    return found


def spread(values: np.ndarray, share: bool) -> str:
    """The mean over the seeds, and the least and the most of them."""
    if share:
        low, mean, high = (f"{100 * v:.1f}" for v in (values.min(), values.mean(), values.max()))
        return f"{mean} % ({low} to {high})" if low != high else f"{mean} %"
    return f"{values.mean():.1f} ({values.min():.1f} to {values.max():.1f})"


def table(seeds: list[Mapping[str, tuple[float, ...]]], head: str, columns: tuple[int, ...]) -> str:
    """A table in Markdown."""
    rows = [head, "|---|" + "---:|" * len(columns)]
    for name in seeds[0]:
        cells = [spread(np.array([found[name][k] for found in seeds]), k > 0) for k in columns]
        rows.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(rows)


if __name__ == "__main__":
    torch.set_num_threads(1)
    found = [figures(seed) for seed in SEEDS]
    print(table(found, "| pictures | mean ln p, nats | share more probable than the average test digit |", (0, 1)))
    print(table(found, "| pictures | flagged by typicality | flagged by the ratio |", (2, 3)))
