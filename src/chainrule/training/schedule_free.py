"""Schedule-free AdamW: no cooldown to plan, since the averaged weights are good at any time.

    y = (1 - beta) z + beta x            gradients g are taken at y, the weights of the model in training
    v <- beta_2 v + (1 - beta_2) g^2
    z <- z - lr (g / (sqrt(v / (1 - beta_2^t)) + eps) + lambda y)
    x <- (1 - c) x + c z,                c = lr^2 / sum of all lr^2 so far; x is what is validated and kept

Paper: Defazio et al., *The road less scheduled*, 2024.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

__all__ = ["ScheduleFree"]


class ScheduleFree(torch.optim.Optimizer):
    """The learning rate rises and then stays; `averaged` gives the weights to evaluate.

    >>> w = torch.nn.Parameter(torch.tensor([3.0]))
    >>> optimizer = ScheduleFree([w], lr=0.1)
    >>> for _ in range(200):
    ...     optimizer.zero_grad()
    ...     w.square().sum().backward()
    ...     optimizer.step()
    >>> bool(optimizer.averaged(w).abs() < 0.3)
    True
    """

    def __init__(
        self,
        params: Any,
        lr: float,
        betas: tuple[float, float] = (0.9, 0.98),
        eps: float = 1e-8,
        weight_decay: float = 0,
    ) -> None:
        super().__init__(params, {"lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay, "mass": 0.0})

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> Any:
        """Move every parameter that has a gradient."""
        result = None if closure is None else closure()
        for group in self.param_groups:
            group["mass"] += group["lr"] ** 2
            share = group["lr"] ** 2 / group["mass"] if group["mass"] else 1.0
            for parameter in group["params"]:
                if parameter.grad is not None:
                    self._move(parameter, parameter.grad, group, share)
        return result

    def _move(self, y: Tensor, gradient: Tensor, group: dict[str, Any], share: float) -> None:
        state, (beta, beta_2) = self.state[y], group["betas"]
        if not state:
            state["step"] = torch.zeros(())
            state["z"], state["exp_avg_sq"] = y.clone(), torch.zeros_like(y)
        z, squares = state["z"], state["exp_avg_sq"]
        x = self.averaged(y, beta)
        state["step"] += 1
        squares.mul_(beta_2).addcmul_(gradient, gradient, value=1 - beta_2)
        size = (squares / (1 - beta_2 ** float(state["step"]))).sqrt_().add_(group["eps"])
        z.sub_((gradient / size).add_(y, alpha=group["weight_decay"]), alpha=group["lr"])
        x.lerp_(z, share)
        y.copy_(x.lerp(z, 1 - beta))

    def averaged(self, y: Tensor, beta: float | None = None) -> Tensor:
        """x of a parameter, from y and z; the parameter itself before its first step."""
        state = self.state.get(y, {})
        if not state:
            return y.detach().clone()
        beta = self.param_groups[0]["betas"][0] if beta is None else beta
        return (y.detach() - (1 - beta) * state["z"]) / beta
