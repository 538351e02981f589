"""Sampling many elements per pass: fixed-point iteration with frozen noise.

A draw is a function of the elements before it and of its own uniform number, x_d = icdf(u_d | x_<d). With the u_d
frozen, the whole example solves x = F(x) for a triangular F, which iteration from any guess reaches: after k passes the
first k elements are right at the latest, and in practice most of them long before. Each pass is one parallel forward.

Papers: Song, Meng, Liao, Ermon, *Accelerating feedforward computation via parallel nonlinear equation solving*, 2021;
Wiggers, Hoogeboom, *Predictive sampling with forecasting autoregressive models*, 2020.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from chainrule.errors import InputError
from chainrule.heads.base import Distribution
from chainrule.models.base import Sample, evaluating
from chainrule.models.chain import AutoregressiveModel
from chainrule.noise import uniforms

__all__ = ["ParallelSample", "parallel_sample"]


@dataclass(frozen=True)
class ParallelSample:
    """What was drawn and what it took.

    sample: the draws, as `model.sample` gives them.
    passes: number of parallel passes, the last of which finds nothing to change.
    redrawn: number of examples that were drawn again one element at a time, because rounding might have decided one of
        their symbols.
    """

    sample: Sample
    passes: int
    redrawn: int


def parallel_sample(
    model: AutoregressiveModel,
    n: int,
    *,
    seed: int,
    first: int = 0,
    context: Tensor | None = None,
    tolerance: float = 1e-5,
    on_pass: Callable[[int], object] | None = None,
) -> ParallelSample:
    """The draws of `model.sample(n, seed=seed, first=first)`, the same symbols, in as few passes as the model allows.

    The parallel pass and the step differ by rounding. Where a uniform number lies within `tolerance` of a border
    between two symbols, that could decide which one is drawn; such examples are drawn again element by element.

    model: model whose head has one finite support.
    n: number of examples.
    seed: seed of the draws, any integer.
    first: number of the first example.
    context: classes, shape (n,), or vectors, shape (n, C), for conditional models.
    tolerance: distance of a uniform number from a border between symbols that counts as doubtful.
    on_pass: called after each pass with the number of examples that it settled.

    Raises InputError for heads without a finite support, whose conditionals need the elements before (`at`), or that
    draw in an order of their own, as a tree does.

    >>> from chainrule import CategoricalHead, CausalConv
    >>> model = AutoregressiveModel(CausalConv(num_symbols=3, shape=9, width=8), CategoricalHead(8, 3))
    >>> result = parallel_sample(model, 5, seed=0)
    >>> bool((result.sample.x == model.sample(5, seed=0).x).all()), result.passes <= 10
    (True, True)
    """
    if n < 1:
        raise InputError(f"a sample has at least one example, got n={n}")
    if model.head.num_symbols is None or not model.head.elementwise:
        raise InputError(f"parallel sampling needs a head with one finite support, got {model.head}; use model.sample")
    length = model.network.length
    u = torch.from_numpy(uniforms(seed, range(first, first + n), range(length))).to(model.device)
    x = torch.zeros(n, length, dtype=torch.long, device=model.device)
    log_prob = torch.zeros(n, dtype=torch.float64, device=model.device)
    doubtful = torch.zeros(n, dtype=torch.bool, device=model.device)
    open_rows = torch.arange(n, device=model.device)
    passes = 0
    with evaluating(model):
        while len(open_rows):
            passes += 1
            here = None if context is None else context[open_rows]
            p = model.head(model.network(x[open_rows], here))
            if p.order is not None:
                raise InputError(f"{type(model.head).__name__} draws in an order of its own; use model.sample")
            drawn = p.icdf(u[open_rows])
            settled = (drawn == x[open_rows]).all(1)
            log_prob[open_rows[settled]] = p.log_prob(drawn).sum(1, dtype=torch.float64)[settled]
            doubtful[open_rows[settled]] = (_margin(p, drawn, u[open_rows]).amin(1) < tolerance)[settled]
            x[open_rows] = drawn
            open_rows = open_rows[~settled]
            if on_pass is not None:
                on_pass(int(settled.sum()))
    for row in doubtful.nonzero().flatten().tolist():
        alone = None if context is None else context[row : row + 1]
        again = model.sample(1, seed=seed, first=first + row, context=alone)
        x[row], log_prob[row] = again.x[0], again.log_prob[0]
    sample = Sample(x, torch.ones_like(x, dtype=torch.bool), log_prob, None)
    return ParallelSample(sample, passes, int(doubtful.sum()))


def _margin(p: Distribution, x: Tensor, u: Tensor) -> Tensor:
    """Distance of u from the nearer border of its symbol, F(x - 1) <= u < F(x), shape of x; 0 and 1 do not count."""
    top = (p.num_symbols or 0) - 1
    above = torch.where(x < top, p.cdf(x).double() - u, 1.0)
    below = torch.where(x > 0, u - p.cdf((x - 1).clamp(min=0)).double(), 1.0)
    return torch.minimum(above, below)
