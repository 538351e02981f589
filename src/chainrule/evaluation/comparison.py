"""Which of two models is better, and is it more than chance? Paired over examples.

    d_n = L_n(A) - L_n(B),   its mean, standard error, sign-flip permutation p, bootstrap interval

Two models that score the same examples are compared example by example: what makes an example hard for both cancels.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, inf, nan, sqrt
from typing import Any

import numpy as np
import numpy.typing as npt

from chainrule.atomic_files import json_value
from chainrule.errors import InputError
from chainrule.likelihood import BLOCKS, EXAMPLES, Units

__all__ = ["Comparison", "compare", "holm", "needed_examples"]

Nats = npt.NDArray[np.float64]
DRAWS = 9999
Z_LEVEL, Z_POWER = 1.959964, 0.841621  # two-sided 5 %, power 80 %


@dataclass(frozen=True)
class Comparison:
    """A against B on the same examples; figures in nats per example, positive where A is better.

    a: name of the first model.
    b: name of the second model.
    examples: number of examples that both models think possible.
    difference: mean of d_n, nats per example.
    standard_error: standard error of that mean, nats per example.
    p_value: two-sided p-value of the sign-flip permutation test.
    interval: 95 % bootstrap interval of the mean, nats per example.
    needed: number of examples that resolve a difference of this size at the level of 5 % with a power of 80 %.
    b_better: share of examples on which B is better.
    impossible: number of examples to which A and to which B gives probability 0; they are left out of the figures.
    p_holm: p-value corrected for several comparisons.
    unit: what was taken as independent, in the plural: "examples", "groups of customer", "blocks of windows".
    units: number of these.
    """

    a: str
    b: str
    examples: int
    difference: float
    standard_error: float
    p_value: float
    interval: tuple[float, float]
    needed: int | None
    b_better: float
    impossible: tuple[int, int]
    p_holm: float
    unit: str = EXAMPLES
    units: int = 0

    @property
    def verdict(self) -> str:
        """One sentence."""
        if self.impossible[0] != self.impossible[1]:
            worse = self.a if self.impossible[0] > self.impossible[1] else self.b
            return f"{worse} calls {abs(self.impossible[0] - self.impossible[1])} more examples impossible"
        if self.p_holm > 0.05:
            more = f"; a difference of this size takes {self.needed} examples" if self.needed else ""
            return f"no significant difference on {self.examples} examples{more}"
        better = self.a if self.difference > 0 else self.b
        return f"{better} is better by {abs(self.difference):.4g} ± {self.standard_error:.2g} nats/example"

    def to_json(self) -> dict[str, Any]:
        """The comparison as JSON."""
        fields: dict[str, Any] = json_value(vars(self))
        return fields | {"verdict": self.verdict}


def compare(
    a: Nats,
    b: Nats,
    names: tuple[str, str] = ("A", "B"),
    *,
    seed: int = 0,
    block: int = 1,
    units: Units | None = None,
) -> Comparison:
    """Compare ln p of the same examples under two models.

    a: ln p of each example under the first model, shape (N,), nats.
    b: ln p of the same examples under the second model, in the same order, shape (N,), nats.
    names: names of the two models.
    seed: seed of the sign flips and of the bootstrap.
    block: number of neighbouring examples that are one unit: 1 for independent examples, more for the windows of a
        stream, whose difficulty is correlated; resampling and sign flips move whole blocks.
    units: which examples belong together, so that resampling and sign flips move whole units; it counts where the block
        is 1.

    >>> result = compare(np.array([-1.0, -2.0, -3.0, -2.0]), np.array([-1.5, -2.4, -3.7, -2.5]))
    >>> round(result.difference, 3), result.b_better
    (0.525, 0.0)
    """
    a, b = np.asarray(a, dtype=np.float64), np.asarray(b, dtype=np.float64)
    if a.shape != b.shape or a.ndim != 1 or not len(a):
        raise InputError(f"{names[0]} has {a.shape} scores, {names[1]} {b.shape}; score the same examples with both")
    if not ((a < inf) & (b < inf)).all():
        raise InputError("ln p is a number below +inf; a NaN or +inf is not a log-probability")
    if not 1 <= block <= max(1, len(a) // 2):
        raise InputError(f"a block has 1 to {max(1, len(a) // 2)} of {len(a)} examples, got {block}")
    impossible = (int((a == -inf).sum()), int((b == -inf).sum()))
    possible = (a > -inf) & (b > -inf)
    d = (a - b)[possible]
    if not len(d):
        raise InputError("no example is possible under both models; there is nothing to compare")
    mean, unit = float(d.mean()), EXAMPLES if block == 1 else BLOCKS
    if block == 1 and units is not None:
        both = Units(units.name, units.number[possible]).sums(np.column_stack([d, np.ones(len(d))]))
        raw, sums, unit = both[:, 0], both[:, 0] - mean * both[:, 1], units.name
        low, high = unit_interval(both[:, 0], both[:, 1], seed)
    else:
        raw, sums = block_sums(d, block), block_sums(d - mean, block)
        low, high = bootstrap_interval(d, block, seed)
    error = sqrt(len(sums) / max(len(sums) - 1, 1) * float((sums**2).sum())) / len(d) if len(sums) > 1 else nan
    p, spread = sign_flip_p(raw, seed), error * sqrt(len(d))
    worse = float(((d < 0) + 0.5 * (d == 0)).mean())
    needed = needed_examples(mean, spread)
    return Comparison(*names, len(d), mean, error, p, (low, high), needed, worse, impossible, p, unit, len(sums))


def block_sums(d: Nats, block: int) -> Nats:
    """Sums over neighbouring examples, the last block perhaps shorter."""
    return np.add.reduceat(d, np.arange(0, len(d), block))


def sign_flip_p(sums: Nats, seed: int = 0, draws: int = DRAWS) -> float:
    """P(|sum of s_n d_n| >= |sum of d_n|) over random signs s: exact in level where d is symmetric about zero.

    >>> sign_flip_p(np.zeros(5))
    1.0
    """
    generator = np.random.default_rng(seed)
    draws = int(np.clip(4e7 // len(sums), 999, draws))
    observed = abs(float(sums.sum()))
    reached = 0
    for start in range(0, draws, 256):
        signs = generator.integers(0, 2, (min(256, draws - start), len(sums)), dtype=np.int8)
        flipped = 2.0 * (signs @ sums) - sums.sum()
        reached += int((np.abs(flipped) >= observed * (1 - 1e-12)).sum())
    return (1 + reached) / (1 + draws)


def bootstrap_interval(d: Nats, block: int = 1, seed: int = 0, draws: int = DRAWS) -> tuple[float, float]:
    """The 95 % interval of the mean by resampling blocks that wrap around, studentised.

        t* = (mean* - mean) / se*,   interval = mean - se * (t*'s quantiles at 0.975 and 0.025)

    se comes from the spread of the block means, in the data as in each resample: skewness and the uncertainty of the
    spread itself are taken into account. Papers: Politis, Romano 1992 (blocks on a circle); Efron, Tibshirani 1993,
    chapter 12 (studentised).
    """
    generator = np.random.default_rng(seed + 1)
    count, centre = -(-len(d) // block), float(d.mean())
    if count < 2:
        return nan, nan
    draws = int(np.clip(4e7 // count, 999, draws))
    running = np.concatenate([[0.0], np.cumsum(np.concatenate([d, d[:block]]) - centre)])
    means = (running[block : block + len(d)] - running[: len(d)]) / block
    error = sqrt(float((means**2).mean()) / (count - 1))
    t = np.empty(draws)
    for start in range(0, draws, 256):
        drawn = means[generator.integers(0, len(d), (min(256, draws - start), count))]
        with np.errstate(divide="ignore", invalid="ignore"):
            t[start : start + len(drawn)] = drawn.mean(1) * sqrt(count) / drawn.std(1, ddof=1)
    low, high = np.quantile(t[np.isfinite(t)], [0.025, 0.975]) if np.isfinite(t).any() else (0.0, 0.0)
    return centre - error * float(high), centre - error * float(low)


def unit_interval(sums: Nats, sizes: Nats, seed: int = 0, draws: int = DRAWS) -> tuple[float, float]:
    """The 95 % interval of sum s_j / sum n_j by resampling whole units, studentised as `bootstrap_interval` is.

    sums: s_j, the sum of d_n over each unit, shape (J,).
    sizes: n_j, its number of examples, shape (J,).
    seed: seed of the resampling.
    draws: how often it is resampled.
    """
    count = len(sums)
    if count < 2:
        return nan, nan
    generator = np.random.default_rng(seed + 1)
    draws = int(np.clip(4e7 // count, 999, draws))

    def means(which: npt.NDArray[np.int64]) -> tuple[Nats, Nats]:
        s, n = sums[which], sizes[which]
        mean = s.sum(-1) / n.sum(-1)
        squares = ((s - mean[..., None] * n) ** 2).sum(-1)
        return mean, np.sqrt(count / (count - 1) * squares) / n.sum(-1)

    (centre,), (error,) = means(np.arange(count)[None])
    t = np.empty(draws)
    for start in range(0, draws, 256):
        drawn, spread = means(generator.integers(0, count, (min(256, draws - start), count)))
        with np.errstate(divide="ignore", invalid="ignore"):
            t[start : start + len(drawn)] = (drawn - centre) / spread
    known = t[np.isfinite(t)]
    low, high = np.quantile(known, [0.025, 0.975]) if len(known) else (0.0, 0.0)
    return float(centre - error * high), float(centre - error * low)


def needed_examples(difference: float, spread: float) -> int | None:
    """((z_0.975 + z_0.8) sd / difference)^2: examples for a level of 5 % and a power of 80 %; None for no difference.

    >>> needed_examples(0.1, 1.0)
    785
    """
    return None if not difference or spread != spread else ceil(((Z_LEVEL + Z_POWER) * spread / difference) ** 2)


def holm(p_values: Sequence[float]) -> list[float]:
    """Holm's step-down correction: the largest of (m - i) p_(i) over the smaller ones (Holm 1979).

    >>> holm([0.01, 0.04, 0.03])
    [0.03, 0.06, 0.06]
    """
    order = np.argsort(p_values)
    corrected = np.maximum.accumulate([(len(order) - i) * p_values[k] for i, k in enumerate(order)])
    result = np.empty(len(order))
    result[order] = np.minimum(corrected, 1.0)
    return [float(p) for p in result]
