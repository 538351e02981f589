"""One walk of the sampler: what is given, where examples have ended, and how probable the draws were."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from chainrule.batch import Batch
from chainrule.errors import InputError
from chainrule.heads.base import Distribution
from chainrule.heads.filtered import Filter
from chainrule.models.base import Sample

__all__ = ["Sampler", "check_given", "prefix_batch"]


class Sampler:
    """The draw of `AutoregressiveModel.unroll` that samples: x_d = icdf(u_d) of the filtered distribution.

    noise: the uniform numbers u, shape (n, D).
    filtered: from p to the distribution that is sampled from.
    given: elements that are not drawn, where its mask is True; None for none.
    end: the symbol after which an example is over; None where every example has D elements.
    on_element: called with d and x_d, shape (n,), as soon as they are known.
    """

    def __init__(
        self,
        noise: Tensor,
        filtered: Filter,
        given: Batch | None,
        end: int | None,
        on_element: Callable[[int, Tensor], None] | None,
    ) -> None:
        self.noise, self.filtered, self.given, self.end = noise.unbind(1), filtered, given, end
        self.on_element = on_element
        self.free = torch.ones(noise.shape, dtype=torch.bool, device=noise.device)
        self.alive = torch.ones(len(noise), dtype=torch.bool, device=noise.device)
        self.ended = torch.zeros_like(self.alive)
        if given is not None:
            self.free[:, : given.x.shape[1]] = ~given.mask
            if end is not None:
                self.ended = ((given.x == end) & given.mask).any(1)
        self.log_p: list[Tensor] = []
        self.log_q: list[Tensor] = []

    def __call__(self, d: int, p: Distribution) -> Tensor:
        """x_d of every example, shape (n,); raises StopIteration when all examples have ended."""
        if self.end is not None:
            self.alive = self.alive & ~(self.ended & self.free[:, d])
            if not bool(self.alive.any()):
                raise StopIteration
        q = self.filtered(p)
        x, log_q = q.draw(self.noise[d])
        self.log_q.append(log_q)
        self.log_p.append(log_q if q is p else p.log_prob(x))
        if self.given is not None and d < self.given.x.shape[1]:
            x = torch.where(self.free[:, d], x, self.given.x[:, d].to(x.dtype))
        if self.end is not None:
            x = torch.where(self.alive, x, self.end)
            self.free[:, d] &= self.alive
            self.alive = self.alive & ~((x == self.end) & self.free[:, d])
        if self.on_element is not None:
            self.on_element(d, x)
        return x

    def sample(self, x: Tensor) -> Sample:
        """The elements x that the walk returned, and the sums of their log-probabilities."""
        free = self.free[:, : x.shape[1]]
        log_p, log_q = (_total(log_prob, free) for log_prob in (self.log_p, self.log_q))
        return Sample(x, free, log_p, None if self.filtered.is_identity else log_q)


def _total(log_prob: list[Tensor], free: Tensor) -> Tensor:
    """The sum over the elements that were drawn, in float64, shape (n,)."""
    return torch.where(free, torch.stack(log_prob, 1), 0.0).sum(1, dtype=torch.float64)


def prefix_batch(prefix: Tensor | Sequence[Any] | None, n: int, length: int) -> Batch | None:
    """Prefixes of any lengths as one batch, whose mask is True where an element is given; None without a prefix.

    prefix: elements, shape (P,) for all examples, (n, P), or a list of n of any lengths.
    n: how many examples there are.
    length: D, the most elements that an example may have.
    """
    if prefix is None:
        return None
    if isinstance(prefix, Tensor):
        prefix = prefix.expand(n, -1) if prefix.ndim == 1 else prefix
    if len(prefix) != n:
        raise InputError(f"{len(prefix)} prefixes for {n} examples; give one for each, or one tensor (P,) for all")
    given = Batch.of(list(prefix))
    if given.x.shape[1] > length:
        raise InputError(
            f"the longest prefix has {given.x.shape[1]} elements, and the model reads at most {length}; "
            "give a shorter one"
        )
    return given


def check_given(given: Batch, num_symbols: int | None) -> None:
    """Refuse given elements that are not symbols, where the model has symbols."""
    x = given.x[given.mask]
    if num_symbols is None or not len(x):
        return
    if bool((x != x.long()).any()) or int(x.min()) < 0 or int(x.max()) >= num_symbols:
        raise InputError(
            f"a prefix holds symbols 0 to {num_symbols - 1}, got numbers from {x.min()} to {x.max()}; encode it first"
        )
