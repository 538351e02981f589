"""What the numbers of a row that are there say of the others, where several Gaussians stand for whole rows."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

__all__ = ["Given", "in_pieces", "patterns_of"]

MOST = 10**7  # cells of matrices at once
TINY = 1e-300  # of a variance


def patterns_of(x: Tensor) -> tuple[Tensor, Tensor]:
    """The different patterns of what is there in rows (N, D), shape (P, D), and that of each row, shape (N,)."""
    patterns, which = torch.unique(~x.isnan(), dim=0, return_inverse=True)
    return patterns, which


def in_pieces(numbers: Tensor, cells: int) -> Iterator[Tensor]:
    """Numbers of rows or patterns, as many at a time as fit into memory. cells: those of the matrices of each."""
    size = max(1, MOST // max(1, cells))
    for start in range(0, len(numbers), size):
        yield numbers[start : start + size]


@dataclass(frozen=True)
class Given:
    """Gaussians of K classes where some numbers are missing, for P patterns of what is there.

    With L L' the covariance of the numbers that are there, what these are beyond their predictions is e = L^-1 (x - m).
    The prediction of x_d by those before it is m_d + sum over them of (L^-1 C)_jd e_j, C_jd being the covariance of x_j
    and x_d; that by all that are there has the sum over all. Missing numbers say nothing.

    there: what is there, shape (P, D).
    covariance: shape (K, D, D).
    factor: L, shape (P, K, D, D), the identity where numbers are missing.
    cross: L^-1 C, zero in the rows of numbers that are missing, shape (P, K, D, D).

    >>> given = Given.of(torch.tensor([[[1.0, 0.8], [0.8, 1.0]]]), torch.tensor([[True, False]]))
    >>> given.log_scale.exp()
    tensor([[[1.0000, 0.6000]]])
    """

    there: Tensor
    covariance: Tensor
    factor: Tensor
    cross: Tensor

    @classmethod
    def of(cls, covariance: Tensor, there: Tensor) -> Given:
        """From covariances (K, D, D) and patterns (P, D)."""
        seen = there.to(covariance.dtype)[:, None]
        factor = torch.linalg.cholesky(
            covariance * seen.unsqueeze(-1) * seen.unsqueeze(-2) + torch.diag_embed(1 - seen)
        )
        cross = torch.linalg.solve_triangular(factor, covariance * seen.unsqueeze(-1), upper=False)
        return cls(there, covariance, factor, cross)

    @property
    def before(self) -> Tensor:
        """The part of the numbers before d in the prediction of x_d, shape (P, K, D, D), d first."""
        return self.cross.transpose(-1, -2).tril(-1)

    @property
    def log_scale(self) -> Tensor:
        """ln of the standard deviation of each number given those before it, shape (P, K, D)."""
        left = torch.diagonal(self.covariance, dim1=-2, dim2=-1) - self.before.square().sum(-1)
        own = torch.diagonal(self.factor, dim1=-2, dim2=-1).square()
        return torch.where(self.there[:, None], own, left).clamp(min=TINY).log() / 2

    @property
    def left_over(self) -> Tensor:
        """The covariance of missing numbers given all that are there, zero for these, shape (P, K, D, D)."""
        gone = (~self.there).to(self.covariance.dtype)[:, None]
        left = self.covariance - self.cross.transpose(-1, -2) @ self.cross
        return left * gone.unsqueeze(-1) * gone.unsqueeze(-2)

    def beyond(self, off: Tensor, which: Tensor) -> Tensor:
        """e of rows, zero where a number is missing, shape (B, K, D).

        off: x - m, shape (B, K, D).
        which: the pattern of each row, shape (B,).
        """
        known = torch.where(self.there[which][:, None], off, 0.0).unsqueeze(-1)
        return torch.linalg.solve_triangular(self.factor[which], known, upper=False).squeeze(-1)
