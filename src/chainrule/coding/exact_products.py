"""Products of matrices that are the same bits on every machine, whatever the order in which they are added up.

Where all factors are whole multiples of a power of two, and the absolute values of a sum's terms stay below 2^53 of its
smallest steps, float64 holds every partial sum exactly: in any order, with fused operations, in any batch. So weights
are rounded to multiples of 2^-s, with the largest s for which that is certain for all inputs within their bounds.
"""

from __future__ import annotations

import numpy as np

from chainrule.batch import Array
from chainrule.errors import InputError

__all__ = ["STEP_BITS", "ExactProduct", "on_grid"]

STEP_BITS = 16  # of what enters a product: multiples of 2^-16
WHOLE_BITS = 53  # of a float64
FINEST = 40  # bits of weights, beyond which they are as good as they were
COARSEST = 2.0**-8  # step of the weights in units of the largest, beyond which the product would be another


def on_grid(x: Array, bits: int = STEP_BITS) -> Array:
    """The nearest multiples of 2^-bits, halves to the even one.

    >>> on_grid(np.array([0.3, -1.75]), 1).tolist()
    [0.5, -2.0]
    """
    steps = np.asarray(x * 2.0**bits)
    np.rint(steps, out=steps)
    steps *= 2.0**-bits
    return steps


class ExactProduct:
    """x -> x W for x of multiples of 2^-16 with |x_k| <= bound_k: its sums are exact, and W is rounded once.

    weight: W, shape (..., K, N); several matrices are rounded to the same steps.
    bound: largest absolute value of each input, shape (..., K).

    Raises InputError where so many or so large inputs leave the weights less than eight bits.

    >>> product = ExactProduct(np.array([[1.0], [1 / 3]]), np.array([4.0, 4.0]))
    >>> round(float(product.of(np.array([[1.0, 3.0]]))[0, 0]), 8), product.largest.round(8).tolist()
    (2.0, [5.33333333])
    """

    def __init__(self, weight: Array, bound: Array) -> None:
        weight = np.asarray(weight, dtype=np.float64)
        widest = float(_sums(np.abs(weight) + COARSEST * np.abs(weight).max(initial=0.0), bound).max(initial=0.0))
        _, exponent = np.frexp(widest)  # widest < 2^exponent
        bits = min(FINEST, WHOLE_BITS - STEP_BITS - int(exponent))
        if widest and 2.0**-bits > COARSEST * np.abs(weight).max():
            raise InputError(
                f"sums of up to {widest:.3g} leave too few bits for the weights of a network by whole numbers"
            )
        self.weight = on_grid(weight, bits)
        self.largest = _sums(np.abs(self.weight), bound)
        if float(self.largest.max(initial=0.0)) * 2.0 ** (bits + STEP_BITS) > 2.0**WHOLE_BITS:
            raise AssertionError("a sum could be inexact")  # a fault of ours

    def of(self, x: Array, *which: int | slice) -> Array:
        """x W, exact, shape (B, N). which: of several matrices the one, and the part of it."""
        return np.asarray(x @ self.weight[which])


def _sums(size: Array, bound: Array) -> Array:
    """sum_k bound_k size_kn, one term after the other, so that even these are the same everywhere, shape (..., N)."""
    return np.asarray(np.cumsum(bound[..., :, None] * size, -2)[..., -1, :])
