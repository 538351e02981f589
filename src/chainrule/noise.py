"""Uniform noise keyed by (seed, example, element): the randomness of every draw.

A sample must not depend on the batch it is drawn in, so its noise cannot come from a generator that is advanced from
draw to draw. It comes from a counter-based one instead: Philox4x32-10 (Salmon, Moraes, Dror, Shaw, *Parallel random
numbers: as easy as 1, 2, 3*, SC 2011), which maps a 128-bit counter and a 64-bit key to 128 bits that pass every known
statistical test.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

__all__ = ["philox", "uniforms"]

_MULTIPLIER = np.array([0xD2511F53, 0xCD9E8D57], dtype=np.uint64)
_WEYL = np.array([0x9E3779B9, 0xBB67AE85], dtype=np.uint64)
_LOW = np.uint64(0xFFFFFFFF)
_WORD = np.uint64(32)
_ROUNDS = 10


def philox(counter: tuple[npt.ArrayLike, ...], key: tuple[int, int]) -> tuple[npt.NDArray[np.uint64], ...]:
    """Philox4x32-10: four 32-bit words from a counter of four and a key of two.

    counter: four arrays of integers below 2^32, broadcast against each other.

    Returns four arrays of their shape.

    >>> [f"{int(word):08x}" for word in philox((0, 0, 0, 0), (0, 0))]
    ['6627e8d5', 'e169c58d', 'bc57ac4c', '9b00dbd8']
    """
    c0, c1, c2, c3 = np.broadcast_arrays(*(np.asarray(word, dtype=np.uint64) for word in counter))
    k0, k1 = (np.uint64(word) for word in key)
    for _ in range(_ROUNDS):
        product0, product1 = c0 * _MULTIPLIER[0], c2 * _MULTIPLIER[1]
        c0, c1, c2, c3 = (
            (product1 >> _WORD) ^ c1 ^ k0,
            product1 & _LOW,
            (product0 >> _WORD) ^ c3 ^ k1,
            product0 & _LOW,
        )
        k0, k1 = (k0 + _WEYL[0]) & _LOW, (k1 + _WEYL[1]) & _LOW
    return c0, c1, c2, c3


def uniforms(seed: int, examples: npt.ArrayLike, elements: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """Uniform draws in [0, 1) with 53 random bits, one for each (example, element).

    seed: any integer, taken modulo 2^64.
    examples: numbers of the examples, shape (B,).
    elements: numbers of the elements, shape (D,).

    Returns shape (B, D); entry (b, d) is a function of the seed, `examples[b]` and `elements[d]`.

    >>> all_at_once = uniforms(7, range(64), range(3))
    >>> bool((uniforms(7, [7], range(3)) == all_at_once[7]).all())
    True
    """
    example = np.asarray(examples, dtype=np.uint64)[:, None]
    element = np.asarray(elements, dtype=np.uint64)[None, :]
    seed %= 1 << 64
    high, low, _, _ = philox(
        (element & _LOW, element >> _WORD, example & _LOW, example >> _WORD), (seed & 0xFFFFFFFF, seed >> 32)
    )
    bits = (high << np.uint64(21)) | (low >> np.uint64(11))
    return bits.astype(np.float64) * 2.0**-53
