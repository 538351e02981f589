"""Speed: how much of a model can be tried in the time, so that a quick verification is quick for a large model too.

The unit is one scoring of the first L elements of one example, timed for L = 4, 8, 16, ... until it takes too long.
Checks that need few passes then look at many elements, checks that need many look at few, and a loop over perturbations
ends when its time is over, after one at least.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from math import inf
from time import perf_counter
from typing import TypeVar

import torch

from chainrule.verification.certificate.subject import Subject, fewer, shorter

__all__ = ["ScoringTime", "within"]

Item = TypeVar("Item")


def within(items: Iterable[Item], seconds: float = inf) -> Iterator[Item]:
    """The first of the items, and the others until the time is over.

    >>> list(within("abc", seconds=0.0)), list(within("abc"))
    (['a'], ['a', 'b', 'c'])
    """
    start = perf_counter()
    for number, item in enumerate(items):
        if number and perf_counter() - start > seconds:
            return
        yield item


class ScoringTime:
    """Seconds of one scoring of the first L elements of an example, for L = 4, 8, 16, ... and D.

    subject: what is timed.
    limit: seconds of a scoring after which no more elements are tried.
    """

    def __init__(self, subject: Subject, limit: float) -> None:
        self.seconds: dict[int, float] = {}
        one, length = fewer(subject, 1), 4
        while True:
            seen = shorter(one, length)
            score = seen.scores or seen.outputs
            begin = perf_counter()
            with torch.no_grad():
                x = seen.elements(0)
                start = perf_counter()
                score(x, seen.context)
            self.seconds[seen.length] = perf_counter() - start
            if seen.length == subject.length or perf_counter() - begin > limit:
                return
            length *= 2

    def length(self, seconds: float) -> int:
        """The most elements that are scored in so many seconds, the fewest that were timed if none are."""
        return max((n for n, taken in self.seconds.items() if taken <= seconds), default=min(self.seconds))

    def elements(self, seconds: float) -> int:
        """How many elements can be scored in so many seconds, in one batch or in several."""
        length, taken = max(self.seconds.items())
        return int(seconds / taken * length)
