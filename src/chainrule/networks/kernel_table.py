"""The kernels of a column of symbols: for each level a table from the group of a row to the group of what follows."""

from __future__ import annotations

from math import log

import torch
from torch import Tensor, nn

__all__ = ["KernelTable"]


class KernelTable(nn.Module):
    """k_j(v | i) = table_j(group of v | group of i) p(v | its group). With no more symbols than groups each is one.

    symbols: V, number of symbols.
    levels: J, number of levels.
    groups: G, largest number of groups.

    >>> table = KernelTable(3, levels=2, groups=8)
    >>> table.log_kernel.exp().sum(-1)[0, :3].round(decimals=6)
    tensor([1., 1., 1.], dtype=torch.float64)
    """

    group_of: Tensor
    log_within: Tensor
    log_kernel: Tensor

    def __init__(self, symbols: int, levels: int, groups: int) -> None:
        super().__init__()
        used = min(symbols, groups)
        group_of = torch.arange(symbols) * used // symbols
        self.register_buffer("group_of", group_of)
        self.register_buffer("log_within", -group_of.bincount(minlength=used)[group_of].double().log())
        self.register_buffer("log_kernel", torch.full((levels, used, used), -log(used)).double())

    def fit(self, symbols: Tensor, ordinal: bool, factors: Tensor) -> None:
        """Find groups and kernels from symbols (N,). factors: how wide each level is, in standard deviations, (J,)."""
        count = symbols.bincount(minlength=len(self.group_of)).double() + 0.5
        used = self.log_kernel.shape[-1]
        if used < len(count):
            if ordinal:
                place = ((count.cumsum(0) - count / 2) / count.sum() * used).long()
            else:
                order = count.argsort(descending=True, stable=True)
                place = torch.empty_like(order)
                place[order] = torch.arange(len(count)).clamp(max=used - 1)
            self.group_of.copy_(place.clamp(0, used - 1))
        of_group = count.new_zeros(used).index_add(0, self.group_of, count)
        self.log_within.copy_((count / of_group[self.group_of]).log())
        share = (of_group + 1e-3) / (of_group + 1e-3).sum()
        position = torch.arange(len(count)).double()
        position = count.new_zeros(used).index_add(0, self.group_of, count * position) / of_group.clamp(min=1e-9)
        deviation = ((share * position.square()).sum() - (share * position).sum().square()).clamp(min=0.25).sqrt()
        for level, factor in enumerate(factors.tolist()):
            other = factor**2 / (1 + factor**2)  # how much a row of this level says of another value
            near = torch.eye(used).double()
            if ordinal:
                apart = (position[:, None] - position) / (factor * deviation)
                near = (-apart.square() / 2 + share.log() / 2).softmax(1)
                other *= 0.1
            self.log_kernel[level] = ((1 - other) * near + other * share).log()

    def log_pmf(self) -> Tensor:
        """ln p of every symbol after a row of each level and group in use, shape (J, G', V)."""
        return self.log_kernel[..., self.group_of] + self.log_within
