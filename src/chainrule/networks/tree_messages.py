"""Which messages of a tree are computed when, where its elements become known one after the other, in any order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

__all__ = ["Message", "Schedule", "neighbours_of", "reach_of", "schedule_of"]


@dataclass(frozen=True)
class Message:
    """What the elements that are known on one side of an edge say about the element at its other end.

    source, target: the ends of the edge, both not known yet.
    known: how many of the lower neighbours of the source are known.
    inputs: numbers of the messages to the source from its other neighbours.
    level: 0 where there are no inputs, otherwise one more than the highest level among them.
    """

    source: int
    target: int
    known: int
    inputs: tuple[int, ...]
    level: int


@dataclass
class Schedule:
    """The messages in the order of time.

    messages: all of them.
    begins: the number of the first message that is new when an element is about to be known, and, last, how many
        messages there are, D + 1 numbers.
    inputs: for each element the numbers of the messages to it at that time, from neighbours that come later.
    """

    messages: list[Message] = field(default_factory=list)
    begins: list[int] = field(default_factory=list)
    inputs: list[tuple[int, ...]] = field(default_factory=list)


def neighbours_of(parent: Sequence[int]) -> list[list[int]]:
    """The neighbours of each vertex of a forest in which a root is its own parent, sorted.

    >>> neighbours_of([0, 2, 0])
    [[2], [2], [0, 1]]
    """
    neighbours: list[list[int]] = [[] for _ in parent]
    for child, other in enumerate(parent):
        if other != child:
            neighbours[child].append(other)
            neighbours[other].append(child)
    return [sorted(beside) for beside in neighbours]


def schedule_of(parent: Sequence[int]) -> Schedule:
    """The messages that the elements of a forest need, each known after those before it.

    A message is computed again only where something new is known behind it, and only when it is asked for. From an
    element that is known nothing has to be computed, and where nothing is known there is no message.

    parent: the parent of each element, its own number for a root.

    >>> schedule = schedule_of([0, 2, 0])  # 0 - 2 - 1: what 0 says about 1 goes through 2
    >>> schedule.messages, schedule.inputs
    ([Message(source=2, target=1, known=1, inputs=(), level=0)], [(), (0,), ()])
    """
    return _Planner(neighbours_of(parent)).plan()


def reach_of(parent: Sequence[int]) -> int:
    """How far back any element of a forest looks: to what is known around those beside it that are not.

    >>> reach_of([0, 2, 0]), reach_of([0, 1, 2])
    (2, 0)
    """
    neighbours = neighbours_of(parent)
    joined = list(range(len(parent)))
    lowest = [min([d, *beside]) for d, beside in enumerate(neighbours)]

    def group(v: int) -> int:
        while joined[v] != v:
            joined[v] = joined[joined[v]]
            v = joined[v]
        return v

    reach = 0
    for d in reversed(range(len(parent))):  # what is not known before d joins those after it
        for v in neighbours[d]:
            if v > d:
                other = group(v)
                lowest[d] = min(lowest[d], lowest[other])
                joined[other] = d
        reach = max(reach, d - lowest[d])
    return reach


class _Planner:
    """The state of planning: which message of an edge is the newest, and which are no longer up to date."""

    def __init__(self, neighbours: list[list[int]]) -> None:
        self.neighbours = neighbours
        self.newest: dict[tuple[int, int], int] = {}
        self.stale: set[tuple[int, int]] = set()
        self.known = [0] * len(neighbours)  # lower neighbours that are known
        self.schedule = Schedule()

    def plan(self) -> Schedule:
        schedule = self.schedule
        for now, beside in enumerate(self.neighbours):
            schedule.begins.append(len(schedule.messages))
            later = [v for v in beside if v > now]
            for v in later:
                self._refresh(v, now, now)
            schedule.inputs.append(tuple(self.newest[v, now] for v in later if (v, now) in self.newest))
            for v in later:
                self.known[v] += 1
                self._outdate(now, v, now)
        schedule.begins.append(len(schedule.messages))
        return schedule

    def _outdate(self, source: int, target: int, now: int) -> None:
        """Something new is known at the source: what the target says to others is no longer up to date."""
        waiting = [(source, target)]
        while waiting:
            u, v = waiting.pop()
            for w in self.neighbours[v]:
                if w > now and w != u and (v, w) not in self.stale:
                    self.stale.add((v, w))  # what is stale has made all behind it stale before
                    waiting.append((v, w))

    def _refresh(self, source: int, target: int, now: int) -> None:
        """Bring the message of an edge up to date, those that it needs before it."""
        waiting = [(source, target, False)]
        while waiting:
            u, v, ready = waiting.pop()
            if (u, v) not in self.stale:
                continue
            others = [w for w in self.neighbours[u] if w > now and w != v]
            if not ready:
                waiting.append((u, v, True))
                waiting += [(w, u, False) for w in others if (w, u) in self.stale]
                continue
            inputs = tuple(self.newest[w, u] for w in others if (w, u) in self.newest)
            messages = self.schedule.messages
            level = 1 + max((messages[k].level for k in inputs), default=-1)
            self.newest[u, v] = len(messages)
            messages.append(Message(u, v, self.known[u], inputs, level))
            self.stale.remove((u, v))
