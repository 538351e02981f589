"""Where the nats are, and whether the conditionals are calibrated.

By position:   -(1/N_d) sum_n ln p(x_{n,d} | x_{n,<d}), over the examples that have an element d
PIT:           u = F(x-) + v p(x) is uniform on [0, 1) if the conditionals are right
Reliability:   of all the symbols that were given a probability near q, a share q should happen
Entropy:       S_n = sum_d (-ln p(x_{n,d} | .) - H_d) has mean zero if the model is right;  z = mean S / se
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import nan, sqrt
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from chainrule.atomic_files import json_value
from chainrule.data.examples.base import Examples
from chainrule.data.examples.in_batches import in_batches
from chainrule.errors import InputError
from chainrule.evaluation.batch_rows import rows_at_once
from chainrule.likelihood import LogLikelihood, Units
from chainrule.models.base import Model, evaluating
from chainrule.noise import uniforms

__all__ = ["PIT_BINS", "Diagnosis", "by_group", "diagnose"]

PIT_BINS, RELIABILITY_BINS = 20, 10
Numbers = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Diagnosis:
    """Where the nats are, and whether the conditionals are calibrated, from one pass over the examples.

    nats_by_position: mean -ln p of element d, shape (D,); in the windows of a stream, d elements stand before it.
    count_by_position: number of examples that have an element d, shape (D,).
    pit: counts of the randomised transform in equal bins.
    reliability: for each bin of probability: how often such a probability was given, its mean, and how often the symbol
        occurred, shape (bins, 3).
    surprise: mean of nats minus entropy, per example.
    surprise_se: standard error of that mean.

    A part is None where the head has no cdf, no finite support or no entropy.
    """

    nats_by_position: Numbers
    count_by_position: Numbers
    pit: Numbers | None
    reliability: Numbers | None
    surprise: float | None
    surprise_se: float | None

    @property
    def z_score(self) -> float | None:
        """Standard errors by which the nats lie above the entropy: above 2 is overconfident, below -2 timid."""
        if self.surprise is None or self.surprise_se is None or not self.surprise_se > 0:
            return None
        return self.surprise / self.surprise_se

    def to_json(self) -> dict[str, Any]:
        """The diagnosis as JSON, undefined numbers as null and infinite ones as text."""
        arrays = ("nats_by_position", "count_by_position", "pit", "reliability")
        return {name: json_value(getattr(self, name)) for name in arrays} | {
            "nats_minus_entropy": self.surprise,
            "nats_minus_entropy_se": self.surprise_se,
            "z_score": self.z_score,
        }


def diagnose(model: Model, examples: Examples, *, batch_size: int | None = None, seed: int = 0) -> Diagnosis:
    """One pass over the examples, in evaluation mode.

    model: an AutoregressiveModel; any other model with conditionals gives the nats by position only.
    examples: the examples that are scored, at least one.
    batch_size: number of examples that are scored at a time, by default by their length.
    seed: seed of the randomised transform.

    >>> from chainrule import AutoregressiveModel, CategoricalHead, CausalConv
    >>> from chainrule.data.examples.arrays import ArrayExamples
    >>> model = AutoregressiveModel(CausalConv(3, 4, width=8), CategoricalHead(8, 3))
    >>> diagnose(model, ArrayExamples(np.zeros((5, 4), dtype=np.int64))).count_by_position
    array([5., 5., 5., 5.])
    """
    if not len(examples):
        raise InputError("a diagnosis needs at least one example, got none")
    batch_size = rows_at_once(examples, torch.device("cpu")) if batch_size is None else batch_size
    nats, count = np.zeros(0), np.zeros(0)
    pit, reliability = np.zeros(PIT_BINS), np.zeros((RELIABILITY_BINS, 3))
    surprises: list[Numbers] = []
    with evaluating(model):
        for rows, batch in in_batches(examples, batch_size):
            mask = batch.mask.numpy()
            log_prob = model.element_log_prob(batch)
            grown = mask.shape[1] - len(nats)
            nats, count = (np.pad(part, (0, max(0, grown))) for part in (nats, count))
            nats[: mask.shape[1]] -= log_prob.double().sum(0).numpy()
            count[: mask.shape[1]] += mask.sum(0)
            p = model.conditionals(batch)
            if p is None:
                continue
            try:
                upper = p.cdf(batch.x).double().numpy()
                v = uniforms(seed, rows, range(mask.shape[1]))
                densities = list(p.density_columns)
                jump = np.exp(log_prob.double().numpy())
                jump[:, densities] = 0.0
                u = upper - (1 - v) * jump
                pit += np.histogram(np.clip(u[mask], 0, 1), PIT_BINS, (0, 1))[0]
                surprise = (-log_prob.double() - p.entropy().double()).numpy() * mask
                surprises.append(surprise.sum(1))
            except InputError:
                pass
            if p.has_pmf:
                reliability += _reliability(p.pmf().double().numpy()[mask], batch.x.numpy()[mask])
    nats = np.divide(nats, count, out=np.full_like(nats, nan), where=count > 0)
    every = np.concatenate(surprises) if surprises else None
    mean = None if every is None else float(every.mean())
    error = None if every is None or len(every) < 2 else float(every.std(ddof=1)) / sqrt(len(every))
    return Diagnosis(nats, count, pit if pit.any() else None, _means(reliability), mean, error)


def _reliability(pmf: Numbers, x: npt.NDArray[Any]) -> Numbers:
    """For each bin of probability: how many were given, their sum, and how many happened."""
    bins = np.minimum((pmf * RELIABILITY_BINS).astype(int), RELIABILITY_BINS - 1)
    happened = np.zeros_like(pmf)
    happened[np.arange(len(x)), x] = 1
    columns = (np.bincount(bins.ravel(), w, RELIABILITY_BINS) for w in (None, pmf.ravel(), happened.ravel()))
    return np.stack(list(columns), 1).astype(float)


def _means(sums: Numbers) -> Numbers | None:
    if not sums.any():
        return None
    count = np.maximum(sums[:, :1], 1)
    return np.concatenate([sums[:, :1], sums[:, 1:] / count], 1)


def by_group(nats: Numbers, groups: Sequence[Any], units: Units | None = None) -> dict[str, dict[str, float]]:
    """Mean nats per example, its standard error and the count of each group, from ln p of the examples.

    nats: ln p of each example, nats, shape (N,).
    groups: what each example is counted with, shape (N,).
    units: which examples belong together, so that the errors are those of units; None where each is one of its own.

    >>> by_group(np.array([-1.0, -3.0, -5.0]), ["a", "a", "b"])["a"]["nats_per_example"]
    2.0
    """
    if len(groups) != len(nats):
        raise InputError(f"there are {len(groups)} groups for {len(nats)} examples; give one for each")
    names = np.asarray([str(group) for group in groups])
    result = {}
    for name in sorted(set(names.tolist())):
        mine = -nats[names == name]
        error = float(mine.std(ddof=1)) / sqrt(len(mine)) if len(mine) > 1 else 0.0
        if units is not None:
            own, ones = Units(units.name, units.number[names == name]), np.ones((len(mine), 3), dtype=np.int64)
            error = LogLikelihood.of_counts(-mine, ones, units=own).possible.nats_per_example.standard_error
        result[name] = {"examples": len(mine), "nats_per_example": float(mine.mean()), "nats_per_example_se": error}
    return result
