"""Groups of rows that must not be torn apart by a split: all rows of a customer, all measurements of a patient."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b

import numpy as np
import numpy.typing as npt

__all__ = ["NO_GROUP", "Groups"]

NO_GROUP = b"\0row "  # before the number of a row whose group is not known: it is a group of its own


@dataclass(frozen=True)
class Groups:
    """The group of each row.

    number: the number of the group of each row, shape (N,), from 0.
    keys: what identifies each group, whatever file it stands in, shape (J,).

    >>> groups = Groups(np.array([0, 0, 1, 2, 2, 2]), [b"ann", b"bob", b"cy"])
    >>> sorted(len(rows) for rows in groups.split((0.5, 0.25, 0.25)))
    [1, 2, 3]
    """

    number: npt.NDArray[np.int64]
    keys: Sequence[bytes]

    @property
    def names(self) -> list[bytes]:
        """The keys, empty for rows that belong to no group."""
        return [b"" if key.startswith(NO_GROUP) else key for key in self.keys]

    def split(self, shares: tuple[float, float, float], seed: int = 0) -> list[npt.NDArray[np.int64]]:
        """The numbers of the rows of train, valid and test: no group is in two of them.

        shares: of train, valid and test, of the rows; they hold as nearly as whole groups allow.
        seed: key of the order.

        The groups are put into a random order, which depends on their keys and the seed alone, and cut where the sizes
        add up to the shares. Every split that has a share gets a group if there are enough. A group that is larger than
        the share of valid or test is mostly in train.
        """
        ranks = [blake2b(key, digest_size=16, key=f"{seed}".encode()).digest() for key in self.keys]
        order = np.array(sorted(range(len(ranks)), key=lambda group: ranks[group]), dtype=np.int64)
        rows = np.cumsum(np.bincount(self.number, minlength=len(order))[order]).astype(np.int64)
        cuts = [_nearest(rows, share * len(self.number)) for share in np.cumsum(shares[:2])]
        part = np.empty(len(order), dtype=np.int64)
        part[order] = np.searchsorted(_filled(cuts, shares, len(order)), np.arange(len(order)), side="right")
        return [np.flatnonzero(part[self.number] == which) for which in range(3)]


def _nearest(rows: npt.NDArray[np.int64], wanted: float) -> int:
    """How many of the groups hold most nearly the wanted number of rows. rows: of the first 1, 2, ... groups."""
    return int(np.argmin(np.abs(np.concatenate([[0], rows]) - wanted)))


def _filled(cuts: Sequence[int], shares: tuple[float, float, float], groups: int) -> list[int]:
    """The two cuts, moved so that every split that has a share has a group, as far as there are groups."""
    wants = [share > 0 for share in shares]
    first = int(np.clip(cuts[0], 1, max(1, groups - wants[1] - wants[2])))
    second = int(np.clip(cuts[1], first + wants[1], max(first + wants[1], groups - wants[2])))
    return [first, second if wants[1] else first] if wants[2] else [first if wants[1] else groups, groups]
