"""What distributions over finitely many symbols share: a check of the symbols, and the inverse of the cdf."""

from __future__ import annotations

import torch
from torch import Tensor

from chainrule.errors import InputError

__all__ = ["at_least_float32", "check_symbols", "inverse_cdf"]


def at_least_float32(parameters: Tensor) -> Tensor:
    """The parameters of a distribution in float32 where they are in half precision, otherwise as they are."""
    return parameters.float() if parameters.dtype in (torch.float16, torch.bfloat16) else parameters


def check_symbols(x: Tensor, shape: torch.Size, num_symbols: int) -> None:
    """Refuse elements that are not integers in {0, ..., V-1} or not of the distribution's batch shape."""
    if x.is_floating_point() or x.shape != shape:
        raise InputError(
            f"the distribution scores integer symbols of shape {tuple(shape)}, got {x.dtype} of shape {tuple(x.shape)}"
        )
    if x.numel() and not torch.compiler.is_compiling():
        low, high = (int(end) for end in torch.aminmax(x))
        if low < 0 or high >= num_symbols:
            raise InputError(
                f"symbols run from {low} to {high}, but the distribution has {num_symbols} (0 to {num_symbols - 1}); "
                "re-encode the data or build the head with more symbols"
            )


def inverse_cdf(pmf: Tensor, u: Tensor) -> Tensor:
    """The smallest symbol k with sum_{j<=k} p_j > u, by a running sum in float64.

    pmf: non-negative, normalised up to rounding (the running sum is divided by its end), shape (..., V).
    u: in [0, 1), shape (...).

    Returns symbols, int64, shape (...); none of them has mass zero.

    >>> inverse_cdf(torch.tensor([0.0, 0.25, 0.75]), torch.tensor([0.0]))
    tensor([1])
    """
    running = pmf.cumsum(-1, dtype=torch.float64)
    # u <= 1 - 2^-53, and rounding is monotone: u * end <= (1 - 2^-53) * end, which is the number before end
    target = u.double().unsqueeze(-1) * running.narrow(-1, -1, 1)
    return torch.searchsorted(running, target, right=True).squeeze(-1)
