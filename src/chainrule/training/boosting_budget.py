"""How boosting spends a limited time: stumps for every element first, then trees, where they are to say most.

    1. stumps for all decisions at once, in as many rounds as a part of the time takes
    2. trees, element by element: first those about which the stumps leave most to be known; each has a few times its
       share of what is left, and where its time is over before it has gained on the stumps, they stay

Trees that come to their own end are the same as without a limit. Every end that the clock made is written down.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Protocol

import numpy as np

from chainrule.batch import Array
from chainrule.training.allowance import Allowance
from chainrule.training.decisions import Decision
from chainrule.training.lightgbm_trees import Boosted, Settings, boost, load_library
from chainrule.training.stumps import ROUNDS, Stumps, boosted_stumps

__all__ = ["BoostingBudget", "Turn"]

STUMP_SHARE = 0.3  # of the time, at most, for stumps, and
STUMP_ROUNDS = 6  # rounds that are always made, and
STUMP_WORK = 2e10  # multiplications of a small table that are always made
LIBRARY_SECONDS = 4.0  # without so much time the library that grows trees is not even loaded, and stumps have it all
FAIR = 3.0  # times its share of the time that an element may take
SOME = 20  # elements whose inputs cost about as much as what does not depend on them
FEW_ROUNDS = 60  # below, each round adds more
FASTEST = 0.3  # largest learning rate
BLOCK = 1 << 26  # numbers of the answers about a block of elements


class Elements(Protocol):
    """What is boosted: the rows, and the decisions about each element."""

    train: Array
    valid: Array
    settings: Settings

    def answers(self, d: int) -> tuple[Array, Array]:
        """The decisions about an element of every training and validation row."""


class BoostingBudget:
    """The time of boosting, and the order of the elements in it.

    allowance: the time and the record.
    boosting: what is boosted.
    """

    def __init__(self, allowance: Allowance, boosting: Elements) -> None:
        self.allowance, self.boosting = allowance, boosting
        self.with_trees = allowance.left() >= LIBRARY_SECONDS
        self.stumps = self._stumps()
        if self.with_trees:
            load_library()
        loss = np.array([float(stumps.loss.sum()) for stumps in self.stumps])
        self.order = np.argsort(-loss, kind="stable").tolist()
        inputs = np.arange(len(loss)) + SOME
        used = np.array([max(1, int((stumps.loss > 0).sum())) for stumps in self.stumps])
        self.weight = inputs * np.log2(1 + used) * (np.arange(len(loss)) > 0)
        self.rest = np.cumsum(self.weight[self.order][::-1])[::-1]  # of an element and those after it
        self.done = 0
        self.per_round: list[float] = []  # seconds per weight of a round, of each fit

    def _stumps(self) -> list[Stumps]:
        """Stumps for every element, block by block of elements."""
        boosting, allowance = self.boosting, self.allowance
        length, begun = boosting.train.shape[1], allowance.left()
        found: list[Stumps] = []
        while len(found) < length:
            first, parts = len(found), [boosting.answers(len(found))]
            while first + len(parts) < length and (len(parts) + 1) * parts[0][0].size <= BLOCK:
                parts.append(boosting.answers(first + len(parts)))
            answers, of_valid = (np.concatenate(side, 1) for side in zip(*parts, strict=True))
            each = parts[0][0].shape[1]
            element = np.repeat(np.arange(first, first + len(parts)), each)
            share = (STUMP_SHARE if self.with_trees else 1.0) * begun * (first + len(parts)) / length
            recorded, ended = allowance.recorded("stumps", first), [ROUNDS]

            used = np.abs(answers).max(0) + np.abs(of_valid).max(0) > 0
            least = max(STUMP_ROUNDS, STUMP_WORK / (4 * len(answers) * max(1, int(used.sum())) ** 2))

            def go_on(
                done: int,
                record: Decision | None = recorded,
                ended: list[int] = ended,
                least: float = least,
                end: float = share,
            ) -> bool:
                if record is not None:
                    return done < record.get("rounds", ROUNDS)
                ended[0] = ROUNDS if done < least or begun - allowance.left() < end else done
                return ended[0] == ROUNDS

            stumps = boosted_stumps(
                boosting.train, answers[:, used], (boosting.valid, of_valid[:, used]), element[used], go_on
            ).spread(used)
            if recorded is None:
                allowance.decide("stumps", first, rounds=ended[0])
            found += [stumps.part(k * each, (k + 1) * each) for k in range(len(parts))]
        return found

    def element(self) -> int:
        """The element whose turn it is."""
        return int(self.order[self.done])

    def turn(self, d: int) -> Turn:
        """The turn of an element."""
        share = FAIR * self.weight[d] / max(1e-9, float(self.rest[self.done]))
        self.done += 1
        return Turn(self, d, min(1.0, share) * max(0.0, self.allowance.left()))


class Turn:
    """The fitting of one element.

    budget: the whole of the time.
    d: the element.
    seconds: what it may take.
    """

    def __init__(self, budget: BoostingBudget, d: int, seconds: float) -> None:
        self.budget, self.d = budget, d
        self.stumps = budget.stumps[d]
        self.recorded = budget.allowance.recorded("trees", d)
        self.ends: list[int | None] = []
        self.seconds, self.rest = seconds, budget.allowance.left() - seconds
        self.rate = self._rate()

    def _rate(self) -> float:
        """The learning rate: larger where there is time for a few rounds only."""
        usual = self.budget.boosting.settings.learning_rate
        if self.recorded is not None:
            return float(self.recorded.get("rate", usual))
        if not self.budget.per_round:
            return usual
        rounds = self.seconds / max(1e-9, float(np.median(self.budget.per_round)) * self.budget.weight[self.d])
        return usual if rounds >= FEW_ROUNDS else min(FASTEST, usual * FEW_ROUNDS / max(1.0, rounds))

    def boost(self, rows: tuple[Array, Array], valid: tuple[Array, Array], decisions: Sequence[int]) -> Boosted | None:
        """Trees for the decisions of one level; None where stumps are better, or there is no time."""
        settings = replace(self.budget.boosting.settings, learning_rate=self.rate)
        left = self.budget.allowance.left
        limit: int | None = None
        if self.recorded is not None:
            ends = self.recorded.get("rounds", [])
            limit = ends[len(self.ends)] if len(self.ends) < len(ends) else None
        elif left() <= self.rest or not self.budget.with_trees:
            limit = 0
        if limit == 0:
            self.ends.append(0)
            return None
        begun, decided = left(), self.recorded is not None
        settings = settings if limit is None else replace(settings, rounds=limit)
        boosted = boost(rows, valid, settings, lambda: not decided and left() <= self.rest)
        self.budget.per_round.append((begun - left()) / boosted.rounds / max(1.0, self.budget.weight[self.d]))
        cut = boosted.late or limit is not None
        self.ends.append(boosted.rounds if cut else None)
        asked = len(valid[1]) / max(1, len(self.budget.boosting.valid))
        if cut and float(self.stumps.loss[list(decisions)].sum()) <= boosted.loss * asked:
            return None
        return boosted

    def close(self) -> None:
        """Write down what the clock decided."""
        if self.recorded is None:
            self.budget.allowance.decide("trees", self.d, rate=self.rate, rounds=self.ends)
