"""The normal distribution by portable arithmetic: quotients of polynomials, and the exponential and logarithm of ours.

Papers: Cody, *Rational Chebyshev approximations for the error function*, 1969; Wichura, *Algorithm AS 241: the
percentage points of the normal distribution*, 1988, whose numbers stand here.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from chainrule.batch import Array
from chainrule.coding.portable_numbers import portable_exp, portable_log

__all__ = ["portable_ndtr", "portable_score"]

HALF_ROOT = 0.7071067811865476  # sqrt(1/2)
PER_ROOT_PI = 0.5641895835477563
NEAR, MIDDLE, FAR = 0.46875, 4.0, 26.0  # where one quotient ends and the next begins, and where nothing is left

ERF_A = [
    1.85777706184603153e-1,
    3.16112374387056560,
    1.13864154151050156e2,
    3.77485237685302021e2,
    3.20937758913846947e3,
]
ERF_B = [1.0, 2.36012909523441209e1, 2.44024637934444173e2, 1.28261652607737228e3, 2.84423683343917062e3]
ERFC_C = [
    2.15311535474403846e-8,
    5.64188496988670089e-1,
    8.88314979438837594,
    6.61191906371416295e1,
    2.98635138197400131e2,
    8.81952221241769090e2,
    1.71204761263407058e3,
    2.05107837782607147e3,
    1.23033935479799725e3,
]
ERFC_D = [
    1.0,
    1.57449261107098347e1,
    1.17693950891312499e2,
    5.37181101862009858e2,
    1.62138957456669019e3,
    3.29079923573345963e3,
    4.36261909014324716e3,
    3.43936767414372164e3,
    1.23033935480374942e3,
]
ERFC_P = [
    1.63153871373020978e-2,
    3.05326634961232344e-1,
    3.60344899949804439e-1,
    1.25781726111229246e-1,
    1.60837851487422766e-2,
    6.58749161529837803e-4,
]
ERFC_Q = [
    1.0,
    2.56852019228982242,
    1.87295284992346725,
    5.27905102951428412e-1,
    6.05183413124413191e-2,
    2.33520497626869185e-3,
]
SCORE_A = [
    2.5090809287301226727e3,
    3.3430575583588128105e4,
    6.7265770927008700853e4,
    4.5921953931549871457e4,
    1.3731693765509461125e4,
    1.9715909503065514427e3,
    1.3314166789178437745e2,
    3.3871328727963666080,
]
SCORE_B = [
    5.2264952788528545610e3,
    2.8729085735721942674e4,
    3.9307895800092710610e4,
    2.1213794301586595867e4,
    5.3941960214247511077e3,
    6.8718700749205790830e2,
    4.2313330701600911252e1,
    1.0,
]
SCORE_C = [
    7.74545014278341407640e-4,
    2.27238449892691845833e-2,
    2.41780725177450611770e-1,
    1.27045825245236838258,
    3.64784832476320460504,
    5.76949722146069140550,
    4.63033784615654529590,
    1.42343711074968357734,
]
SCORE_D = [
    1.05075007164441684324e-9,
    5.47593808499534494600e-4,
    1.51986665636164571966e-2,
    1.48103976427480074590e-1,
    6.89767334985100004550e-1,
    1.67638483018380384940,
    2.05319162663775882187,
    1.0,
]
SCORE_E = [
    2.01033439929228813265e-7,
    2.71155556874348757815e-5,
    1.24266094738807843860e-3,
    2.65321895265761230930e-2,
    2.96560571828504891230e-1,
    1.78482653991729133580,
    5.46378491116411436990,
    6.65790464350110377720,
]
SCORE_F = [
    2.04426310338993978564e-15,
    1.42151175831644588870e-7,
    1.84631831751005468180e-5,
    7.86869131145613259100e-4,
    1.48753612908506148525e-2,
    1.36929880922735805310e-1,
    5.99832206555887937690e-1,
    1.0,
]


def portable_ndtr(z: Array) -> tuple[Array, Array]:
    """Phi(z) and 1 - Phi(z), each precise where it is small, float64.

    >>> [float(side[0].round(6)) for side in portable_ndtr(np.array([-1.0]))]
    [0.158655, 0.841345]
    """
    y = np.minimum(np.abs(np.asarray(z, dtype=np.float64)) * HALF_ROOT, FAR)
    square = y * y
    small = 1.0 - y * _quotient(ERF_A, ERF_B, np.minimum(square, NEAR * NEAR))
    tail = portable_exp(-square)
    middle = tail * _quotient(ERFC_C, ERFC_D, np.minimum(y, MIDDLE))
    w = 1.0 / np.maximum(square, MIDDLE * MIDDLE)
    far = tail * ((PER_ROOT_PI - w * _quotient(ERFC_P, ERFC_Q, w)) / np.maximum(y, MIDDLE))
    beyond = np.where(y <= NEAR, small, np.where(y <= MIDDLE, middle, far)) / 2
    return np.where(z < 0, beyond, 1.0 - beyond), np.where(z < 0, 1.0 - beyond, beyond)


def portable_score(reached: Array, over: Array) -> Array:
    """The z with Phi(z) = reached = 1 - over, from the smaller of the two; infinite where that is 0.

    >>> portable_score(np.array([0.5, 1e-20]), np.array([0.5, 1.0])).round(4).tolist()
    [0.0, -9.2623]
    """
    p = np.minimum(reached, over)
    q = 0.5 - p
    inner = q * _quotient(SCORE_A, SCORE_B, np.maximum(0.180625 - q * q, 0.0))
    r = np.sqrt(-portable_log(np.maximum(p, 1e-300)))
    outer = np.where(
        r <= 5.0, _quotient(SCORE_C, SCORE_D, np.minimum(r, 5.0) - 1.6), _quotient(SCORE_E, SCORE_F, r - 5.0)
    )
    size = np.where(p > 0, np.where(q <= 0.425, inner, outer), np.inf)
    return np.asarray(np.where(reached < over, -size, size))


def _quotient(above: Sequence[float], below: Sequence[float], x: Array) -> Array:
    """A quotient of two polynomials, the highest power first."""
    return np.asarray(_polynomial(above, x) / _polynomial(below, x))


def _polynomial(terms: Sequence[float], x: Array) -> Array:
    total = np.full_like(x, terms[0])
    for term in terms[1:]:
        total = total * x
        total = total + term
    return total
