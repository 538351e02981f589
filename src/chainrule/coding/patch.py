"""The difference between a file and what is known to come close to it, and the file again.

The close one is read from its beginning to its end: so many bytes are taken, so many left out, and so many others stand
in between. What is the same costs next to nothing.
"""

from __future__ import annotations

import numpy as np

from chainrule.coding.whole_numbers import numbers, read_numbers
from chainrule.errors import DamagedArchive

__all__ = ["difference", "patched"]

# bytes that have to be the same again, how far they are looked for, and at every which place
WINDOWS = ((8, 64, 1), (16, 1024, 1), (32, 1 << 16, 16))
LOST = 16  # times that nothing was found again, after which the rest is taken as it is


def difference(close: bytes, wanted: bytes) -> bytes:
    r"""What `patched` needs, beside the close bytes, to give the wanted ones.

    >>> patched(b"a,b\n1,2\n", difference(b"a,b\n1,2\n", b"a,b\r\n1,2.0\n"))
    b'a,b\r\n1,2.0\n'
    """
    take: list[int] = []
    skip: list[int] = []
    put: list[int] = []
    pieces: list[bytes] = []
    i = j = lost = 0
    while j < len(wanted):
        same = _same(close, i, wanted, j)
        i, j = i + same, j + same
        left, more = _meet(close, i, wanted, j) if lost < LOST else (len(close) - i, len(wanted) - j)
        lost += left == len(close) - i and more == len(wanted) - j
        take.append(same)
        skip.append(left)
        put.append(more)
        pieces.append(wanted[j : j + more])
        i, j = i + left, j + more
    return b"".join([numbers(take), numbers(skip), numbers(put), *pieces])


def patched(close: bytes, change: bytes) -> bytes:
    """The wanted bytes of a `difference`; raises DamagedArchive where it does not belong to the close ones."""
    take, at = read_numbers(change, 0)
    skip, at = read_numbers(change, at)
    put, at = read_numbers(change, at)
    if not len(take) == len(skip) == len(put) or sum(take) + sum(skip) > len(close) or sum(put) != len(change) - at:
        raise DamagedArchive("a difference does not belong to what it changes; the archive is damaged, fetch it again")
    parts, place = [], 0
    for same, left, more in zip(take, skip, put, strict=True):
        parts += [close[place : place + same], change[at : at + more]]
        place, at = place + same + left, at + more
    return b"".join(parts)


def _same(a: bytes, i: int, b: bytes, j: int) -> int:
    """The number of bytes that are the same from two places on."""
    start, size = 0, 64
    while True:
        x, y = a[i + start : i + start + size], b[j + start : j + start + size]
        if x != y:
            most = min(len(x), len(y))
            apart = np.frombuffer(x, np.uint8, most) != np.frombuffer(y, np.uint8, most)
            return start + (int(apart.argmax()) if apart.any() else most)
        if len(x) < size:
            return start + len(x)
        start, size = start + size, min(2 * size, 1 << 22)


def _meet(a: bytes, i: int, b: bytes, j: int) -> tuple[int, int]:
    """How many bytes each is to move on until both are the same again; to their ends where that is not found."""
    if i >= len(a) or j >= len(b):
        return len(a) - i, len(b) - j
    for length, far, step in WINDOWS:
        best: tuple[int, int] | None = None
        for more in range(0, min(far, len(b) - j - length + 1), step):
            if best is not None and more >= sum(best):
                break
            piece = b[j + more : j + more + length]
            reach = far if best is None else sum(best) - more
            left = a.find(piece, i, i + reach + length) - i
            if left >= 0 and (best is None or left + more < sum(best)):
                best = (left, more)
        if best is not None:
            return best
    return len(a) - i, len(b) - j
