"""How the values of one column of numbers are distributed, and the normal score of a value.

    P(X <= x) = share * (how often values up to x repeat) + (1 - share) * smooth(x)

The smooth part is a mixture of Gaussians, and of one component with long tails. The normal score of x is the z with
Phi(z) = P(X <= x). A number recorded at a step stands for the interval of scores from that of the number before it to
its own: wide for a value that repeats, narrow for others.
"""

from __future__ import annotations

from math import log, pi, sqrt

import numpy as np
import torch
from torch import Tensor, nn

from chainrule.batch import Array
from chainrule.heads.crossing import LAST_BIT, crossing
from chainrule.heads.marginal_fit import ATOMS, KERNELS, fitted_marginal
from chainrule.heads.whole_search import first_reached

__all__ = ["Marginal"]

FARTHEST = 2.0**53  # steps from the origin, where draws end
NARROW = 1e-4  # a step in scales of a component, below which its mass is that of its density in the middle
FLAT = 1e-6  # mass of an interval of scores, in that of what is beyond, below which it is a width times phi
WIDEST = 210.0  # of arsinh of a number without a step, in scales of the tail


class Marginal(nn.Module):
    """The distribution of a column of numbers, found by `fit`. It has no parameters.

    resolution: step of the numbers; None where there is none, and then no value has mass of its own.
    naturals: whether there is nothing below zero.

    >>> marginal = Marginal(resolution=1.0, naturals=True)
    >>> marginal.fit(np.array([0.0] * 60 + [1.0, 2.0, 4.0, 7.0, 9.0] * 8))
    >>> marginal.log_prob(torch.tensor([0.0]).double()).exp().round(decimals=1)
    tensor([0.6000], dtype=torch.float64)
    """

    centre: Tensor
    width: Tensor
    weight: Tensor
    tail: Tensor
    origin: Tensor
    share: Tensor
    atom: Tensor
    atom_mass: Tensor

    def __init__(self, resolution: float | None, naturals: bool = False) -> None:
        super().__init__()
        self.resolution, self.naturals = resolution, naturals
        first = {
            "centre": torch.zeros(KERNELS),
            "width": torch.ones(KERNELS),
            "weight": torch.ones(KERNELS) / KERNELS / 2,
            "tail": torch.tensor([0.5, 0.0, 1.0]),  # weight, centre, scale
            "origin": torch.zeros(()),
            "share": torch.zeros(()),
            "atom": torch.full((ATOMS,), torch.inf),
            "atom_mass": torch.zeros(ATOMS),
        }
        for name, value in first.items():
            self.register_buffer(name, value.double())

    def fit(self, x: Array) -> None:
        """Find the distribution from numbers, shape (N,); of none it stays as it is."""
        if not len(x):
            return
        found = fitted_marginal(self._positions(torch.from_numpy(np.ascontiguousarray(x))).numpy(), self.resolution)
        for name, value in found.items():
            whole = self.get_buffer(name)
            whole.fill_({"atom": torch.inf, "width": 1.0}.get(name, 0.0))
            whole.view(-1)[: np.size(value)] = torch.from_numpy(np.atleast_1d(value))

    def fit_there(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Find the distribution from elements of any shape, NaN where missing; their mean and deviation, float64.

        Of numbers that are all alike, or of none, the deviation is one.
        """
        there = x[~x.isnan()].detach().double().cpu()
        self.fit(there.numpy())
        if not len(there):
            return torch.zeros(()).double(), torch.ones(()).double()
        spread = there.std(correction=0)
        return there.mean(), spread if spread > 0 else torch.ones_like(spread)

    @property
    def _kernels(self) -> tuple[Tensor, Tensor, Tensor]:
        """Centres, widths and weights of the kernels in use, which stand first."""
        used = len(self.weight) if torch.compiler.is_compiling() else int(self.weight.count_nonzero())
        return self.centre[:used], self.width[:used], self.weight[:used]

    def _positions(self, x: Tensor) -> Tensor:
        """Whole numbers of steps; numbers without a step as they are."""
        return x.double() if self.resolution is None else (x.double() / self.resolution).round()

    def scores(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """The normal scores of both ends of what a number stands for, and how far they are apart; infinite at the ends.

        All have the shape of x. Without a step both ends are the score of the number itself. What is apart is precise
        where the difference of the ends is not: m / phi(z) for a mass m that is small.
        """
        k = self._positions(x)
        if self.resolution is None:
            score = self._score(k)
            return score, score, torch.zeros_like(score)
        smooth_below, smooth_above, between = self._between(k)
        ends = self._complete(torch.stack([k - 1, k]), smooth_below, smooth_above)
        below, over = ends[0][0], ends[1][1]
        low, high = _normal_score(*ends).unbind(0)
        mass = self._with_repeats(k, between)
        middle = (low + high) / 2
        flat = (mass < FLAT * torch.minimum(below, over)) & middle.isfinite()
        width = mass * torch.exp(torch.where(flat, middle, 0.0).square() / 2) * sqrt(2 * pi)
        return low, high, torch.where(flat, width, high - low)

    def upper_scores(self, x: Tensor) -> Tensor:
        """The normal score of the upper end of what a number stands for, of the shape of x."""
        return self._score(self._positions(x))

    def log_prob(self, x: Tensor) -> Tensor:
        """ln of the mass of what a number stands for, or of the density; float64, of the shape of x."""
        k = self._positions(x)
        return self._log_density(k) if self.resolution is None else self._mass(k).clamp(min=1e-300).log()

    def _mass(self, k: Tensor) -> Tensor:
        """The mass of positions."""
        return self._with_repeats(k, self._between(k)[2])

    def _with_repeats(self, k: Tensor, smooth: Tensor) -> Tensor:
        """The mass of positions from that of the smooth part."""
        place = torch.searchsorted(self.atom, k.contiguous()).clamp(max=len(self.atom) - 1)
        seen = torch.where(self.atom[place] == k, self.atom_mass[place], 0.0)
        if self.naturals:
            smooth = torch.where(k < 0, 0.0, smooth / self._smooth(k.new_full((), -0.5))[1])
        return self.share * seen + (1 - self.share) * smooth

    def _between(self, k: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """What of the smooth part is below and above both ends of positions, (2, ...) each, and what is between them.

        What is between is the difference on that side of a component on which it does not lose digits.
        """
        kernel, width, share = self._kernels
        z = (torch.stack([k - 0.5, k + 0.5]).unsqueeze(-1) - kernel) / width
        below, above = torch.special.ndtr(z), torch.special.ndtr(-z)
        rise = torch.where(z[0] + z[1] > 0, above[0] - above[1], below[1] - below[0])
        narrow = 0.5 / width < NARROW
        if torch.compiler.is_compiling() or bool(narrow.any()):
            point = torch.exp(-((k.unsqueeze(-1) - kernel) / width).square() / 2) / (sqrt(2 * pi) * width)
            rise = torch.where(narrow, point, rise)
        weight, centre, scale = self.tail
        y, half = (k - centre) / scale, 0.5 / scale
        tail_below, tail_above = _tails(torch.stack([y - half, y + half]))
        tail = torch.where(y > 0, tail_above[0] - tail_above[1], tail_below[1] - tail_below[0])
        tail = torch.where(half < NARROW * (1 + y.abs()), 2 * half * (2 + y.square()) ** -1.5, tail)
        parts = (
            (share * part).sum(-1) + weight * of_tail for part, of_tail in ((below, tail_below), (above, tail_above))
        )
        return (*parts, (share * rise).sum(-1) + weight * tail)

    def quantile(self, score: Tensor) -> Tensor:
        """The smallest number whose score is above a given one; without a step the number of this score."""
        if self.resolution is not None:
            found = first_reached(lambda k: self._score(self._place(k)) > score, *self._bracket(score))
            return self._place(found) * self.resolution
        rounding = 4 * LAST_BIT * (1 + score.abs())
        return self._place(crossing(lambda y: self._score(self._place(y)) - score, *self._bracket(score), rounding))

    def around(self, low: Tensor, high: Tensor) -> tuple[Tensor, Tensor]:
        """Numbers between which the quantiles of all scores from one to another lie."""
        step = self.resolution or 1.0
        (short, _), (_, enough) = self._bracket(low), self._bracket(high)
        return self._place(short) * step, self._place(enough) * step

    def _bracket(self, score: Tensor) -> tuple[Tensor, Tensor]:
        """Where a search for the quantile of a score begins, see `_place`: between kernels, or ever further out."""
        ends = self._ends
        above = torch.searchsorted(self._score(self._place(ends)).cummax(0).values, score.contiguous(), right=True)
        return ends[(above - 1).clamp(min=0)], ends[above.clamp(max=len(ends) - 1)]

    @property
    def _ends(self) -> Tensor:
        """The ends of the intervals of a search, sorted."""
        kernels, ladder = self._kernels[0], 2.0 ** torch.arange(54, dtype=torch.float64, device=self.centre.device)
        if self.resolution is None:
            ends = torch.cat([-ladder, ladder, 0 * ladder[:1], ((kernels - self.tail[1]) / self.tail[2]).asinh()])
            return ends.clamp(-WIDEST, WIDEST).sort().values
        ends = torch.cat([-ladder, ladder, kernels.round() - self.origin]).clamp(-FARTHEST, FARTHEST)
        return (ends.clamp(min=-1.0 - float(self.origin)) if self.naturals else ends).sort().values

    def _place(self, y: Tensor) -> Tensor:
        """The position that a search of `quantile` stands at."""
        return self.tail[1] + self.tail[2] * y.sinh() if self.resolution is None else self.origin + y

    def _score(self, k: Tensor) -> Tensor:
        """The normal score of the upper end of positions."""
        return _normal_score(*self._reached(k))

    def _reached(self, k: Tensor) -> tuple[Tensor, Tensor]:
        """P(X <= k) and P(X > k), both without the loss of digits that 1 - p has."""
        return self._smooth(k) if self.resolution is None else self._complete(k, *self._smooth(k + 0.5))

    def _complete(self, k: Tensor, below: Tensor, above: Tensor) -> tuple[Tensor, Tensor]:
        """P(X <= k) and P(X > k) of whole positions from what of the smooth part is below and above."""
        if self.naturals:
            first, rest = self._smooth(k.new_full((), -0.5))
            below, above = ((below - first) / rest).clamp(0, 1), (above / rest).clamp(0, 1)
        running = torch.cat([self.atom_mass.new_zeros(1), self.atom_mass.cumsum(0)]).clamp(max=1)
        seen = running[torch.searchsorted(self.atom, k.contiguous(), right=True)]
        before, rest = self.share * seen, self.share * (1 - seen)
        below, above = before + (1 - self.share) * below, rest + (1 - self.share) * above
        if not self.naturals:
            return below, above
        return torch.where(k < 0, 0.0, below), torch.where(k < 0, 1.0, above)

    def _smooth(self, t: Tensor) -> tuple[Tensor, Tensor]:
        """What of the smooth part is below and what is above points on the line."""
        kernel, width, share = self._kernels
        z = (t.unsqueeze(-1) - kernel) / width
        weight, centre, scale = self.tail
        tail_below, tail_above = _tails((t - centre) / scale)
        below = (share * torch.special.ndtr(z)).sum(-1) + weight * tail_below
        above = (share * torch.special.ndtr(-z)).sum(-1) + weight * tail_above
        return below, above

    def _log_density(self, t: Tensor) -> Tensor:
        kernel, width, share = self._kernels
        z = (t.unsqueeze(-1) - kernel) / width
        weight, centre, scale = self.tail
        near = share.log() - z.square() / 2 - log(2 * pi) / 2 - width.log()
        far = weight.log() - scale.log() - 1.5 * (2 + ((t - centre) / scale).square()).log()
        return torch.cat([near, far.unsqueeze(-1)], -1).logsumexp(-1)


def _normal_score(reached: Tensor, over: Tensor) -> Tensor:
    """The z with Phi(z) = reached = 1 - over."""
    return torch.where(reached < 0.5, torch.special.ndtri(reached), -torch.special.ndtri(over))


def _tails(y: Tensor) -> tuple[Tensor, Tensor]:
    """F(y) and 1 - F(y) of Student's t with two degrees of freedom, each precise where it is small."""
    root = (2 + y.square()).sqrt()
    far = 1 / (root * (root + y.abs()))
    near = 1 - far
    return torch.where(y < 0, far, near), torch.where(y > 0, far, near)
