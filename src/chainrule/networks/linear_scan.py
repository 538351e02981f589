"""The linear recurrence s_d = a_d s_{d-1} + b_d over whole sequences, with its gradient."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

__all__ = ["linear_scan"]


class LinearScan(torch.autograd.Function):
    """One pass forward, one backward; every step is a product and a sum of (B, E) numbers.

    With gamma_d = dL/ds_d + a_{d+1} gamma_{d+1}:  dL/db_d = gamma_d,  dL/da_d = gamma_d s_{d-1}.
    """

    @staticmethod
    def forward(ctx: Any, a: Tensor, b: Tensor) -> Tensor:
        s = torch.empty_like(b)
        before = torch.zeros_like(b[0])
        for a_d, b_d, s_d in zip(a.unbind(0), b.unbind(0), s.unbind(0), strict=True):
            before = torch.addcmul(b_d, a_d, before, out=s_d)
        ctx.save_for_backward(a, s)
        return s

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, Tensor]:
        a, s = ctx.saved_tensors
        gamma = gradients[0].contiguous().clone()
        for d in range(len(s) - 2, -1, -1):
            gamma[d].addcmul_(a[d + 1], gamma[d + 1])
        from_a = torch.empty_like(a)
        from_a[0] = 0
        torch.mul(gamma[1:], s[:-1], out=from_a[1:])
        return from_a, gamma


def linear_scan(a: Tensor, b: Tensor) -> Tensor:
    """s_1, ..., s_D with s_0 = 0, shape (D, B, E). a, b: the same shape.

    >>> linear_scan(torch.full((3, 1, 1), 0.5), torch.ones(3, 1, 1)).flatten()
    tensor([1.0000, 1.5000, 1.7500])
    """
    s: Tensor = LinearScan.apply(a, b)  # type: ignore[no-untyped-call]
    return s
