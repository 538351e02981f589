"""What a draw shows: how probable it was, how often symbols came back, where it fell in the distribution function."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import Tensor

from chainrule.models.chain import AutoregressiveModel
from chainrule.verification.certificate.sampling import BINS, pit
from chainrule.verification.certificate.statistics import Tally, allowed, correlations, how_often
from chainrule.verification.certificate.tested import log_pmf_of

__all__ = ["Shown", "look_at"]

SURPRISE = 12.0  # nats beyond which a draw is as surprising as at it
RECENT = (1, 4, 8)  # elements
CELLS = 1 << 14  # pairs of a place and a symbol that are counted one by one
MANY = 4096  # symbols beyond which probabilities stay in the model's own type, and repeats of long ago are not counted
NUMBERS = 1 << 22  # probabilities that are held at a time


@dataclass
class Shown:
    """The statistics of a set of draws.

    tallies: one of each kind.
    transforms: where each draw fell in its distribution function, shape (N, L), for the correlations.
    log_prob: ln p of the draws that count, shape (N,).
    spread: the sum of the variances of ln p, by which a change of temperature shows.
    elements: number of elements that were drawn.
    """

    tallies: dict[str, Tally] = field(default_factory=dict)
    transforms: list[Tensor] = field(default_factory=list)
    log_prob: list[Tensor] = field(default_factory=list)
    spread: float = 0.0
    elements: int = 0

    def tally(self, name: str, largest: float = 1.0) -> Tally:
        """The tally of a name, empty at first."""
        return self.tallies.setdefault(name, Tally(name, largest))

    @property
    def power(self) -> str:
        """The smallest effects that these draws show, in words."""
        if not self.elements:
            return ""
        tail = float(allowed(torch.tensor(0.05 * self.elements, dtype=torch.float64), 1.0, 100)) / self.elements
        said = f"sees a share of draws moved by {tail:.2g}"
        if self.spread > 0:
            surprise = float(allowed(torch.tensor(self.spread, dtype=torch.float64), SURPRISE, 100))
            said += f", a temperature off by {surprise / self.spread:.2g}"
        return said

    def worst(self, whole: bool) -> tuple[float, str]:
        """The worst ratio of a statistic to what is allowed, and which it is.

        whole: whether correlations are looked at, for draws without a prefix.
        """
        share = len(self.tallies) + 1
        found = [tally.worst(share) for tally in self.tallies.values()]
        if whole and self.transforms:
            found.append(correlations(torch.cat(self.transforms), share))
        return max(found, default=(0.0, ""))


def look_at(
    model: AutoregressiveModel, x: Tensor, counts: Tensor, context: Tensor | None, before: Shown | None = None
) -> Shown:
    """The statistics of draws x, shape (N, L), by the conditionals of the parallel pass.

    model: what they are said to be drawn from.
    x: the draws, with what was given.
    counts: True where an element was drawn, shape (N, L).
    context: one entry per draw, or None.
    before: statistics of other draws of the same length, to which these are added.
    """
    shown = Shown() if before is None else before
    generator = torch.Generator().manual_seed(6 + shown.elements)
    shown.elements += int(counts.sum())
    finite = model.head.elementwise and model.head.num_symbols is not None
    size = max(1, min(256, NUMBERS // (x.shape[1] * max(model.head.num_symbols or 1, 16))))
    for first in range(0, len(x), size):
        rows = slice(first, first + size)
        v = torch.rand(x[rows].shape, generator=generator, dtype=torch.float64)
        h = model.network(x[rows], None if context is None else context[rows])
        if finite:
            log_p = log_pmf_of(model.head(h))
            log_p = log_p.double() if log_p.shape[-1] <= MANY else log_p
            _symbols(shown, log_p, x[rows].long(), v, counts[rows])
        else:
            _numbers(shown, model, h, x[rows], v, counts[rows])
    return shown


def _numbers(shown: Shown, model: AutoregressiveModel, h: Tensor, x: Tensor, v: Tensor, counts: Tensor) -> None:
    """Real numbers, grids and columns: the transforms."""
    transforms, log_prob = [], []
    for d in range(x.shape[1]):
        p = model.head.at(d, h[:, d], x[:, :d])
        transforms.append(pit(p, x[:, d], v[:, d]))
        log_prob.append(p.log_prob(x[:, d]).double())
    shown.transforms.append(torch.where(counts, torch.stack(transforms, 1), v))  # what was not drawn is by chance
    shown.log_prob.append(torch.where(counts, torch.stack(log_prob, 1), 0.0).sum(1))
    _bins(shown, "the distribution function: share of draws in twentieth", shown.transforms[-1], counts)


def _bins(shown: Shown, name: str, u: Tensor, counts: Tensor) -> None:
    """Transforms in twenty bins of equal mass, and in the outermost thousandths."""
    drawn = counts.sum(0, dtype=torch.float64).unsqueeze(-1)
    inside = how_often((u * BINS).long().clamp(0, BINS - 1), BINS, counts & (u >= 0) & (u < 1))
    shown.tally(name).add_sums(inside - drawn / BINS, (drawn * (1 - 1 / BINS) / BINS).expand_as(inside))
    tails = torch.stack([u < 1e-3, u >= 1 - 1e-3, u >= 1 - 1e-2], -1)
    share = torch.tensor([1e-3, 1e-3, 1e-2], dtype=torch.float64)
    variance = (share * (1 - share)).expand(tails.shape)
    what = name.split(":")[0]
    shown.tally(f"{what}: outermost thousandths and hundredth").add(tails.double() - share, variance, counts)
    middle = u.double() - 0.5
    shown.tally(f"{what}: where its middle is", 0.5).add(middle, torch.full_like(middle, 1 / 12), counts)
    spread = middle.square() - 1 / 12
    shown.tally(f"{what}: how wide it is", 1 / 6).add(spread, torch.full_like(middle, 1 / 180), counts)


def _symbols(shown: Shown, log_p: Tensor, x: Tensor, v: Tensor, counts: Tensor) -> None:
    """Symbols: surprise, rank, the most probable symbol, repeats, each symbol; log_p: shape (n, L, V)."""
    p, here = log_p.exp(), x.unsqueeze(-1)
    own, log_own = p.gather(-1, here).squeeze(-1), log_p.gather(-1, here).squeeze(-1)
    shown.log_prob.append(torch.where(counts, log_own, 0.0).sum(1))
    surprise = (-log_p).clamp(max=SURPRISE)
    mean = (p * surprise).sum(-1)
    variance = ((p * surprise.square()).sum(-1) - mean.square()).clamp(min=0)
    shown.spread += float((variance * counts).sum())
    shown.tally("surprise (temperature, or a cut tail)", SURPRISE).add(
        (-log_own).clamp(max=SURPRISE) - mean, variance, counts
    )
    symbol = torch.arange(p.shape[-1])
    likelier = (log_p > log_own.unsqueeze(-1)) | ((log_p == log_own.unsqueeze(-1)) & (symbol < here))
    rank = (p * likelier).sum(-1) + v * own
    natural = p.cumsum(-1).gather(-1, here).squeeze(-1) - (1 - v) * own
    shown.transforms.append(torch.where(counts, natural, v))
    _bins(shown, "symbols by probability: share of draws in twentieth", rank, counts)
    _bins(shown, "the distribution function: share of draws in twentieth", natural, counts)
    best = log_p.argmax(-1)
    _event(shown, "the most probable symbol", (x == best).double(), p.amax(-1), counts)
    _repeats(shown, p, x, counts)
    if p.shape[-1] * p.shape[1] <= CELLS:
        expected = p if bool(counts.all()) else p * counts.unsqueeze(-1)
        happened, total = how_often(x, p.shape[-1], counts), expected.sum(0, dtype=torch.float64)
        shown.tally("symbol").add_sums(happened - total, total - (expected * p).sum(0, dtype=torch.float64))


def _event(shown: Shown, name: str, happened: Tensor, probability: Tensor, counts: Tensor) -> None:
    probability = probability.clamp(0, 1)
    shown.tally(name).add(happened - probability, probability * (1 - probability), counts)


def _repeats(shown: Shown, p: Tensor, x: Tensor, counts: Tensor) -> None:
    """Symbols that stood among the last one, four, eight and all elements."""
    length = x.shape[1]
    before: list[Tensor] = []
    mass, came = torch.zeros_like(p[..., 0]), torch.zeros_like(x, dtype=torch.bool)
    for lag in range(1, min(max(RECENT), length - 1) + 1):
        at_lag = torch.nn.functional.pad(x, (lag, 0), value=-1)[:, :length]
        first = at_lag >= 0
        for nearer in before:  # each symbol is counted once
            first &= at_lag != nearer
        mass = mass + p.gather(-1, at_lag.clamp(min=0).unsqueeze(-1)).squeeze(-1) * first
        came = came | (at_lag == x)
        before.append(at_lag)
        if lag in RECENT:
            _event(shown, f"a symbol of the last {lag}", came.double(), mass, counts)
    if p.shape[-1] <= MANY:
        one_hot = torch.zeros(p.shape, dtype=torch.int16).scatter_(-1, x.unsqueeze(-1), 1)
        seen = torch.nn.functional.pad(one_hot.cumsum(1, dtype=torch.int16), (0, 0, 1, 0))[:, :length] > 0
        happened = seen.gather(-1, x.unsqueeze(-1)).squeeze(-1).double()
        _event(shown, "a symbol that came before", happened, (p * seen).sum(-1), counts)
