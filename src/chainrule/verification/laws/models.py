"""The laws of models: p(x) over all x sums to one, draws are from p, and padding is not read."""

from __future__ import annotations

from copy import deepcopy

import torch
from torch import Tensor

from chainrule.batch import Batch
from chainrule.models.chain import AutoregressiveModel
from chainrule.verification.certificate.normalisation import every_example
from chainrule.verification.laws.law import elements, fits, randomised, within

__all__ = ["check_model", "masked_content_is_unread", "sampler_is_model", "sums_to_one"]


def sums_to_one(model: AutoregressiveModel, num_symbols: int, length: int, context: Tensor | None = None) -> None:
    """sum over all x of p(x) is one: within 1e-5 in float32, 1e-12 in float64."""
    x = every_example(num_symbols, length)
    for bound, net in ((1e-5, model), (1e-12, deepcopy(model).double())):
        c = None if context is None else context[:1].expand(len(x), *context.shape[1:])
        with torch.no_grad():
            mass = float(net.log_prob(Batch(x, context=c)).double().exp().sum())
        within(abs(mass - 1), bound, "p(x) over all x sums to one")


def sampler_is_model(
    model: AutoregressiveModel, num_symbols: int, length: int, context: Tensor | None = None, draws: int = 20_000
) -> None:
    """Draws fit the enumerated p(x) by chi-square, and the sampler's ln p is that of the parallel pass."""
    x = every_example(num_symbols, length)
    c = None if context is None else context[:1]
    spread = None if c is None else c.expand(draws, *c.shape[1:])
    sample = model.sample(draws, seed=5, length=length, context=spread)
    with torch.no_grad():
        pmf = model.log_prob(Batch(x, context=None if c is None else c.expand(len(x), *c.shape[1:]))).double().exp()
        scored = model.log_prob(Batch(sample.x, context=spread))
    within(float((scored - sample.log_prob).abs().max()), 1e-3, "the sampler's ln p = the model's")
    code = (sample.x * num_symbols ** torch.arange(length - 1, -1, -1)).sum(1)
    fits(code, pmf)


def _examples(
    model: AutoregressiveModel, num_symbols: int | None, length: int, seed: int, context: Tensor | None
) -> Tensor:
    """Three examples: any symbols, or, where not every real is in the domain, what the model itself draws."""
    if num_symbols is not None:
        return elements(num_symbols, 3, length, seed=seed)
    return model.sample(3, seed=seed, length=length, context=context).x


def masked_content_is_unread(
    model: AutoregressiveModel, num_symbols: int | None, length: int, context: Tensor | None = None
) -> None:
    """What stands in the padding changes neither a log-probability nor a gradient, by no bit."""
    x, other = (_examples(model, num_symbols, length, seed, context) for seed in (0, 9))
    mask = torch.arange(length) < torch.tensor([length, max(1, length - 2), 1])[:, None]
    results = []
    for filling in (torch.zeros_like(x), other):
        log_prob = model.log_prob(Batch(torch.where(mask, x, filling), mask, context))
        trained = list(model.parameters())
        gradients = torch.autograd.grad(log_prob.sum(), trained, allow_unused=True) if trained else ()
        results.append((log_prob.detach(), gradients))
    within(float((results[0][0] - results[1][0]).abs().max()), 0.0, "padding changes log_prob")
    for a, b in zip(results[0][1], results[1][1], strict=True):
        if a is not None and b is not None:
            within(float((a - b).abs().max()), 0.0, "padding changes a gradient")


def check_model(
    model: AutoregressiveModel, num_symbols: int | None, length: int, context: Tensor | None = None
) -> None:
    """All laws of a model on a domain small enough to enumerate (V^D up to about 10^4). Raises LawBroken.

    num_symbols: V, None for reals.
    length: D.
    context: one entry for each of three examples, for conditional models.
    """
    model = randomised(model)
    masked_content_is_unread(model, num_symbols, length, context)
    if num_symbols is not None:
        sums_to_one(model, num_symbols, length, context)
        sampler_is_model(model, num_symbols, length, context)
