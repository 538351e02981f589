"""Row numbers in a random order that is computed, not stored: a keyed bijection of {0, ..., N-1}.

Row n stands at place pi(n) of a random order, and its place decides its split. Whether two rows are equal plays no
part, so every split is a simple random sample of the rows: what an i.i.d. source gives stays i.i.d.

pi is a Feistel network on Z_a x Z_b, with a b >= N, that is walked until it lands below N.

Papers: Luby and Rackoff, *How to construct pseudorandom permutations from pseudorandom functions*, 1988; Black and
Rogaway, *Ciphers with arbitrary finite domains*, 2002 (the generalised Feistel network and cycle walking).
"""

from __future__ import annotations

from math import isqrt

import numpy as np
import numpy.typing as npt

__all__ = ["mixed", "places", "random_parts", "random_split"]

ROUNDS = 8
CHUNK = 1 << 14  # rows whose places are computed at once, few enough for the cache of a processor

Numbers = npt.NDArray[np.uint64]


def places(rows: npt.NDArray[np.int64], total: int, seed: int = 0) -> npt.NDArray[np.int64]:
    """The place pi(n) of each row in a random order of all rows, shape (n,).

    rows: row numbers in [0, total), shape (n,).
    total: N, how many rows there are.
    seed: key of the order, any integer; another seed, another order.

    >>> sorted(places(np.arange(10), 10).tolist())
    [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]
    """
    left_size = isqrt(max(total - 1, 0)) + 1
    right_size = -(-max(total, 1) // left_size)
    keys = mixed(np.arange(1, ROUNDS + 1, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15) ^ _key(seed))
    place = _feistel(rows.astype(np.uint64), left_size, right_size, keys)
    while (outside := place >= total).any():  # fewer than sqrt(N) + 1 of the a b places: rarely more than one walk
        place[outside] = _feistel(place[outside], left_size, right_size, keys)
    return place.astype(np.int64)


def random_split(
    total: int, shares: tuple[float, float, float], seed: int = 0
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Row numbers of train, valid and test, each in the order of the rows.

    total: N, how many rows there are.
    shares: of train, valid and test; they sum to one, and a split has its share of the rows to one row.
    seed: key of the order, see `places`.

    >>> [len(rows) for rows in random_split(1000, (0.8, 0.1, 0.1))]
    [800, 100, 100]
    """
    part = random_parts(total, shares, seed)
    train, valid, test = (np.flatnonzero(part == which) for which in range(3))
    return train, valid, test


def random_parts(total: int, shares: tuple[float, float, float], seed: int = 0) -> npt.NDArray[np.int8]:
    """The split of each row, 0 for train, 1 for valid and 2 for test, shape (total,).

    total, shares, seed: as for `random_split`.
    """
    borders = np.rint(np.cumsum(shares[:2]) * total).astype(np.int64)
    part = np.empty(total, dtype=np.int8)
    for start in range(0, total, CHUNK):
        rows = np.arange(start, min(start + CHUNK, total))
        part[start : start + CHUNK] = np.searchsorted(borders, places(rows, total, seed), side="right")
    return part


def _feistel(number: Numbers, left_size: int, right_size: int, keys: Numbers) -> Numbers:
    """The permutation of [0, a b): L, R = number div b, number mod b; each round adds F_k of one half to the other."""
    left, right = np.divmod(number, np.uint64(right_size))
    for k, key in enumerate(keys):
        if k % 2:
            right = _wrapped(right + mixed(left ^ key) % np.uint64(right_size), right_size)
        else:
            left = _wrapped(left + mixed(right ^ key) % np.uint64(left_size), left_size)
    return left * np.uint64(right_size) + right


def _wrapped(number: Numbers, size: int) -> Numbers:
    """The remainder of numbers below 2 size: a division takes longer."""
    return np.minimum(number, number - np.uint64(size))  # below size the difference wraps round and is the larger


def mixed(z: Numbers) -> Numbers:
    """64 bits from 64 bits, each depending on all of them: the finaliser of SplitMix64 (Steele, Lea, Flood, 2014)."""
    z = z + np.uint64(0x9E3779B97F4A7C15)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))


def _key(seed: int) -> np.uint64:
    return mixed(np.array([seed % 2**64], dtype=np.uint64))[0]
