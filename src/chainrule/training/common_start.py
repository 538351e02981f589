"""Models of several orders that start as one, so that what they all need is learned once.

    theta_1 = ... = theta_O   for the first steps, each of which maximises ln p(x; theta_1) in an order drawn anew;

then every order goes on from there with weights of its own.

Paper: Li et al., *Branch-Train-Merge*, 2022, for a common phase from which the members of an ensemble branch.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from chainrule.errors import InputError
from chainrule.models.base import Model, as_model

__all__ = ["check_common_start", "common_step", "copy_first_to_all"]


def check_common_start(model: nn.Module) -> None:
    """Raises InputError for a model whose orders cannot start as one."""
    chains = as_model(model).chains
    if len(chains) < 2:
        raise InputError(
            "common_start is for orders with a model each, such as the scans of an image (--orders); leave it out"
        )
    if not chains[0].head.elementwise:
        raise InputError(
            "orders start as one with a head that is the same for every element, a "
            f"{type(chains[0].head).__name__} has a part for each; take another head, or leave common_start out"
        )


@contextmanager
def common_step(model: nn.Module, optimizer: torch.optim.Optimizer, common: bool) -> Iterator[None]:
    """Inside, a step of the common start trains the first model in any order; afterwards the others are copies of it.

    model: the model, of one order or of several.
    optimizer: the optimizer that takes the step.
    common: whether the step belongs to the common start; if not, nothing happens.
    """
    if not common:
        yield
        return
    mixture = as_model(model)
    mixture.common = True
    try:
        yield
    finally:
        mixture.common = False
    copy_first_to_all(mixture, optimizer)


@torch.no_grad()
def copy_first_to_all(model: Model, optimizer: torch.optim.Optimizer) -> None:
    """Give all models the weights of the first, and the optimizer's state of these weights.

    >>> from chainrule import AutoregressiveModel, BernoulliHead, CausalConv, OrderMixture
    >>> from chainrule.models.permuted import random_orders
    >>> pair = [AutoregressiveModel(CausalConv(2, 6, width=8), BernoulliHead(8)) for _ in range(2)]
    >>> ensemble = OrderMixture(pair, random_orders(6, 2))
    >>> copy_first_to_all(ensemble, torch.optim.AdamW(ensemble.parameters()))
    >>> all(torch.equal(a, b) for a, b in zip(pair[0].parameters(), pair[1].parameters()))
    True
    """
    first = list(model.chains[0].parameters())
    for other in model.chains[1:]:
        for source, weight in zip(first, other.parameters(), strict=True):
            weight.copy_(source)
            if source in optimizer.state:
                optimizer.state[weight] = {
                    name: value.clone() if isinstance(value, Tensor) else value
                    for name, value in optimizer.state[source].items()
                }
