"""The generative classifier: p(y | x) by Bayes from a class-conditional model p(x | y)."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from chainrule.batch import Batch
from chainrule.errors import InputError
from chainrule.model import AutoregressiveModel, evaluating

__all__ = ["class_log_posterior"]


def class_log_posterior(
    model: AutoregressiveModel, batch: Batch, num_classes: int, prior: Tensor | None = None
) -> Tensor:
    """ln p(y | x) = ln p(x | y) + ln p(y) - logsumexp_k [ln p(x | k) + ln p(k)], nats, shape (B, num_classes).

    model: conditional on classes; whatever context the batch carries is replaced by each class in turn. prior: p(y),
    shape (num_classes,); uniform by default. Summing the result over y in probability gives one; `logsumexp` before the
    subtraction is ln p(x), the marginal likelihood.

    >>> from chainrule import CategoricalHead, CausalConv
    >>> model = AutoregressiveModel(CausalConv(3, 4, width=8, num_classes=2), CategoricalHead(8, 3))
    >>> class_log_posterior(model, Batch(torch.zeros(5, 4, dtype=torch.long)), 2).exp().sum(1).sum().round()
    tensor(5., dtype=torch.float64)
    """
    if prior is None:
        prior = torch.full((num_classes,), 1 / num_classes, dtype=torch.float64)
    if prior.shape != (num_classes,) or bool((prior < 0).any()) or abs(float(prior.sum()) - 1) > 1e-6:
        raise InputError(f"the prior is {num_classes} probabilities that sum to one, got {prior.tolist()}")
    columns = []
    with evaluating(model):
        for y in range(num_classes):
            context = torch.full((len(batch),), y, device=batch.x.device)
            columns.append(model.element_log_prob(replace(batch, context=context)).sum(1, dtype=torch.float64))
        joint = torch.stack(columns, 1) + prior.double().log().to(batch.x.device)
        posterior = joint - joint.logsumexp(1, keepdim=True)
    return posterior.clone()
