"""What mixtures of K locations and scales share: the way from features to parameters, and the inverse of a cdf."""

from __future__ import annotations

from collections.abc import Callable
from math import log

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from chainrule.errors import InputError
from chainrule.heads.finite import at_least_float32

__all__ = ["MixtureLinear", "invert_cdf"]

TINY = 2.0**-54


class MixtureLinear(nn.Module):
    """A linear map from features to the logits, the means and the log-scales of K components.

        ln s = low + min(softplus(r - low), high - low)

    turns a raw output r into a log-scale that stays above `low`, which it approaches smoothly, and up to `high`.

    features: H, size of the features.
    components: K, number of components.

    The weights start small, so that the biases, which `start` takes from data, decide where the mixture starts.
    """

    def __init__(self, features: int, components: int) -> None:
        super().__init__()
        if components < 1:
            raise InputError(f"a mixture has at least one component, got {components}")
        self.components = components
        self.linear = nn.Linear(features, 3 * components)
        with torch.no_grad():
            self.linear.weight.mul_(0.1)
        self.start(np.linspace(-1, 1, 101))

    def forward(self, h: Tensor, low: Tensor | float, high: float) -> tuple[Tensor, Tensor, Tensor]:
        """Logits, means and log-scales, each of shape (..., K), from features (..., H); float32 or better."""
        return self.parts(self.linear(h), low, high)

    @staticmethod
    def parts(raw: Tensor, low: Tensor | float, high: float) -> tuple[Tensor, Tensor, Tensor]:
        """The same from what the linear map gives, shape (..., 3 K)."""
        raw = at_least_float32(raw)
        logits, mean, r = raw.unflatten(-1, (3, -1)).unbind(-2)  # type: ignore[no-untyped-call]
        rise = torch.minimum(F.softplus(r - low), torch.as_tensor(high - low, dtype=r.dtype, device=r.device))
        return logits, mean, low + rise

    @torch.no_grad()
    def start(self, z: np.ndarray) -> None:
        """Set the biases from data z: equal weights, means at the quantiles (k + 1/2) / K, one scale for all of them.

        It leaves the mixture the variance of the data, but is not below 1/K of their standard deviation.
        """
        logits, mean, r = self.linear.bias.view(3, self.components)
        levels = (np.arange(self.components) + 0.5) / self.components
        logits.zero_()
        quantiles, spread = np.quantile(z, levels), max(float(np.std(z)), 1e-6)
        mean.copy_(torch.from_numpy(quantiles))
        r.fill_(log(spread) + log(max(1 - float(np.var(quantiles)) / spread**2, self.components**-2.0)) / 2)


def invert_cdf(cdf: Callable[[Tensor], Tensor], quantiles: Tensor, u: Tensor, steps: int = 64) -> Tensor:
    """The x with F(x) = u of a mixture, by bisection in float64.

    At the smallest of its components' u-quantiles no component is beyond u, and at the largest none is below it, so x
    lies between them; each step halves the way.

    cdf: F.
    quantiles: quantile of each component at u, shape (..., K).
    u: probabilities in (0, 1), shape (...).
    steps: number of halvings.

    Returns shape (...).

    >>> half = torch.tensor([0.5], dtype=torch.float64)
    >>> invert_cdf(lambda x: torch.sigmoid(x) / 2 + torch.sigmoid(x - 4) / 2, torch.tensor([[0.0, 4.0]]), half)
    tensor([2.], dtype=torch.float64)
    """
    low, high = (end.double() for end in torch.aminmax(quantiles, dim=-1))
    if quantiles.shape[-1] == 1:
        return low
    for _ in range(steps):
        middle = low + (high - low) / 2
        short = cdf(middle) <= u
        low, high = torch.where(short, middle, low), torch.where(short, high, middle)
    return low + (high - low) / 2


def inside(u: Tensor) -> Tensor:
    """u moved off the ends of [0, 1), where quantiles are infinite, by less than the grain of its 53 bits."""
    return u.double().clamp(TINY, 1 - 2 * TINY)
