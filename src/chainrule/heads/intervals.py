"""The probability of an interval, ln(F(b) - F(a)), for the logistic and for the normal distribution.

A level of an ordinal element, a count, a real number recorded at a resolution: each stands for an interval, and its
probability is the rise of a distribution function. Written as a difference it is lost to rounding far out in the tails
and over narrow intervals; the forms below keep their relative precision everywhere.
"""

from __future__ import annotations

from math import log, pi, sqrt

import torch
from torch import Tensor
from torch.nn import functional as F

__all__ = ["log_logistic_interval", "log_normal_interval", "may_occur"]


def log_logistic_interval(lower: Tensor, upper: Tensor, width: Tensor) -> Tensor:
    """ln(sigmoid(b) - sigmoid(a)) = ln sigmoid(b) + ln sigmoid(-a) + ln(1 - e^(a - b)).

    None of the three terms is positive, so nothing cancels and the error stays relative to the result.

    lower, upper: the ends a < b, infinite ones allowed.
    width: b - a, which subtracting the ends would lose.

    All broadcast against each other.

    >>> a, b = torch.tensor([0.0, 100.0]), torch.tensor([1.0, torch.inf])
    >>> log_logistic_interval(a, b, b - a)
    tensor([  -1.4651, -100.0000])
    """
    return F.logsigmoid(upper) + F.logsigmoid(-lower) + torch.log(-torch.expm1(-width))


def log_normal_interval(centre: Tensor, width: Tensor) -> Tensor:
    """ln(Phi(m + w/2) - Phi(m - w/2)) for the standard normal distribution, from its midpoint and its width.

    With c = |m|, by symmetry, the near end n = c - w/2, the far end f = c + w/2, Mills' ratio R(t) = Q(t) / phi(t) and
    Hermite's polynomials He, the interval is

        narrow:         phi(c) w (1 + He_2(c) w^2 / 24 + He_4(c) w^4 / 1920 + ...)      (Taylor's series about c)
        in the tail:    phi(n) (R(n) - e^(-cw) R(f)),   for (f^2 - n^2) / 2 = cw
        over the mode:  1 - Q(f) - Q(-n)

    centre: m, midpoint of the interval.
    width: w > 0.

    Both are float64 and broadcast against each other; gradients are finite everywhere.

    >>> log_normal_interval(torch.tensor(40.0).double(), torch.tensor([1e-9, 2.0, 200.0]).double())
    tensor([-821.6422, -765.0832,   -0.0000], dtype=torch.float64)
    """
    c, w = centre.abs(), width
    narrow = (c + 1) * w < 0.03
    tail = ~narrow & (c > w / 2)
    mode = ~narrow & ~tail
    # Each form reads harmless numbers where it is not the one in use, so that none of them spoils a gradient.
    forms = ((narrow, _narrow, 0.0, 0.01), (tail, _tail, 2.0, 1.0), (mode, _mode, 0.0, 1.0))
    found = torch.zeros_like(c * w)
    for here, form, harmless_c, harmless_w in forms:
        if may_occur(here):
            found = torch.where(here, form(torch.where(here, c, harmless_c), torch.where(here, w, harmless_w)), found)
    return found


def may_occur(case: Tensor) -> bool:
    """Whether a case may be that of some element; on a processor it is looked up, elsewhere that would have to wait.

    What nobody reads is left out, where there are few elements and each operation costs as much as for many.

    >>> may_occur(torch.tensor([False, True])), may_occur(torch.tensor([False]))
    (True, False)
    """
    return torch.compiler.is_compiling() or case.device.type != "cpu" or bool(case.any())


def _narrow(c: Tensor, w: Tensor) -> Tensor:
    he2, he4 = c**2 - 1, c**4 - 6 * c**2 + 3
    return _log_phi(c) + torch.log(w) + torch.log1p(he2 * w**2 / 24 + he4 * w**4 / 1920)


def _tail(c: Tensor, w: Tensor) -> Tensor:
    near, far = c - w / 2, c + w / 2
    return _log_phi(near) + torch.log(_mills(near) - torch.exp(-c * w) * _mills(far))


def _mode(c: Tensor, w: Tensor) -> Tensor:
    near, far = c - w / 2, c + w / 2
    return torch.log1p(-(torch.erfc(far / sqrt(2)) + torch.erfc(-near / sqrt(2))) / 2)


def _log_phi(t: Tensor) -> Tensor:
    return -t.square() / 2 - log(2 * pi) / 2


def _mills(t: Tensor) -> Tensor:
    return sqrt(pi / 2) * torch.special.erfcx(t / sqrt(2))
