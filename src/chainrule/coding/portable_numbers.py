"""Arithmetic whose every bit is the same on every machine.

Sums, products, quotients and comparisons in float64 are fixed by IEEE 754, one operation at a time; the exponentials
and logarithms of libraries are not, and neither are sums whose order depends on the processor. So these are ours.
"""

from __future__ import annotations

from math import factorial

import numpy as np

from chainrule.batch import Array

__all__ = [
    "LEAST",
    "halved_sum",
    "normalised",
    "ordered_sum",
    "portable_exp",
    "portable_log",
    "portable_sigmoid",
    "share_of_product",
]

LEAST = 1e-300  # smallest probability that is told from 0
LOG2_E = 1.4426950408889634
LN2_HIGH, LN2_LOW = 0.693147180369123816490, 1.90821492927058770002e-10  # the first has 21 zero bits at its end
TERMS = [1 / factorial(n) for n in range(14)]
ODD_TERMS = [2 / n for n in range(1, 26, 2)]
HALF_ROOT = 0.7071067811865476


def portable_exp(x: Array) -> Array:
    """e^x in float64 for x <= 0, from sums, products and powers of two alone, to 2 units in the last bit.

    >>> bool(np.allclose(portable_exp(np.array([0.0, -1.0, -700.0])), np.exp([0.0, -1.0, -700.0]), rtol=1e-15, atol=0))
    True
    """
    x = np.maximum(np.asarray(x, dtype=np.float64), -745.0)
    k = np.floor(x * LOG2_E + 0.5)
    r = x - k * LN2_HIGH
    r = r - k * LN2_LOW
    total = np.full_like(r, TERMS[-1])
    for term in reversed(TERMS[:-1]):
        total = total * r
        total = total + term
    return np.ldexp(total, k.astype(np.int64))


def portable_sigmoid(s: Array) -> Array:
    """1 / (1 + e^-s) for s of any sign, shape of s, float64."""
    e = portable_exp(-np.abs(np.asarray(s, dtype=np.float64)))
    return np.where(s >= 0, 1.0, e) / (1.0 + e)


def portable_log(x: Array) -> Array:
    """ln x in float64 for x > 0, from sums, products and quotients alone, to some units in the last bit.

    >>> bool(np.allclose(portable_log(np.array([1.0, 0.3, 1e-300])), np.log([1.0, 0.3, 1e-300]), rtol=1e-14, atol=0))
    True
    """
    m, k = np.frexp(np.asarray(x, dtype=np.float64))
    low = m < HALF_ROOT
    m, k = np.where(low, 2 * m, m), np.where(low, k - 1, k).astype(np.float64)
    z = (m - 1) / (m + 1)
    square = z * z
    total = np.full_like(z, ODD_TERMS[-1])
    for term in reversed(ODD_TERMS[:-1]):
        total = total * square
        total = total + term
    total = total * z
    total = total + k * LN2_LOW
    return np.asarray(total + k * LN2_HIGH)


def ordered_sum(x: Array) -> Array:
    """The sum over the last axis, one term after the other, an axis of 1 in its place."""
    return np.asarray(np.cumsum(x, -1)[..., -1:])


def halved_sum(x: Array) -> Array:
    """The sum over the last axis by adding its second half to its first until one is left, an axis of 1 in its place.

    >>> halved_sum(np.arange(5.0)).tolist()
    [10.0]
    """
    while (count := x.shape[-1]) > 1:
        half = (count + 1) // 2
        total = x[..., :half].copy()
        total[..., : count - half] += x[..., half:]
        x = total
    return x


def normalised(p: Array) -> Array:
    """Rows that sum to one."""
    return p / ordered_sum(p)


def share_of_product(a: Array, b: Array) -> Array:
    """a b, the largest entry of each row 1 and none below 1e-300; of two of these, some entry of a b is not 0."""
    product = a * b
    return np.maximum(product / product.max(-1, keepdims=True), LEAST)
