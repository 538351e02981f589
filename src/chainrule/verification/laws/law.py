"""What a law is, and on what it is tried: parts whose parameters are randomised, random elements."""

from __future__ import annotations

from copy import deepcopy
from typing import TypeVar

import torch
from torch import Tensor, nn

from chainrule.verification.certificate.sampling import chi_square

__all__ = ["LawBroken", "elements", "fits", "randomised", "within"]

Part = TypeVar("Part", bound=nn.Module)


class LawBroken(AssertionError):
    """A part breaks a law of its contract."""


def within(figure: float, bound: float, law: str) -> None:
    """Raise LawBroken, with the law and both numbers, if the figure is above the bound or NaN."""
    if not figure <= bound:
        raise LawBroken(f"{law}: worst figure {figure:.3g}, bound {bound:.3g}")


def randomised(part: Part, seed: int = 0, scale: float = 0.3) -> Part:
    """A copy in evaluation mode whose parameters are moved by Gaussian noise, so that nothing is zero by design."""
    part = deepcopy(part).eval()
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in part.parameters():
            noise = torch.randn(parameter.shape, generator=generator, dtype=torch.float64)
            parameter.add_(scale * noise.to(parameter.dtype))
    return part


def elements(num_symbols: int | None, *shape: int, seed: int = 0) -> Tensor:
    """Random elements: symbols below V, or standard normal reals."""
    generator = torch.Generator().manual_seed(seed)
    if num_symbols is None:
        return torch.randn(shape, generator=generator)
    return torch.randint(num_symbols, shape, generator=generator)


def fits(drawn: Tensor, pmf: Tensor) -> None:
    """Raises LawBroken where draws do not have this pmf, shape (V,): chi-square above its 1 - 1e-6 quantile."""
    statistic, quantile = chi_square(torch.bincount(drawn.long(), minlength=len(pmf)), pmf.detach() * len(drawn))
    within(statistic, quantile, "samples fit the pmf (chi-square)")
