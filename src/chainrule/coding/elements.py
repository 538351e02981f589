"""One element of many lanes: from its distribution p(x_d | x_<d) to integer weights, the same on both sides.

A symbol is coded by its pmf, in two levels where the alphabet is large. A number on an infinite grid (a count, a real
number at a resolution) is found by questions "is it at most c?", whose answers are coded with

    P(X <= c | low < X <= high) = (F(c) - F(low)) / (F(high) - F(low)),

first around an anchor, then ever farther out, then by halving. By the chain rule the answers cost what the number
costs, whatever the questions; beyond what float64 can tell from 0 or 1 every answer costs one bit. That a number is
missing is the first question.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from math import ceil, sqrt

import numpy as np
import torch

from chainrule.batch import Array
from chainrule.coding.range_coder import Decoder, Encoder
from chainrule.coding.weights import MOST_SYMBOLS, integer_weights
from chainrule.errors import DamagedArchive, InputError
from chainrule.heads.base import Distribution

__all__ = ["Anchor", "Coder", "Reader", "Writer", "code_element", "not_on_grid"]

FARTHEST = 1 << 53  # steps of the grid up to which float64 holds every one
LEAST = 1e-12  # mass between two ends, below which float64 does not divide it


def not_on_grid(x: Array, step: Array | float) -> Array:
    """Which numbers are not a whole number of steps that float64 holds exactly, booleans; NaN (missing) is on the grid.

    x: numbers.
    step: of the grid, which may differ by column.

    >>> not_on_grid(np.array([0.3, 0.35, 1e300, np.nan]), 0.1).tolist()
    [False, True, True, False]
    """
    with np.errstate(invalid="ignore", over="ignore"):
        steps = np.rint(x / step)
        far = ~(np.abs(steps) <= FARTHEST) | ~(np.abs(steps * step - x) <= 1e-9 * np.abs(x))
    return np.asarray(far & ~np.isnan(x))


@dataclass(frozen=True)
class Anchor:
    """Where the search for a number begins; it decides how many questions there are, not what they cost.

    middle: number of steps of the grid.
    width: how far the first question beyond it goes, at least 1.
    """

    middle: int = 0
    width: int = 1

    @classmethod
    def of(cls, steps: Array) -> Anchor:
        """The anchor of numbers of steps, which are finite.

        >>> Anchor.of(np.array([10.0, 11, 12, 13, 14, 1000]))
        Anchor(middle=12, width=2)
        """
        if not len(steps):
            return cls()
        low, middle, high = np.quantile(steps, [0.25, 0.5, 0.75]).tolist()
        return cls(int(np.clip(middle, -FARTHEST, FARTHEST)), max(1, min(int(high - low), FARTHEST)))


class Coder(ABC):
    """One side of the code."""

    @abstractmethod
    def code(self, weights: Array, symbols: Array | None) -> Array:
        """The next symbols, int64, shape (N,). symbols: those to be written, None on the side that reads."""


class Writer(Coder):
    """The side that writes. encoder: where the symbols go."""

    def __init__(self, encoder: Encoder) -> None:
        self.encoder = encoder

    def code(self, weights: Array, symbols: Array | None) -> Array:
        if symbols is None:
            raise AssertionError("the side that writes knows the symbols")  # a fault of ours
        self.encoder.encode(symbols, weights)
        return symbols


class Reader(Coder):
    """The side that reads. decoder: where the symbols come from."""

    def __init__(self, decoder: Decoder) -> None:
        self.decoder = decoder

    def code(self, weights: Array, symbols: Array | None) -> Array:
        return self.decoder.decode(weights)


def code_element(coder: Coder, p: Distribution, x: Array | None, active: Array | None, anchor: Anchor) -> Array:
    """The element of every lane, float64, shape (B,); 0 where a lane is not active.

    coder: the side of the code.
    p: the distribution of the element, batch shape (B,).
    x: the elements, None on the side that reads.
    active: the lanes that have this element, booleans; None for all of them.
    anchor: where the search for a number begins.
    """
    if not p.is_mass:
        raise InputError(
            "an element has a density, which says nothing about bits; declare the step in which the numbers were "
            "recorded, as in fit --columns NAME=real:0.01, or leave the column out with --drop"
        )
    if p.num_symbols is None:
        active = np.ones(p.batch_shape[0], dtype=bool) if active is None else active
        found = np.zeros(len(active))
        found[active] = _Search(p, active, anchor).run(coder, None if x is None else x[active])
        return found
    if not p.has_pmf:
        raise InputError(
            f"a {type(p).__name__} does not say the probabilities of its symbols; code it element by element"
        )
    pmf = p.pmf().double().cpu().numpy()
    if active is None:
        return code_symbols(coder, pmf, None if x is None else x.astype(np.int64)).astype(np.float64)
    found = np.zeros(len(active))
    found[active] = code_symbols(coder, pmf[active], None if x is None else x[active].astype(np.int64))
    return found


def code_symbols(coder: Coder, pmf: Array, x: Array | None) -> Array:
    """Symbols by their probabilities, in two levels of some sqrt(V) where there are many; one symbol costs nothing.

    coder: the side of the code.
    pmf: probabilities, float64, shape (N, V).
    x: the symbols, shape (N,), None on the side that reads.
    """
    count = pmf.shape[1]
    if x is not None and x.size and not 0 <= np.minimum.reduce(x) <= np.maximum.reduce(x) < count:
        raise InputError(f"symbols run from {x.min()} to {x.max()}, but the model has {count} (0 to {count - 1})")
    if count == 1 or not len(pmf):
        return np.zeros(len(pmf), dtype=np.int64)
    if count <= MOST_SYMBOLS:
        return coder.code(integer_weights(pmf), x)
    size = ceil(sqrt(count))
    blocks = np.pad(pmf, ((0, 0), (0, -count % size))).reshape(len(pmf), -1, size)
    of_block = np.cumsum(blocks, 2)[:, :, -1]
    block = coder.code(integer_weights(of_block), None if x is None else x // size)
    inside = blocks[np.arange(len(pmf)), block]
    inside = np.where(of_block[np.arange(len(pmf)), block, None] > 0, inside, 1.0)
    found = block * size + coder.code(integer_weights(inside), None if x is None else x % size)
    if found.max() >= count:
        raise DamagedArchive("a symbol lies beyond the alphabet; the archive is damaged, fetch it again")
    return found


class _Search:
    """The questions about one number of each active lane.

    low, high: the number lies above low and is at most high, in steps of the grid.
    has_low, has_high: whether there are such ends.
    below, reached: F at these ends.
    """

    def __init__(self, p: Distribution, active: Array, anchor: Anchor) -> None:
        self.p, self.active, self.anchor = p, active, anchor
        step = torch.as_tensor(p.resolution, dtype=torch.float64).expand(len(active)).cpu().numpy()
        self.step = step
        n = int(active.sum())
        self.low, self.high = np.zeros(n, dtype=np.int64), np.zeros(n, dtype=np.int64)
        self.has_low, self.has_high = np.zeros(n, dtype=bool), np.zeros(n, dtype=bool)
        self.below, self.reached = np.zeros(n), np.ones(n)
        self.farther = np.zeros(n, dtype=np.int64)  # times that the distance from the anchor was doubled

    def run(self, coder: Coder, x: Array | None) -> Array:
        """The numbers of the active lanes, NaN where they are missing."""
        missing = self._missing(coder, x)
        steps = None if x is None else self._steps(np.where(missing, 0.0, x))
        while (open_ := ~missing & ~(self.has_low & self.has_high & (self.high - self.low == 1))).any():
            cut = self._cut()
            reached = self._cdf(cut)
            mass = self.reached - self.below
            divides = mass > LEAST
            share = np.where(divides, (reached - self.below) / np.where(divides, mass, 1.0), 0.5)
            share = np.clip(np.nan_to_num(share, nan=0.5), 0.0, 1.0)[open_]
            answer = None if steps is None else (steps > cut)[open_].astype(np.int64)
            above = np.zeros(len(cut), dtype=bool)
            above[open_] = coder.code(integer_weights(np.stack([share, 1 - share], 1)), answer) == 1
            self._answered(open_, above, cut, np.clip(reached, self.below, self.reached))
        return np.where(missing, np.nan, self.high * self.step[self.active])

    def _missing(self, coder: Coder, x: Array | None) -> Array:
        """The answers to the first question; what is left is the mass of all numbers."""
        none = np.zeros(len(self.low), dtype=bool)
        gone = none if x is None else np.isnan(x)
        if not self.p.may_be_missing:
            if gone.any():
                raise InputError("an element is missing, but the model knows no missing values there")
            return none
        share = np.clip(self.p.missing_share().double().cpu().numpy()[self.active], 0.0, 1.0)
        self.reached = 1 - share
        answer = None if x is None else (~gone).astype(np.int64)
        return coder.code(integer_weights(np.stack([share, 1 - share], 1)), answer) == 0

    def _steps(self, x: Array) -> Array:
        step = self.step[self.active]
        if (off := not_on_grid(x, step) | np.isnan(x)).any():
            raise InputError(
                f"numbers of up to {FARTHEST} steps of the resolution can be coded, got {x[off].tolist()[:8]}"
            )
        return np.rint(x / step).astype(np.int64)

    def _cdf(self, cut: Array) -> Array:
        at = np.full(len(self.active), float(self.anchor.middle))
        at[self.active] = cut
        x = torch.from_numpy(at * self.step).to(self.p.device)
        reached: Array = self.p.cdf(x).double().cpu().numpy()[self.active]
        return reached

    def _cut(self) -> Array:
        """What is asked next of each lane."""
        distance = self.anchor.width * (1 << self.farther)
        first = np.full(len(self.low), self.anchor.middle, dtype=np.int64)
        outwards = np.where(self.has_low, first + distance, first - distance)
        halving = (self.low + self.high) // 2
        both, none = self.has_low & self.has_high, ~self.has_low & ~self.has_high
        return np.where(both, halving, np.where(none, first, outwards))

    def _answered(self, open_: Array, above: Array, cut: Array, reached: Array) -> None:
        outwards = open_ & (self.has_low ^ self.has_high)
        up, down = open_ & above, open_ & ~above
        self.low, self.below = np.where(up, cut, self.low), np.where(up, reached, self.below)
        self.high, self.reached = np.where(down, cut, self.high), np.where(down, reached, self.reached)
        self.has_low |= up
        self.has_high |= down
        self.farther += outwards
        if bool((np.abs(cut[open_]) > 4 * FARTHEST).any()):
            raise DamagedArchive("a number lies beyond all that are coded; the archive is damaged, fetch it again")
