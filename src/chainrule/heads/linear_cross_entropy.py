"""The exact log-softmax of a linear map, with memory for a few rows of logits only.

    s_nk = w_k . h_n + b_k,    ln p_n = (s_{n,x_n} - m_n) - ln sum_k e^(s_nk - m_n),    m_n = max_k s_nk
    d ln p_n / d s_nk = [k = x_n] - p_nk

All N x V logits at once are what a large softmax spends its memory on; here a chunk of rows is computed, used and
overwritten. Its gradients are best computed while it is there, because later its logits would have to be computed
again, a third more work. But they need the upstream gradient g_n of each ln p_n, which only the backward pass knows. So
the forward pass computes them for g = 1. Where all g_n turn out equal, as they do under a sum of log-probabilities
divided by any count, the backward pass scales them; for any other g it sweeps over the chunks once more. Both are
exact.
(`F.linear_cross_entropy` has a chunked option, too; `benchmarks/heads.py` puts the two side by side.)

Papers: Wijmans et al., *Cut your losses in large-vocabulary language models*, ICLR 2025; Hsu et al., *Liger Kernel:
efficient Triton kernels for LLM training*, 2024 (gradients in the forward pass, of a mean).
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

__all__ = ["linear_log_prob"]

CHUNK = 2**23  # logits held at once, 32 MiB in float32
FEWEST_ROWS = 256  # below, matrix products slow down
OUTSIDE: list[Any] = []  # what stands in for the function inside of a compiled program: a call of it
COLUMNS = 1024  # of a chunk that one product computes: of few rows with all of many columns it is a third slower


def sweep(h: Tensor, weight: Tensor, bias: Tensor, x: Tensor, g: Tensor | None) -> tuple[Tensor, list[Tensor]]:
    """ln p_n, shape (N,), and the gradients of sum_n g_n ln p_n by h, W and b; none if g, shape (N,), is None."""
    log_prob = h.new_empty(len(h))
    gradients = [] if g is None else [torch.empty_like(h), torch.zeros_like(weight), torch.zeros_like(bias)]
    rows = max(FEWEST_ROWS, CHUNK // len(weight))
    chunk = h.new_empty(min(rows, len(h)), len(weight))
    for start in range(0, len(h), rows):
        here = slice(start, start + rows)
        z = chunk[: len(h[here])]
        for column in range(0, len(weight), COLUMNS):
            part = slice(column, column + COLUMNS)
            torch.addmm(bias[part], h[here], weight[part].t(), out=z[:, part])
        scored, top = z.gather(1, x[here, None]), z.amax(1, keepdim=True)
        mass = z.sub_(top).exp_().sum(1, keepdim=True)
        log_prob[here] = (scored - top - mass.log()).squeeze(1)
        if g is not None:
            z.mul_(-g[here, None] / mass).scatter_add_(1, x[here, None], g[here, None])
            torch.mm(z, weight, out=gradients[0][here])
            gradients[1].addmm_(z.t(), h[here])
            gradients[2].add_(z.sum(0))
    return log_prob, gradients


class LinearLogProb(torch.autograd.Function):
    """ln p_n as a differentiable function of h, W and b."""

    @staticmethod
    def forward(ctx: Any, h: Tensor, weight: Tensor, bias: Tensor, x: Tensor, differentiable: bool) -> Tensor:
        log_prob, ctx.gradients = sweep(h, weight, bias, x, h.new_ones(len(h)) if differentiable else None)
        ctx.save_for_backward(h, weight, bias, x)
        return log_prob

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, g: Tensor) -> tuple[Tensor | None, ...]:
        gradients, ctx.gradients = ctx.gradients, []  # handed over once: scaled in place, not copied
        if gradients and len(g) and bool((g == g[0]).all()):
            gradients = [gradient.mul_(g[0]) for gradient in gradients]
        else:
            h, weight, bias, x = ctx.saved_tensors
            _, gradients = sweep(h, weight, bias, x, g)
        return (*gradients, None, None)


def linear_log_prob(h: Tensor, weight: Tensor, bias: Tensor, x: Tensor) -> Tensor:
    """ln softmax(W h_n + b)[x_n] in nats, shape (N,), in float32 or better.

    h: features, shape (N, H).
    weight: W, shape (V, H).
    bias: b, shape (V,); -inf makes a symbol impossible.
    x: symbols in {0, ..., V-1}, shape (N,).

    Beside the result and the gradients it needs memory for max(2^23, 256 V) numbers.

    >>> h, weight = torch.randn(3, 8), torch.randn(1000, 8)
    >>> log_prob = linear_log_prob(h, weight, torch.zeros(1000), torch.tensor([0, 1, 999]))
    >>> torch.allclose(log_prob, (h @ weight.t()).log_softmax(1)[[0, 1, 2], [0, 1, 999]], atol=1e-5)
    True
    """
    if not torch.compiler.is_compiling():
        return _linear_log_prob(h, weight, bias, x)
    if not OUTSIDE:  # not before: `torch.compiler.disable` imports the compiler, which takes longer than torch itself
        OUTSIDE.append(torch.compiler.disable(_linear_log_prob))  # type: ignore[no-untyped-call]
    return OUTSIDE[0](h, weight, bias, x)


def _linear_log_prob(h: Tensor, weight: Tensor, bias: Tensor, x: Tensor) -> Tensor:
    """As `linear_log_prob`, never as part of a compiled program."""
    dtype = torch.promote_types(weight.dtype, torch.float32)
    parts = [part.to(dtype) for part in (h, weight, bias)]
    differentiable = torch.is_grad_enabled() and any(part.requires_grad for part in parts)
    with torch.autocast(h.device.type, enabled=False):
        return LinearLogProb.apply(*parts, x.long(), differentiable)  # type: ignore[no-untyped-call]
