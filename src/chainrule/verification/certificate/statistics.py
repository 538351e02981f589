"""Statistics of draws, with a bound that a sound sampler exceeds with a stated probability.

Each statistic is a sum of f(x_d) - E[f | x_<d] over draws, where the model itself says what E and the variance are.
Such a sum is a martingale with bounded steps, and by Freedman's inequality

    P(|S| > t) <= 2 exp(-t^2 / (2 V + 2 M t / 3)),

V the sum of the variances and M the largest step. The bound holds for any model, any alphabet and any number of draws.

Paper: Freedman, *On tail probabilities for martingales*, 1975.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from math import log

import torch
from torch import Tensor

__all__ = ["TOGETHER", "Tally", "allowed", "correlations", "how_often"]

STRETCHES = 8  # of places that are looked at together
TOGETHER = 5e-8  # probability that the statistics of one set of draws accuse a sound model


def allowed(variance: Tensor, largest: float, statistics: int) -> Tensor:
    """The t that |S| exceeds with probability below `TOGETHER`, for the largest of many statistics.

    variance: V of each.
    largest: M.
    statistics: number of statistics that share the probability.

    >>> round(float(allowed(torch.tensor(1e4), 1.0, 1)), 1)
    597.5
    """
    weight = log(2 * statistics / TOGETHER)
    linear = largest * weight / 3
    return linear + (linear**2 + 2 * variance * weight).sqrt()


@dataclass
class Tally:
    """Sums of one kind of statistic, overall and for each place.

    name: what is counted, in words.
    largest: the largest step of the sum, M.
    total: S of each place (and of each kind of event, if there are several), shape (L, ...).
    variance: V of each.
    """

    name: str
    largest: float
    total: Tensor = field(default_factory=lambda: torch.zeros(()))
    variance: Tensor = field(default_factory=lambda: torch.zeros(()))

    def add(self, excess: Tensor, variance: Tensor, counts: Tensor) -> None:
        """Take in draws.

        excess: f(x_d) - E[f | x_<d], shape (n, L, ...).
        variance: of f, of the same shape.
        counts: True for the elements that were drawn, shape (n, L).
        """
        if not bool(counts.all()):
            drawn = counts.view(*counts.shape, *[1] * (excess.ndim - 2))
            excess, variance = torch.where(drawn, excess, 0.0), torch.where(drawn, variance, 0.0)
        self.add_sums(excess.sum(0, dtype=torch.float64), variance.sum(0, dtype=torch.float64))

    def add_sums(self, excess: Tensor, variance: Tensor) -> None:
        """Take in draws whose excess and variance were summed before, both of shape (L, ...)."""
        self.total, self.variance = self.total + excess, self.variance + variance

    def worst(self, share: int) -> tuple[float, str]:
        """The largest ratio of a sum to what is allowed, and in words which sum it is.

        share: number of tallies that share the probability.

        All places together, eight stretches of places, and each place have a third of the probability each.
        """
        if not self.total.ndim:
            return 0.0, ""
        length, found = len(self.total), []
        for parts in dict.fromkeys((1, min(STRETCHES, length), length)):
            of = torch.arange(length) * parts // length
            total, variance = (
                torch.zeros(parts, *part.shape[1:], dtype=torch.float64).index_add_(0, of, part.double())
                for part in (self.total, self.variance)
            )
            ratio = total.abs() / allowed(variance, self.largest, share * 3 * max(total.numel(), 1))
            at = int(ratio.argmax())
            place, kind = divmod(at, max(1, ratio[0].numel()))
            places = (of == place).nonzero().flatten().tolist()
            where = "" if parts == 1 else f", at x_{places[0]}" + (f" to x_{places[-1]}" if len(places) > 1 else "")
            found.append((float(ratio.max()), f"{self.name}{f' {kind}' if ratio[0].numel() > 1 else ''}{where}"))
        return max(found)


def how_often(kinds: Tensor, most: int, counts: Tensor) -> Tensor:
    """How often each kind came at each place, shape (L, most), float64.

    kinds: a number from 0 to most - 1 for each draw, shape (n, L).
    most: number of kinds.
    counts: True for the elements that count, shape (n, L).

    >>> how_often(torch.tensor([[0, 2], [0, 1]]), 3, torch.ones(2, 2, dtype=torch.bool))
    tensor([[2., 0., 0.],
            [0., 1., 1.]], dtype=torch.float64)
    """
    length = kinds.shape[1]
    cells = (kinds + most * torch.arange(length))[counts]
    return torch.bincount(cells, minlength=length * most).double().view(length, most)


def correlations(transforms: Tensor, share: int) -> tuple[float, str]:
    """The largest correlation of the transforms between draws and between places, as a ratio to what is allowed.

    transforms: independent and uniform in [0, 1] if the draws are independent and from the model, shape (N, L).
    share: number of tallies that share the probability.
    """
    w = transforms.double().clamp(0, 1) - 0.5
    n, length = w.shape
    size = (2 * n, 2 * length)
    f = torch.fft.rfft2(w, s=size)
    products = torch.fft.irfft2(f.conj() * f, s=size)
    ones = torch.fft.rfft2(torch.ones_like(w), s=size)
    variance = torch.fft.irfft2(torch.fft.rfft2(w.square() / 12, s=size).conj() * ones, s=size).clamp(min=0)
    ratio = products.abs() / allowed(variance, 0.25, share * products.numel())
    ratio[0, 0] = 0.0
    at = int(ratio.argmax())
    draws, places = at // ratio.shape[1], at % ratio.shape[1]
    draws = min(draws, size[0] - draws)
    places = places if places < length else places - size[1]
    return float(ratio.max()), f"draws are correlated with draws {draws} later, {abs(places)} places apart"
