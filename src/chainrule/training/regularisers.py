"""Penalties on the conditionals of a model while it trains; the reported likelihood does not include them.

    label smoothing e:     e (ln p(x) - mean_k ln p(k)),  so that -ln p(x) plus it scores (1 - e) [x] + e uniform
    confidence penalty b:  -b H(p),  H(p) = -sum_k p(k) ln p(k)
    z-loss c:              c (ln Z)^2,  Z = sum_k e^(s_k), which keeps logits near their own normalisation

Each is a number of nats for an element; those of the elements that count are added, as the log-likelihood is.

Papers: Szegedy et al., *Rethinking the Inception architecture*, CVPR 2016; Pereyra et al., *Regularizing neural
networks by penalizing confident output distributions*, 2017; Chowdhery et al., *PaLM*, 2022 (the z-loss).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from chainrule.errors import InputError
from chainrule.heads.base import Distribution

__all__ = ["Regularisers"]


@dataclass(frozen=True)
class Regularisers:
    """The weights of the three penalties; 0 leaves a penalty out.

    >>> from chainrule.heads.categorical import Categorical
    >>> p = Categorical(torch.zeros(1, 2, 4))
    >>> Regularisers(z_loss=0.1)(p, torch.zeros(1, 2, dtype=torch.long))  # 0.1 (ln 4)^2
    tensor([[0.1922, 0.1922]])
    """

    label_smoothing: float = 0.0
    confidence_penalty: float = 0.0
    z_loss: float = 0.0

    def __post_init__(self) -> None:
        if not 0 <= self.label_smoothing < 1:
            raise InputError(f"label_smoothing is a share from 0 to below 1, got {self.label_smoothing}")
        for name in ("confidence_penalty", "z_loss"):
            if not 0 <= getattr(self, name) < float("inf"):
                raise InputError(f"{name} is at least 0 and finite, got {getattr(self, name)}")

    def __bool__(self) -> bool:
        return bool(self.label_smoothing or self.confidence_penalty or self.z_loss)

    def __call__(self, p: Distribution, x: Tensor) -> Tensor:
        """The penalty that is added to -ln p(x) of each element x, of the batch shape.

        Raises InputError for a distribution that has not what it takes.
        """
        whole = p.whole()
        total = torch.zeros(p.batch_shape, device=p.device)
        if self.label_smoothing:
            uniform = whole.log_pmf().mean(-1)
            total = total + self.label_smoothing * (whole.log_prob(x) - uniform)
        if self.confidence_penalty:
            total = total - self.confidence_penalty * entropy(whole)
        if self.z_loss:
            total = total + self.z_loss * whole.log_normaliser().square()
        return total


def entropy(p: Distribution) -> Tensor:
    """H(p) in nats, with a gradient that is finite where a probability underflows."""
    log_probs = p.log_pmf()
    log_probs = log_probs.clamp(min=torch.finfo(log_probs.dtype).min)
    return -(log_probs.exp() * log_probs).sum(-1)
