"""Filters that change the distribution that is sampled from: temperature, top-k, top-p.

A filtered distribution q is not the model p; samples from q therefore come with ln q as well as ln p.
"""

from __future__ import annotations

import torch
from torch import Tensor

from chainrule.errors import InputError
from chainrule.heads.base import Distribution
from chainrule.heads.categorical import Categorical

__all__ = ["Filter"]

SINGLE = 1e-30  # temperatures down to here, and up to its inverse, are those of single precision


class Filter:
    """q(k) proportional to p(k)^(1/T) over the symbols that top-k and top-p keep.

    temperature: T > 0; 1 leaves p as it is.
    top_k: keep the k most probable symbols; None keeps all.
    top_p: keep the most probable symbols, as few as reach this mass (Holtzman et al., *The curious case of neural text
        degeneration*, ICLR 2020), counted after the temperature; None keeps all.

    >>> p = Categorical(torch.tensor([[0.5, 0.3, 0.2]]).log())
    >>> Filter(top_k=2)(p).pmf()
    tensor([[0.6250, 0.3750, 0.0000]])
    """

    def __init__(self, temperature: float = 1.0, top_k: int | None = None, top_p: float | None = None) -> None:
        if not 0 < temperature < float("inf"):
            raise InputError(
                f"the temperature must be positive and finite, got {temperature}; use top_k=1 for the mode"
            )
        if top_k is not None and top_k < 1:
            raise InputError(f"top_k must keep at least one symbol, got {top_k}")
        if top_p is not None and not 0 < top_p <= 1:
            raise InputError(f"top_p must be in (0, 1], got {top_p}")
        self.temperature, self.top_k, self.top_p = temperature, top_k, None if top_p == 1 else top_p

    @property
    def is_identity(self) -> bool:
        """Whether q is p."""
        return self.temperature == 1 and self.top_k is None and self.top_p is None

    def __call__(self, p: Distribution) -> Distribution:
        """The filtered distribution; p itself where nothing is filtered."""
        if self.is_identity:
            return p
        if p.num_symbols is None:
            raise InputError(
                f"temperature, top_k and top_p need a finite support, got {type(p).__name__}; leave them out"
            )
        log_p = p.log_pmf() if isinstance(p, Categorical) else p.pmf().log()
        relative = log_p - log_p.amax(-1, keepdim=True)
        if not SINGLE <= self.temperature <= 1 / SINGLE:  # in single precision it would be 0 or infinity
            relative = relative.double()
        log_q = (relative / self.temperature).log_softmax(-1).to(log_p.dtype)
        if self.top_k is not None and self.top_k < p.num_symbols:
            log_q = _keep(log_q, torch.arange(p.num_symbols, device=log_q.device) < self.top_k)
        if self.top_p is not None:
            mass = log_q.sort(-1, descending=True).values.softmax(-1)
            first = torch.arange(p.num_symbols, device=log_q.device) == 0  # kept however small the mass
            log_q = _keep(log_q, first | (mass.cumsum(-1) - mass < self.top_p))
        return Categorical(log_q)


def _keep(logits: Tensor, keep_rank: Tensor) -> Tensor:
    """-inf wherever the symbol's rank, most probable first, is not kept."""
    order = logits.argsort(dim=-1, descending=True, stable=True)
    keep = torch.zeros_like(logits, dtype=torch.bool).scatter(-1, order, keep_rank.expand_as(logits))
    return logits.masked_fill(~keep, -torch.inf)
