"""The laws of heads: a distribution sums to one, its parts are those of one distribution, and its draws are from it."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy

import torch
from torch import Tensor

from chainrule.heads.base import Distribution, Head
from chainrule.verification.certificate.density_mass import density_mass
from chainrule.verification.laws.law import LawBroken, fits, randomised, within

__all__ = [
    "at_is_forward",
    "check_head",
    "extremes_are_finite",
    "icdf_inverts_cdf",
    "integrates_to_one",
    "log_prob_is_log_pmf",
    "mass_is_rise_of_cdf",
    "pmf_is_normalised",
    "samples_fit_pmf",
]


class _At(Head):
    """One element of a head that tells them apart or reads them, as a head of its own: `head.at(d, h, x)`, x fixed."""

    def __init__(self, head: Head, d: int, before: Tensor) -> None:
        super().__init__(head.features, None)
        self.head, self.d, self.before = head, d, before
        dtype = next((parameter.dtype for parameter in head.parameters()), torch.float32)
        self.num_symbols = self(before.new_zeros(1, head.features).to(dtype)).num_symbols

    def forward(self, h: Tensor) -> Distribution:
        return self.head.at(self.d, h, self.before.expand(len(h), self.d))


def pmf_is_normalised(head: Head, h: Tensor) -> None:
    """The pmf is non-negative and sums to one: within 1e-5 in float32, 1e-12 in float64."""
    bound = 1e-12 if h.dtype == torch.float64 else 1e-5
    pmf = head(h).pmf().double()
    within(float(-pmf.min()), 0.0, "pmf >= 0")
    within(float((pmf.sum(-1) - 1).abs().max()), bound, "the pmf sums to one")


def log_prob_is_log_pmf(head: Head, h: Tensor) -> None:
    """exp log_prob(x) = pmf[x] for every symbol x, and cdf(x) = its running sum, which never falls."""
    p = head(h)
    pmf = p.pmf().double()
    running = pmf.cumsum(-1)
    for k in range(pmf.shape[-1]):
        x = torch.full(p.batch_shape, k, device=h.device)
        within(float((p.log_prob(x).double().exp() - pmf[..., k]).abs().max()), 1e-5, f"exp log_prob({k}) = pmf[{k}]")
        within(float((p.cdf(x).double() - running[..., k]).abs().max()), 1e-5, f"cdf({k}) = the running sum of the pmf")


def icdf_inverts_cdf(head: Head, h: Tensor) -> None:
    """icdf(u) is the smallest x with cdf(x) > u: between F(x - 1) and F(x) lies u (within 1e-5).

    On an infinite support F answers several questions about an element at once as it answers each.
    """
    p = head(h)
    u = torch.rand(p.batch_shape, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    x = p.icdf(u)
    if p.order is not None:
        pmf = p.pmf().double()
        reached = pmf[..., p.order].cumsum(-1)[..., p.order.argsort()].gather(-1, x.unsqueeze(-1)).squeeze(-1)
        within(float((u - reached).max()), 1e-5, "icdf(u): F(x) > u in the order of the symbols")
        below = reached - pmf.gather(-1, x.unsqueeze(-1)).squeeze(-1)
        within(float((below - u).max()), 1e-5, "icdf(u): F(x) - p(x) <= u in the order of the symbols")
        return
    within(float((u - p.cdf(x).double()).max()), 1e-5, "icdf(u): F(x) > u")
    if p.num_symbols is None and not p.may_be_missing:
        above = x + (1 if p.resolution is None else p.resolution)
        together, each = p.cdf(torch.stack([x, above])).double(), torch.stack([p.cdf(x), p.cdf(above)]).double()
        within(float((together - each).abs().max()), 1e-12, "F of several numbers at once")
    if not p.is_mass:
        within(float((p.cdf(x).double() - u).abs().max()), 1e-5, "icdf(u): F(x) = u")
    elif p.resolution is not None:
        within(float((p.cdf(x - p.resolution).double() - u).max()), 1e-5, "icdf(u): F(x - r) <= u")
    else:
        below = torch.where(x > 0, p.cdf((x - 1).clamp(min=0)).double(), 0.0)
        within(float((below - u).max()), 1e-5, "icdf(u): F(x - 1) <= u")


def samples_fit_pmf(head: Head, h: Tensor, draws: int = 100_000) -> None:
    """Chi-square of many draws against the pmf: the statistic stays below its 1 - 1e-6 quantile."""
    p = head(h[:1, :1].expand(draws, 1, -1)) if h.ndim == 3 else head(h[:1].expand(draws, -1))
    drawn = p.sample(torch.Generator().manual_seed(2)).flatten()
    pmf = head(h[:1, :1]).pmf().double().flatten() if h.ndim == 3 else head(h[:1]).pmf().double().flatten()
    fits(drawn, pmf)


def integrates_to_one(head: Head, h: Tensor) -> None:
    """The density integrates to one, by quadrature between quantiles, within 1e-4."""
    mass = density_mass(lambda n: head(h.repeat(n, *[1] * (h.ndim - 1))))
    within(float((mass - 1).abs().max()), 1e-4, "the density integrates to one")


def mass_is_rise_of_cdf(head: Head, h: Tensor) -> None:
    """On an infinite grid p(x) = F(x) - F(x - r), within 1e-5, and F rises from 0 to 1: so the mass sums to one."""
    p = head(h)
    generator = torch.Generator().manual_seed(4)
    for _ in range(100):
        x = p.icdf(torch.rand(p.batch_shape, dtype=torch.float64, generator=generator))
        rise = (p.cdf(x) - p.cdf(x - p.resolution)).double()
        within(float((p.log_prob(x).double().exp() - rise).abs().max()), 1e-5, "p(x) = F(x) - F(x - r)")
    low, high = (p.icdf(torch.full(p.batch_shape, u, dtype=torch.float64)) for u in (1e-9, 1 - 1e-9))
    within(float((p.cdf(low).double() - p.log_prob(low).double().exp()).abs().max()), 1e-5, "F starts at 0")
    within(float((1 - p.cdf(high).double()).abs().max()), 1e-5, "F ends at 1")


def extremes_are_finite(head: Head, h: Tensor) -> None:
    """At features of up to 1e4 no log-probability is NaN or positive infinite, and no gradient is NaN or infinite."""
    for scale in (1e-4, 1.0, 1e2, 1e4):
        wild = (h * scale).detach().requires_grad_()
        p = head(wild)
        x = p.icdf(torch.rand(p.batch_shape, dtype=torch.float64, generator=torch.Generator().manual_seed(3)))
        log_prob = p.log_prob(x)
        if bool(log_prob.isnan().any() | (log_prob == torch.inf).any()):
            raise LawBroken(f"extremes: log_prob is NaN or +inf at features of size {scale:g}")
        (gradient,) = torch.autograd.grad(log_prob.clamp(min=-1e30).sum(), wild)
        if not bool(gradient.isfinite().all()):
            raise LawBroken(f"extremes: the gradient is not finite at features of size {scale:g}")


def at_is_forward(head: Head, h: Tensor) -> None:
    """`head.at(d, h_d, x_<d)` is the d-th of the distributions that `head(h)` gives."""
    whole = head(h)
    x = whole.icdf(torch.full(whole.batch_shape, 0.4, dtype=torch.float64))
    together = whole.log_prob(x)
    for d in range(h.shape[1]):
        alone = head.at(d, h[:, d], x[:, :d]).log_prob(x[:, d])
        within(float((alone - together[:, d]).abs().max()), 1e-4, f"at({d}) = forward")


def check_head(head: Head, length: int = 4) -> None:
    """All laws of a head, on random features of the given length. Raises LawBroken."""
    head = randomised(head)
    h = torch.randn(5, length, head.features, generator=torch.Generator().manual_seed(0))
    extremes_are_finite(head, h)
    with torch.no_grad():
        at_is_forward(head, h)
        if head.elementwise:
            _check_support(head, h)
        else:
            x = head(h).icdf(torch.rand(h.shape[:2], dtype=torch.float64, generator=torch.Generator().manual_seed(6)))
            for d in range(length):
                _check_support(_At(head, d, x[0, :d]), h[:, d])


def _check_support(head: Head, h: Tensor) -> None:
    """The laws of a finite support, of an infinite grid or of the real line."""
    laws: list[Callable[[Head, Tensor], None]] = [icdf_inverts_cdf]
    if head.num_symbols is not None:
        laws += [pmf_is_normalised, log_prob_is_log_pmf, samples_fit_pmf]
        pmf_is_normalised(deepcopy(head).double(), h.double())
    else:
        laws += [mass_is_rise_of_cdf if head(h).is_mass else integrates_to_one]
    for law in laws:
        law(head, h)
