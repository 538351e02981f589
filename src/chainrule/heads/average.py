"""The average of several distributions of the same element: an ensemble of conditionals, normalised by construction."""

from __future__ import annotations

from collections.abc import Sequence
from math import log

import torch
from torch import Tensor, nn

from chainrule.errors import InputError
from chainrule.heads.base import Distribution, Head
from chainrule.heads.bernoulli import Bernoulli
from chainrule.heads.channel_chain import ChannelChain
from chainrule.heads.columns import Cell, Columns
from chainrule.heads.crossing import quantile_between
from chainrule.heads.finite import inverse_cdf
from chainrule.heads.missing import Missing
from chainrule.heads.mixture import inside
from chainrule.heads.whole_search import first_reached

__all__ = ["Average", "AverageHead", "average"]


class Average(Distribution):
    """p(x_d | x_<d) = sum_k w_k p_k(x_d | x_<d),  w_k = 1/K: probabilities are averaged, not logits.

    Each p_k is normalised and has seen x_<d only, so p is and has, too, and by Jensen's inequality ln p is at least the
    mean of the ln p_k. In log space, ln p = logsumexp_k (ln w_k + ln p_k), exact where every p_k is tiny.

    parts: p_k, of one support and batch shape.
    log_weight: ln w_k of each part, numbers or of the batch shape; the weights sum to one.

    >>> from chainrule.heads.categorical import Categorical
    >>> p = Average([Categorical(torch.tensor([[0.8, 0.2]]).log()), Categorical(torch.tensor([[0.4, 0.6]]).log())])
    >>> p.pmf(), p.log_prob(torch.tensor([0])).exp()
    (tensor([[0.6000, 0.4000]]), tensor([0.6000]))
    """

    def __init__(self, parts: Sequence[Distribution], log_weight: Sequence[Tensor] | None = None) -> None:
        self.parts = list(parts)
        self.log_weight = (
            [torch.tensor(-log(len(parts)), dtype=torch.float64)] * len(parts)
            if log_weight is None
            else list(log_weight)
        )
        self.num_symbols: int | None = parts[0].num_symbols
        self.resolution: float | Tensor | None = parts[0].resolution
        if any(p.num_symbols != self.num_symbols or p.is_mass != self.is_mass for p in parts):
            kinds = sorted({f"{p.num_symbols} symbols" if p.num_symbols else f"mass: {p.is_mass}" for p in parts})
            raise InputError(f"an average needs distributions over one support, got {', '.join(kinds)}")

    @property
    def batch_shape(self) -> torch.Size:
        return self.parts[0].batch_shape

    @property
    def device(self) -> torch.device:
        return self.parts[0].device

    @property
    def has_pmf(self) -> bool:
        return all(p.has_pmf for p in self.parts)

    def log_prob(self, x: Tensor) -> Tensor:
        """logsumexp_k (ln w_k + ln p_k(x)) in nats."""
        return self._log_mean([p.log_prob(x) for p in self.parts])

    def masked_log_prob(self, x: Tensor, mask: Tensor) -> Tensor:
        return torch.where(mask, self._log_mean([p.masked_log_prob(x, mask) for p in self.parts]), 0.0)

    def _log_mean(self, log_prob: list[Tensor]) -> Tensor:
        return torch.stack([w + value for w, value in zip(self.log_weight, log_prob, strict=True)]).logsumexp(0)

    def pmf(self) -> Tensor:
        shares = [w.exp().unsqueeze(-1) if w.ndim else w.exp() for w in self.log_weight]
        return torch.stack([share * p.pmf() for share, p in zip(shares, self.parts, strict=True)]).sum(0)

    def cdf(self, x: Tensor) -> Tensor:
        """sum_k w_k P_k(X <= x)."""
        return torch.stack([w.exp() * p.cdf(x) for w, p in zip(self.log_weight, self.parts, strict=True)]).sum(0)

    def icdf(self, u: Tensor) -> Tensor:
        if isinstance(self.parts[0], ChannelChain):
            return self._by_channel(u, self.parts[0].channels)
        if self.num_symbols is not None:
            return inverse_cdf(self.pmf(), u)
        low, high = self.around(u)
        ends = low.double(), high.double()
        found = quantile_between(self.cdf, inside(u), *ends) if self.resolution is None else self._on_grid(u, *ends)
        return found.to(low.dtype)

    def around(self, u: Tensor) -> tuple[Tensor, Tensor]:
        """At the smallest of the parts' quantiles no part is beyond u, and at the largest none is below it."""
        low, high = zip(*(p.around(u) for p in self.parts), strict=True)
        return torch.stack(low).amin(0), torch.stack(high).amax(0)

    def _on_grid(self, u: Tensor, low: Tensor, high: Tensor) -> Tensor:
        """The smallest multiple of the resolution with F(x) > u; below the smallest quantile there is none."""
        step = torch.as_tensor(self.resolution, dtype=torch.float64, device=u.device)
        first, last = (low / step).round() - 1, (high / step).round()
        return first_reached(lambda k: self.cdf(k * step) > u, first, last) * step

    def _by_channel(self, u: Tensor, channels: int) -> Tensor:
        """One channel after the other, as the parts do it, each from the average that the ones before it leave."""
        x = torch.zeros(u.shape, dtype=torch.long, device=u.device)
        for channel in range(channels):
            here = slice(channel, None, channels)
            given = Average([p.given(x) for p in self.parts if isinstance(p, ChannelChain)], self.log_weight)
            x[..., here] = given.icdf(u)[..., here]
        return x


