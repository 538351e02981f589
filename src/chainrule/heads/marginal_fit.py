"""Fitting the distribution of a column of numbers: values that repeat, and something smooth for the rest.

The share of the values that repeat is found by leaving one row out, the width of the smooth part's kernels on values
that they were not fitted to. So numbers that never repeat give nothing away, and those that were rounded more coarsely
than they are written lose nothing.
"""

from __future__ import annotations

import numpy as np

from chainrule.batch import Array

__all__ = ["ATOMS", "KERNELS", "fitted_marginal"]

ATOMS = 512  # values that repeat, the most frequent ones
KERNELS = 64
WIDTHS = (0.5, 0.8, 1.2, 1.8, 2.7)  # of a kernel, in distances to its neighbours
FOLDS = 5
ENOUGH = 4096  # different values on which the width is chosen
ROUNDS = 3
MOST = 1 - 1e-6  # share of the values that repeat
LEAST = 1e-4  # width of a kernel, in standard deviations, where there is no step
TINY = 1e-300

Smooth = dict[str, Array]


def fitted_marginal(position: Array, resolution: float | None) -> dict[str, Array]:
    """The buffers of a `Marginal`, shorter where not all places are used.

    position: numbers in steps, or without a step as they are, shape (N,), at least one.
    resolution: the step; None where there is none.
    """
    values, counts = np.unique(position, return_counts=True)
    rows = counts.astype(np.float64)
    least = _least_width(values, rows, resolution is not None)
    stepped = resolution is not None
    factor = _chosen_width(values, rows, least, stepped)
    smooth = _smooth_part(values, rows, least, factor)
    origin = np.array(np.rint(np.median(position)))
    none = {"share": np.zeros(1), "atom": np.zeros(0), "atom_mass": np.zeros(0)}
    if not stepped or counts.max() == 1:
        return smooth | none | {"origin": origin}
    often = np.where(counts > 1, counts, 0)
    if np.count_nonzero(often) > ATOMS:
        often[np.argsort(-often, kind="stable")[ATOMS:]] = 0
    share = 0.0
    for _ in range(ROUNDS):
        share, seen = _share(counts, often, _mass(smooth, values))
        rows = counts * (1 - seen) + 1e-3
        factor = _chosen_width(values, rows, least, stepped)
        smooth = _smooth_part(values, rows, least, factor)
    share, _ = _share(counts, often, _mass(smooth, values))
    kept = np.flatnonzero(often)
    atoms = {"share": np.array([share]), "atom": values[kept], "atom_mass": often[kept] / often.sum()}
    return smooth | atoms | {"origin": origin}


def _share(counts: Array, often: Array, smooth: Array) -> tuple[float, Array]:
    """The share of the values that repeat, by expectation-maximisation, and how likely each value is one of them."""
    left_out = np.where(often > 2, often - 1, 0) / max(often.sum() - 1, 1)  # of two the one that is left is alone
    share, seen = 0.5, np.zeros(len(counts))
    for _ in range(100):
        seen = share * left_out / np.maximum(share * left_out + (1 - share) * smooth, TINY)
        share = min(float((counts * seen).sum() / counts.sum()), MOST)
    return share, seen


def _least_width(values: Array, rows: Array, stepped: bool) -> float:
    if stepped:
        return 0.3
    centre = np.average(values, weights=rows)
    return LEAST * float(np.sqrt(np.average((values - centre) ** 2, weights=rows))) or 1e-6 * (abs(centre) + 1)


def _chosen_width(values: Array, rows: Array, least: float, stepped: bool) -> float:
    """The width of the kernels, in distances to their neighbours, that is best on values left out."""
    if len(values) < 2 * FOLDS:
        return WIDTHS[2]
    if len(values) > ENOUGH:
        kept = np.random.default_rng(0).choice(len(values), ENOUGH, replace=False)
        values, rows = values[np.sort(kept)], rows[np.sort(kept)]
    fold = np.random.default_rng(1).permutation(len(values)) % FOLDS
    total = np.zeros(len(WIDTHS))
    for held in range(FOLDS):
        out = fold == held
        for i, factor in enumerate(WIDTHS):
            smooth = _smooth_part(values[~out], rows[~out], least, factor)
            p = _mass(smooth, values[out]) if stepped else _density(smooth, values[out])
            total[i] += rows[out] @ np.log(np.maximum(p, TINY))
    return WIDTHS[int(total.argmax())]


def _smooth_part(values: Array, rows: Array, least: float, factor: float) -> Smooth:
    """Kernels at the quantiles of the values, as wide as their neighbours are far, and a component with long tails."""
    total = rows.sum()
    number = int(np.clip(round(2 * total**0.4), 1, KERNELS))
    level = (np.cumsum(rows) - rows / 2) / total
    centre = np.interp((np.arange(number) + 0.5) / number, level, values)
    ends = np.interp([0.05, 0.95], level, values)
    scale = max(float(ends[1] - ends[0]) / 2, least)
    distance = np.full(number, scale)
    if number > 1:
        gap = np.diff(centre)
        distance = np.concatenate([gap[:1], (gap[1:] + gap[:-1]) / 2, gap[-1:]])
    tail = 1 / (total + 2)
    width = np.maximum(factor * distance, least)
    weight = np.full(number, (1 - tail) / number)
    return {"centre": centre, "width": width, "weight": weight, "tail": np.array([tail, np.median(centre), scale])}


def _mass(smooth: Smooth, k: Array) -> Array:
    """The mass of the steps at positions."""
    from scipy.special import ndtr

    centre, width, weight = smooth["centre"], smooth["width"], smooth["weight"]
    tail, middle, scale = smooth["tail"]
    z = np.abs(k[:, None] - centre)
    near = (weight * (ndtr((0.5 - z) / width) - ndtr((-0.5 - z) / width))).sum(1)
    return near + tail / scale * (2 + ((k - middle) / scale) ** 2) ** -1.5


def _density(smooth: Smooth, x: Array) -> Array:
    centre, width, weight = smooth["centre"], smooth["width"], smooth["weight"]
    tail, middle, scale = smooth["tail"]
    near = (weight / width * np.exp(-(((x[:, None] - centre) / width) ** 2) / 2)).sum(1) / np.sqrt(2 * np.pi)
    return near + tail / scale * (2 + ((x - middle) / scale) ** 2) ** -1.5
