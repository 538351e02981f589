"""Expectation-maximisation where numbers are missing: what is expected of them, by the classes as they are."""

from __future__ import annotations

from collections.abc import Iterator
from math import log, pi

import torch
from torch import Tensor

from chainrule.networks.given_numbers import Given, in_pieces

__all__ = ["expected_numbers", "first_numbers", "log_density"]


def first_numbers(x: Tensor, posterior: Tensor) -> tuple[Tensor, Tensor]:
    """The same as `expected_numbers` before there are classes: means of the columns, with their variances.

    x: shape (N, J), NaN where a number is missing.
    posterior: of the classes of each row, shape (N, K).
    """
    mean, gone = x.nanmean(0), x.isnan()
    mean = mean.nan_to_num()
    variance = (x - mean).square().nanmean(0).nan_to_num(nan=1.0)
    number = (posterior.T @ gone.to(x.dtype)) * variance
    return torch.where(gone, mean, x).expand(posterior.shape[1], -1, -1), torch.diag_embed(number)


def expected_numbers(
    x: Tensor, patterns: tuple[Tensor, Tensor], posterior: Tensor, mean: Tensor, lower: Tensor
) -> tuple[Tensor, Tensor]:
    """Numbers as each class expects them, shape (K, N, J), and the scatter of what they may be beside, (K, J, J).

    x: shape (N, J), NaN where a number is missing.
    patterns: the different patterns of what is there, shape (P, J), and that of each row, shape (N,).
    posterior: of the classes of each row, shape (N, K).
    mean: shape (K, J).
    lower: factors of the covariances, shape (K, J, J).
    """
    filled = x.expand(len(mean), -1, -1).clone()
    scatter = torch.zeros_like(lower)
    for rows, which, given in _pieces(*patterns, lower):
        off = x[rows].nan_to_num()[:, None] - mean
        beyond = given.beyond(off, which)
        cross = given.cross[which].transpose(-1, -2)
        expected = mean + (cross @ beyond.unsqueeze(-1)).squeeze(-1)
        filled[:, rows] = torch.where(given.there[which][:, None], x[rows].nan_to_num()[:, None], expected).transpose(
            0, 1
        )
        mass = posterior.new_zeros(len(given.there), len(mean)).index_add(0, which, posterior[rows])
        scatter += (given.left_over * mass[..., None, None]).sum(0)
    return filled, scatter


def log_density(x: Tensor, patterns: tuple[Tensor, Tensor], mean: Tensor, lower: Tensor) -> Tensor:
    """ln of the density of the numbers that are there under each class, shape (N, K). Parameters as above."""
    found = x.new_zeros(len(x), len(mean))
    for rows, which, given in _pieces(*patterns, lower):
        beyond = given.beyond(x[rows].nan_to_num()[:, None] - mean, which)
        there = given.there[which][:, None]
        each = -beyond.square() / 2 - given.log_scale[which] - log(2 * pi) / 2
        found[rows] = torch.where(there, each, 0.0).sum(-1)
    return found


def _pieces(patterns: Tensor, which: Tensor, lower: Tensor) -> Iterator[tuple[Tensor, Tensor, Given]]:
    """Rows by what is there: their numbers, the pattern of each, and what the classes say of these patterns."""
    covariance = lower @ lower.transpose(1, 2)
    for some in in_pieces(torch.arange(len(patterns)), 4 * lower.numel()):
        given = Given.of(covariance, patterns[some])
        rows = torch.nonzero((which >= some[0]) & (which <= some[-1]))[:, 0]
        for part in in_pieces(rows, lower.numel()):
            yield part, which[part] - some[0], given