def average(parts: Sequence[Distribution], log_weight: Sequence[Tensor] | None = None) -> Distribution:
    """The average of distributions, written as the parts are: rows by columns, values that may be missing by outcome.

    With m_k = p_k(present), sum_k w_k m_k p_k(x | present) is p(present) = sum_k w_k m_k times an average of values
    whose weights are w_k m_k / p(present): those who expect a value have more to say about it.

    parts, log_weight: as for `Average`.
    """
    if all(isinstance(p, Columns) for p in parts):
        rows = [p.cells for p in parts if isinstance(p, Columns)]
        return Columns([_cell(cells, _of_column(log_weight, d)) for d, cells in enumerate(zip(*rows, strict=True))])
    if all(isinstance(p, Cell) for p in parts):
        return _cell([p for p in parts if isinstance(p, Cell)], log_weight)
    optional = [p for p in parts if isinstance(p, Missing) and p.num_symbols is None]
    if len(optional) < len(parts):
        return Average(parts, log_weight)
    weight = Average(parts, log_weight).log_weight
    outcomes = [w.unsqueeze(-1) + p.present.log_pmf() for w, p in zip(weight, optional, strict=True)]
    log_missing, log_present = torch.stack(outcomes).logsumexp(0).unbind(-1)
    posterior = [outcome[..., 1] - log_present for outcome in outcomes]
    return Missing(Bernoulli(log_present - log_missing), average([p.value for p in optional], posterior))


def _of_column(log_weight: Sequence[Tensor] | None, d: int) -> Sequence[Tensor] | None:
    """The weights at column d, of one for all columns or of one for each."""
    return None if log_weight is None else [w[..., d] if w.ndim else w for w in log_weight]


def _cell(cells: Sequence[Cell], log_weight: Sequence[Tensor] | None) -> Cell:
    """The average of one column's distributions, over the numbers that a row is written in."""
    return Cell(average([cell.p for cell in cells], log_weight), cells[0].column, cells[0].integers)


class AverageHead(Head):
    """Several heads, each reading its own share of the features; their distributions are averaged.

    On an `EnsembleNetwork` it makes an ensemble of models into one model, trained apart or together.

    heads: for the same elements; the features are theirs, one after the other.
    weighted: whether the weights w_k are a buffer, `log_weight`, which `weigh` sets; otherwise they are 1/K.
    gated: whether the weights are by context: the last K features are their logarithms, up to a number that all share.

    >>> from chainrule.heads.categorical import CategoricalHead
    >>> head = AverageHead([CategoricalHead(8, 3), CategoricalHead(5, 3)])
    >>> head(torch.zeros(2, 4, 13)).pmf().shape
    torch.Size([2, 4, 3])
    """

    log_weight: Tensor | None

    def __init__(self, heads: Sequence[Head], weighted: bool = False, gated: bool = False) -> None:
        kinds = {(head.num_symbols, head.elementwise) for head in heads}
        if len(kinds) != 1:
            got = " and ".join(type(head).__name__ for head in heads) or "none"
            raise InputError(f"an average needs heads for the same elements, got {got}; take heads of one support")
        if weighted and gated:
            raise InputError("the weights of an average are its own or by context; give one of the two")
        super().__init__(sum(head.features for head in heads) + gated * len(heads), heads[0].num_symbols)
        self.anywhere = all(head.anywhere for head in heads)
        self.gated = gated
        self.heads: Sequence[Head] = nn.ModuleList(heads)  # type: ignore[assignment]
        self.elementwise = heads[0].elementwise
        self.needs_counts = any(head.needs_counts for head in heads)
        even = torch.full((len(heads),), -log(len(heads)), dtype=torch.float64)
        self.register_buffer("log_weight", even if weighted else None)

    def weigh(self, weights: Tensor) -> None:
        """Set the weights, shape (K,), which are not negative and sum to one."""
        if self.log_weight is None or weights.shape != self.log_weight.shape or bool((weights < 0).any()):
            raise InputError(f"the weights are {weights.tolist()}, expected one for each of {len(self.heads)} heads")
        if abs(float(weights.sum()) - 1) > 1e-9:
            raise InputError(f"weights sum to one, got {weights.tolist()}")
        self.log_weight = weights.double().log().to(self.log_weight.device)

    def _average(self, parts: Sequence[Distribution], h: Tensor) -> Distribution:
        if self.gated:
            return average(parts, h[..., -len(parts) :].log_softmax(-1).unbind(-1))
        if self.log_weight is None:
            return average(parts)
        heard = [k for k, weight in enumerate(self.log_weight.tolist()) if weight > -float("inf")]
        return average([parts[k] for k in heard], [self.log_weight[k] for k in heard])

    def _shares(self, h: Tensor) -> tuple[Tensor, ...]:
        shares = torch.split(h, [head.features for head in self.heads] + self.gated * [len(self.heads)], -1)
        return shares[: len(self.heads)]

    def forward(self, h: Tensor) -> Distribution:
        return self._average([head(share) for head, share in zip(self.heads, self._shares(h), strict=True)], h)

    def at(self, d: int, h: Tensor, x: Tensor) -> Distribution:
        return self._average([head.at(d, share, x) for head, share in zip(self.heads, self._shares(h), strict=True)], h)

    def initialise(self, x: Tensor) -> None:
        """Start every head from the data."""
        for head in self.heads:
            head.initialise(x)
