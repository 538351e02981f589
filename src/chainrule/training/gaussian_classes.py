"""Fitting a mixture of classes over rows by expectation-maximisation, with covariances that are drawn together."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cache, cached_property
from math import log, pi

import torch
from torch import Tensor

from chainrule.networks.given_numbers import patterns_of
from chainrule.training.missing_numbers import expected_numbers, first_numbers, log_density

__all__ = ["Classes", "Rows", "Settings", "chosen_settings", "fitted_classes", "folds"]

ROUNDS = 40
ENOUGH = 2e-3  # nats per row that a round must gain
FOLDS = 3
TO_DIAGONAL = (0.0005, 0.002, 0.01, 0.04, 0.15, 0.4)
CLASSES = (2, 3, 5, 8, 12, 18)
PATIENCE = 2  # numbers of classes that may be no better
STARTS, FEW, CELLS = 3, 1000, 20_000  # first divisions, of at most so many rows and numbers, none of them missing
TO_COMMON = (0.05, 0.25, 1.0, 6.0)  # rows, in numbers of columns, that the common covariance is worth in a class
SYMBOLS = 4.0  # rows that the pmf of all rows is worth in that of a class
RIDGE = 1e-7  # of a variance


@dataclass(frozen=True)
class Settings:
    """What is chosen by validation.

    classes: number of classes.
    to_diagonal: share of the diagonal in every covariance.
    to_common: rows, in numbers of columns, that the covariance common to all classes is worth in that of one.
    """

    classes: int = 1
    to_diagonal: float = 0.01
    to_common: float = 1.0


@dataclass(frozen=True)
class Rows:
    """Rows of numbers and symbols.

    numbers: float64, shape (N, J), NaN where one is missing.
    symbols: int64, shape (N, I).
    sizes: number of symbols of each of the I columns.
    """

    numbers: Tensor
    symbols: Tensor
    sizes: tuple[int, ...]

    def __len__(self) -> int:
        return len(self.numbers)

    @cached_property
    def are_whole(self) -> bool:
        """Whether no number is missing."""
        return not bool(self.numbers.isnan().any())

    @cached_property
    def patterns(self) -> tuple[Tensor, Tensor]:
        """The different patterns of numbers that are there, and that of each row."""
        return patterns_of(self.numbers)

    def at(self, index: Tensor) -> Rows:
        """Some of the rows."""
        return Rows(self.numbers[index], self.symbols[index], self.sizes)


@dataclass(frozen=True)
class Classes:
    """A fitted mixture: ln of weights (K,), means (K, J), factors of covariances (K, J, J), ln pmf of each column."""

    log_weight: Tensor
    mean: Tensor
    lower: Tensor
    log_pmf: tuple[Tensor, ...]

    def log_joint(self, rows: Rows) -> Tensor:
        """ln p(row, class), shape (N, K)."""
        if rows.are_whole:
            off = rows.numbers - self.mean[:, None]
            beyond = torch.linalg.solve_triangular(self.lower, off.transpose(1, 2), upper=False)
            scale = torch.diagonal(self.lower, dim1=1, dim2=2).log().sum(1) + log(2 * pi) / 2 * off.shape[-1]
            total = self.log_weight - beyond.square().sum(1).T / 2 - scale
        else:
            total = self.log_weight + log_density(rows.numbers, rows.patterns, self.mean, self.lower)
        for column, table in enumerate(self.log_pmf):
            total = total + table[:, rows.symbols[:, column]].T
        return total


def chosen_settings(rows: Rows, most: int, seed: int) -> Settings:
    """The settings that are best on rows left out: the share of the diagonal for one class, then the number of classes.

    For each number of them what the common covariance is worth is sought, and then the share of the diagonal again: one
    class that has to cover several is told little by it.

    rows: what the mixture is fitted to.
    most: largest number of classes.
    seed: seed of what is left out and of the first division into classes.
    """
    parts = list(folds(len(rows), seed))

    @cache
    def value(settings: Settings) -> float:
        held = [fitted_classes(rows.at(rest), settings, seed).log_joint(rows.at(out)) for rest, out in parts]
        return float(torch.cat(held).logsumexp(1).mean())

    best = max((Settings(to_diagonal=share) for share in TO_DIAGONAL), key=value)
    highest, worse = value(best), 0
    for number in CLASSES:
        if number > most or number * 10 > len(rows) or worse == PATIENCE:
            break
        found = max((Settings(number, best.to_diagonal, worth) for worth in TO_COMMON), key=value)
        found = _with_best_share(found, value)
        if value(found) <= highest + ENOUGH:
            worse += 1
            continue
        highest, best, worse = value(found), found, 0
    return best


def _with_best_share(settings: Settings, value: Callable[[Settings], float]) -> Settings:
    """The share of the diagonal that is best: it goes down for as long as that is better, and if it is not, up."""
    place, best = TO_DIAGONAL.index(settings.to_diagonal), settings
    for shares in (TO_DIAGONAL[:place][::-1], TO_DIAGONAL[place + 1 :]):
        for share in shares:
            tried = replace(settings, to_diagonal=share)
            if value(tried) <= value(best):
                break
            best = tried
        if best is not settings:
            break
    return best


def folds(number: int, seed: int) -> Iterator[tuple[Tensor, Tensor]]:
    """Three divisions of rows, at random, by their numbers: what is fitted to, and what is left out."""
    order = torch.randperm(number, generator=torch.Generator().manual_seed(seed))
    for fold in range(min(FOLDS, number)):
        out = torch.arange(number) % FOLDS == fold
        yield order[~out], order[out]


def fitted_classes(rows: Rows, settings: Settings, seed: int) -> Classes:
    """The mixture that is best of several, each from another first division of the rows into classes."""
    if settings.classes == 1:
        return _fitted_from(rows, settings, seed)[0]
    few = len(rows) <= FEW and rows.numbers.numel() <= CELLS and rows.are_whole
    starts = STARTS if few else 1
    tried = [_fitted_from(rows, settings, seed + 1000 * start) for start in range(starts)]
    return max(tried, key=lambda found: found[1])[0]


def _fitted_from(rows: Rows, settings: Settings, seed: int) -> tuple[Classes, float]:
    """The mixture by expectation-maximisation from a first division of the rows, and its ln p per row."""
    posterior = _first_division(rows, settings.classes, seed)
    classes, before = _maximised(rows, posterior, settings), -float("inf")
    for _ in range(ROUNDS if settings.classes > 1 or not rows.are_whole else 0):
        joint = classes.log_joint(rows)
        now = float(joint.logsumexp(1).mean())
        gain, before = now - before, now
        if gain < ENOUGH:
            break
        classes = _maximised(rows, joint.softmax(1), settings, classes)
    return classes, before


def _first_division(rows: Rows, number: int, seed: int) -> Tensor:
    """Classes of the rows by the nearest of K means, as shares of 0 and 1, shape (N, K)."""
    x = rows.numbers if rows.are_whole else torch.where(rows.numbers.isnan(), rows.numbers.nanmean(0), rows.numbers)
    x = x.nan_to_num()
    x = (x - x.mean(0)) / x.std(0, correction=0).clamp(min=1e-9)
    indicators = [
        torch.nn.functional.one_hot(rows.symbols[:, i], n).double() for i, n in enumerate(rows.sizes) if n < 64
    ]
    x = torch.cat([x.clamp(-3, 3), *indicators], 1)
    source = torch.Generator().manual_seed(seed)
    means = x[torch.randperm(len(x), generator=source)[:1]]
    while len(means) < number:
        far = torch.cdist(x, means).min(1).values.square() + 1e-12
        means = torch.cat([means, x[torch.multinomial(far, 1, generator=source)]])
    nearest = torch.zeros(len(x), dtype=torch.long)
    for _ in range(10):
        nearest = torch.cdist(x, means).argmin(1)
        share = torch.nn.functional.one_hot(nearest, number).double()
        means = torch.where(share.sum(0)[:, None] > 0, share.T @ x / share.sum(0).clamp(min=1)[:, None], means)
    return torch.nn.functional.one_hot(nearest, number).double()


def _maximised(rows: Rows, posterior: Tensor, settings: Settings, classes: Classes | None = None) -> Classes:
    """The parameters of most likelihood beside what they are drawn towards.

    posterior: of the classes of each row, shape (N, K).
    classes: by which missing numbers are expected; None where there are none yet.
    """
    x, (total, number) = rows.numbers, posterior.shape
    mass = posterior.sum(0)
    if rows.are_whole:
        mean = (posterior.T @ x + x.mean(0)) / (mass + 1)[:, None]
        off = x - mean[:, None]
        scatter = (off * posterior.T[:, :, None]).transpose(1, 2) @ off
    else:
        each, scatter = (
            first_numbers(x, posterior)
            if classes is None
            else expected_numbers(x, rows.patterns, posterior, classes.mean, classes.lower)
        )
        x = first_numbers(x, posterior)[0][0]
        mean = ((posterior.T[:, None] @ each).squeeze(1) + x.mean(0)) / (mass + 1)[:, None]
        off = each - mean[:, None]
        scatter = scatter + (off * posterior.T[:, :, None]).transpose(1, 2) @ off
    common = scatter.sum(0) / total
    worth = settings.to_common * max(1, x.shape[1]) if number > 1 else 0.0
    covariance = (scatter + worth * common) / (mass + worth).clamp(min=1e-9)[:, None, None]
    diagonal = torch.diagonal(covariance, dim1=1, dim2=2)
    floor = RIDGE * (x.var(0, correction=0) + 1e-12)
    covariance = covariance * (1 - settings.to_diagonal) + torch.diag_embed(settings.to_diagonal * diagonal + floor)
    log_pmf = []
    for column, size in enumerate(rows.sizes):
        counts = x.new_zeros(size, number).index_add(0, rows.symbols[:, column], posterior).T
        usual = (counts.sum(0) + 1 / size) / (total + 1)
        log_pmf.append(((counts + SYMBOLS * usual) / (mass + SYMBOLS)[:, None]).log())
    log_weight = ((mass + 1) / (total + number)).log()
    return Classes(log_weight, mean, torch.linalg.cholesky(covariance), tuple(log_pmf))
