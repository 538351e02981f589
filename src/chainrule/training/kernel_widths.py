"""The widths of kernels, and the weights of their levels, by what rows give to a row that is left out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import log, pi

import torch
from torch import Tensor

__all__ = ["RowKernels", "level_weights", "widths_found"]

ASKED = 256  # rows that are left out while widths are sought
WEIGHED = 2000  # and for the weights of the levels
STEPS, RATE = 50, 0.1
PIECE = 1 << 21  # pairs of rows at once
PRIOR = 1.0  # rows that each level is worth


@dataclass(frozen=True)
class RowKernels:
    """Kernels at rows.

    row: numbers in the units of the kernels, shape (N, Dn).
    width: of each level and column, shape (J, Dn).
    group: groups of symbols, shape (N, Ds).
    tables: of each column of symbols, ln of the kernels, shape (J, G, G).
    """

    row: Tensor
    width: Tensor
    group: Tensor
    tables: Sequence[Tensor]

    def of_symbols(self, asked: Tensor) -> Tensor:
        """ln of the kernels of the columns of symbols at the rows that are asked, shape (J, Q, N)."""
        total = self.width.new_zeros(len(self.width), len(asked), len(self.row))
        for column, table in enumerate(self.tables):
            group = self.group[:, column]
            total += table[:, group][:, :, group[asked]].transpose(1, 2)
        return total


def widths_found(kernels: RowKernels, factors: Tensor, floor: Tensor, rounding: Tensor) -> Tensor:
    """The widths, a factor for each level times one for each column, under which rows left out are most probable.

    kernels: rows and what is known of symbols.
    factors: first factors of the levels, (J,).
    floor: least width in each column, (Dn,).
    rounding: standard deviation of the rounding of recorded numbers, which is added to a width, (Dn,).
    """
    number = len(kernels.row)
    asked = torch.arange(number)[:: max(1, number // ASKED)]
    row, least, added = kernels.row.float(), floor.log().float(), rounding.square().float()
    symbols = kernels.of_symbols(asked).float()
    level = factors.log().float().clone().requires_grad_()
    column = torch.zeros(row.shape[1], requires_grad=True)
    weight = torch.zeros(len(factors), requires_grad=True)
    optimizer = torch.optim.Adam([level, column, weight])
    for step in range(STEPS):
        optimizer.param_groups[0]["lr"] = RATE * (1 - step / STEPS) + RATE / 20
        with torch.enable_grad():
            width = torch.maximum(level[:, None] + column, least).exp()
            width = (width.square() + added).sqrt()
            found = torch.stack([_left_out(row, w, asked, symbols[j]) for j, w in enumerate(width)], 1)
            loss = -(found + weight.log_softmax(0)).logsumexp(1).mean()
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
        if not bool(loss.isfinite()):
            break
        optimizer.step()
    found = torch.maximum(level[:, None] + column, least).detach()
    return torch.where(found.isfinite(), found, (factors.log()[:, None] + torch.zeros_like(column))).double().exp()


def level_weights(kernels: RowKernels) -> Tensor:
    """ln of the weights of the levels under which rows left out are most probable, by expectation-maximisation."""
    number, levels = len(kernels.row), len(kernels.width)
    weight = kernels.width.new_full((levels,), -log(levels))
    if number < 2:
        return weight
    asked = torch.arange(number)[:: max(1, number // WEIGHED)]
    found = []
    for some in asked.split(max(1, PIECE // (number * levels))):  # type: ignore[no-untyped-call]
        symbols = kernels.of_symbols(some)
        found.append(torch.stack([_left_out(kernels.row, w, some, symbols[j]) for j, w in enumerate(kernels.width)], 1))
    log_prob = torch.cat(found)
    for _ in range(200):
        share = (log_prob + weight).softmax(1).sum(0) + PRIOR
        weight = (share / share.sum()).log()
    return weight


def _left_out(row: Tensor, width: Tensor, asked: Tensor, symbols: Tensor) -> Tensor:
    """ln p of rows by the kernels of one level at all others, shape (Q,)."""
    u = row / width
    square = u.square().sum(1)
    apart = (square[asked, None] + square - 2 * u[asked] @ u.T).clamp(min=0)
    each = symbols - apart / 2 - (width.log() + log(2 * pi) / 2).sum()
    each = each.scatter(1, asked[:, None], -torch.inf)
    return each.logsumexp(1) - log(len(row) - 1)
