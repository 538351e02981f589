"""How many rows are distinct: what a split by content and a split at random disagree about."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from hashlib import blake2b

import numpy as np
import numpy.typing as npt

from chainrule.batch import Array
from chainrule.data.examples.random_split import mixed

__all__ = ["Pieces", "count_distinct", "row_hashes", "say_distinct"]

EXACT = 10**7  # rows up to which distinct ones are counted; of more, their number is estimated
SMALLEST = 1 << 16  # hash values that the estimate keeps
BLOCK = 1 << 18  # bytes hashed at once, few enough for the cache of a processor
FEW = 10  # repeats of which nothing is said
MANY = 0.01  # share of repeats from which on a split by content is another question than a split at random

Hashes = npt.NDArray[np.uint64]


@dataclass(frozen=True)
class Pieces:
    """Rows of numbers that stand in several arrays, each (n, D)."""

    arrays: Sequence[Array]

    def __len__(self) -> int:
        return sum(map(len, self.arrays))


Content = Array | Pieces | Sequence[bytes]


def row_hashes(content: Content) -> Iterator[Hashes]:
    """A hash of 64 bits of each row, in blocks.

    content: rows of numbers, shape (N, D), in one array or in pieces; or the bytes of each row.
    """
    if isinstance(content, Pieces):
        for part in content.arrays:
            yield from row_hashes(part)
        return
    if not isinstance(content, np.ndarray):
        digests = b"".join(blake2b(row, digest_size=8).digest() for row in content)
        yield np.frombuffer(digests, dtype=np.uint64)
        return
    width = content.itemsize * int(np.prod(content.shape[1:]))
    weights = mixed(np.arange(-(-width // 8), dtype=np.uint64)) | np.uint64(1)
    rows = max(1, BLOCK // max(1, width))
    for start in range(0, len(content), rows):
        block = np.ascontiguousarray(content[start : start + rows]).reshape(-1).view(np.uint8).reshape(-1, width)
        words = np.zeros((len(block), 8 * len(weights)), dtype=np.uint8)
        words[:, :width] = block
        yield mixed((mixed(words.view(np.uint64)) * weights).sum(1, dtype=np.uint64))


def count_distinct(content: Content, exact: int = EXACT) -> tuple[int, bool]:
    """How many rows are distinct, and whether that was counted; from more than `exact` rows it is an estimate.

    The estimate keeps the k smallest of the rows' hash values, uniform on [0, 1): of M distinct ones the k-th smallest
    is near k / M, so M is near (k - 1) / h_k, with a relative error of 1 / sqrt(k - 2), here 0.4 %.

    Paper: Bar-Yossef, Jayram, Kumar, Sivakumar, Trevisan, *Counting distinct elements in a data stream*, 2002.

    >>> count_distinct(np.array([[1, 2], [3, 4], [1, 2]]))
    (2, True)
    """
    if len(content) <= exact:
        hashes = list(row_hashes(content))
        return (_different(np.sort(np.concatenate(hashes))), True) if hashes else (0, True)
    kept = np.zeros(0, dtype=np.uint64)
    fresh: list[Hashes] = []
    for block in row_hashes(content):
        fresh.append(block[block < kept[-1]] if len(kept) == SMALLEST else block)
        if sum(map(len, fresh)) >= SMALLEST:
            kept, fresh = np.unique(np.concatenate([kept, *fresh]))[:SMALLEST], []
    kept = np.unique(np.concatenate([kept, *fresh]))[:SMALLEST]
    if len(kept) < SMALLEST:
        return len(kept), True
    return round((SMALLEST - 1) / (float(kept[-1]) / 2**64)), False


def _different(rising: Hashes) -> int:
    return len(rising) and 1 + int((rising[1:] != rising[:-1]).sum())


def say_distinct(how: str, content: Content, by_content: bool) -> str:
    """A note on a split with the number of distinct rows in it; warns where a split by content leaves repeats out.

    how: what the note says so far.
    content: what identifies each row.
    by_content: whether the rows were split by content.
    """
    total = len(content)
    distinct, counted = count_distinct(content)
    if distinct == total:
        return how
    if by_content and total - distinct > max(MANY * total, FEW):
        warnings.warn(
            f"of {total:,} examples only {distinct:,} are distinct, and a split by content puts all copies of an "
            "example into one split: test is a sample of distinct examples, not of the data; use "
            "--split random:80/10/10 if examples repeat because they are drawn so",
            stacklevel=2,
        )
    return f"{how}, {'' if counted else 'about '}{distinct:,} of {total:,} distinct"
