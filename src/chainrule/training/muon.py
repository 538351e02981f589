"""Muon for the matrices inside a network, AdamW for everything else, as one optimizer.

    M <- mu M + G,    W <- (1 - lr lambda) W - lr 0.2 sqrt(max(rows, columns)) orth(G + mu M)

orth(M) = U V^T of M = U S V^T, by five Newton-Schulz steps: every direction of the update gets the same length. The
factor gives its entries the size of Adam's, so that one learning rate serves both.

Papers: Jordan et al., *Muon: an optimizer for hidden layers in neural networks*, 2024 (the iteration and its
coefficients); Liu et al., *Muon is scalable for LLM training*, 2025 (the factor and the decay). `torch.optim.Muon`
iterates in bfloat16, one matrix at a time; here matrices of one shape go together, in their own type unless told
otherwise, several times faster on a CPU. The kernel of a convolution is a matrix from all that it sees to its outputs.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

__all__ = ["Muon", "orthogonalised"]

COEFFICIENTS = (3.4445, -4.7750, 2.0315)
STEPS = 5


def orthogonalised(m: Tensor) -> Tensor:
    """U V^T, roughly, of matrices M = U S V^T, shape (n, rows, columns): singular values between 0.7 and 1.2.

    >>> m = orthogonalised(torch.randn(2, 8, 16, generator=torch.Generator().manual_seed(0)))
    >>> s = torch.linalg.svdvals(m)
    >>> bool(s.min() > 0.6), bool(s.max() < 1.3)
    (True, True)
    """
    a, b, c = COEFFICIENTS
    wide = m.shape[1] <= m.shape[2]
    x = m if wide else m.mT
    x = x / x.norm(dim=(1, 2), keepdim=True).clamp(min=1e-7)
    for _ in range(STEPS):
        gram = x @ x.mT
        x = torch.baddbmm(x, torch.baddbmm(gram, gram, gram, beta=b, alpha=c), x, beta=a)
    return x if wide else x.mT


class Muon(torch.optim.AdamW):
    """AdamW, but the groups with `"muon": True` are updated by Muon: matrices and kernels, outputs first.

    momentum: the paper's mu.
    half: whether to iterate in bfloat16, as the paper does.

    The other options are those of AdamW, and may differ between groups.

    >>> matrix, vector = (torch.nn.Parameter(start) for start in (torch.eye(2), torch.ones(2)))
    >>> optimizer = Muon([{"params": [matrix], "muon": True}, {"params": [vector]}], lr=0.1, weight_decay=0.0)
    >>> (matrix @ vector).sum().backward()
    >>> optimizer.step()
    >>> bool((matrix.diagonal() < 1).all()), bool((vector < 1).all())
    (True, True)
    """

    def __init__(self, params: Any, lr: float, momentum: float = 0.95, half: bool = False, **options: Any) -> None:
        super().__init__(params, lr=lr, **options)
        self.half = half
        for group in self.param_groups:
            group.setdefault("muon", False)
            group.setdefault("momentum", momentum)

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> Any:
        """Move every parameter that has a gradient."""
        moved = []
        for group in self.param_groups:
            if group["muon"]:
                moved += [(parameter, parameter.grad) for parameter in group["params"] if parameter.grad is not None]
                self._move(group)
        for parameter, _ in moved:
            parameter.grad = None  # what has none, AdamW passes over
        result = super().step(closure)
        for parameter, gradient in moved:
            parameter.grad = gradient
        return result

    def _move(self, group: dict[str, Any]) -> None:
        shapes: dict[torch.Size, list[Tensor]] = defaultdict(list)
        for parameter in group["params"]:
            if parameter.grad is not None:
                shapes[parameter.shape].append(parameter)
        for shape, parameters in shapes.items():
            for parameter in parameters:
                if "momentum_buffer" not in self.state[parameter]:
                    # AdamW's loading looks for a step in every state
                    self.state[parameter] |= {"step": torch.tensor(0.0), "momentum_buffer": torch.zeros_like(parameter)}
            momentum = [self.state[parameter]["momentum_buffer"] for parameter in parameters]
            gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
            torch._foreach_mul_(momentum, group["momentum"])
            torch._foreach_add_(momentum, gradients)
            ahead = torch.stack(torch._foreach_add(gradients, momentum, alpha=group["momentum"])).flatten(2)
            moves = orthogonalised(ahead.bfloat16() if self.half else ahead).type_as(ahead).view(-1, *shape)
            rate = group["lr"] * 0.2 * max(ahead.shape[1:]) ** 0.5
            torch._foreach_mul_(parameters, 1 - group["lr"] * group["weight_decay"])
            torch._foreach_add_(parameters, list(moves.unbind()), alpha=-rate)
