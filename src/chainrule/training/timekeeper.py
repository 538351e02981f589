"""Keeping a training within its time: steps and validations are measured while it runs, and its end is moved.

    steps = steps so far + (time left - last validation) / (seconds of a step + its share of a validation)

The end is moved where that differs by more than a hundredth of the time or so. Every such decision is written down
before it counts, and taken again from the record when there is one; without a clock nothing else is decided.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager

from chainrule.training.budget import Speed, distance
from chainrule.training.clock import Clock
from chainrule.training.decisions import Decision, Decisions
from chainrule.training.engine import Engine
from chainrule.training.schedule import Course

__all__ = ["Timekeeper"]

TOLERANCE = 0.01  # of the time, and as much again of what is left of it,
TOLERANCE_OF_REST = 0.04  # by which the end may be off
LOOKS = 100  # times that the clock is looked at in a training, and
LAST_LOOKS = 8  # times again in what is left, whatever it is
MEMORY = 0.9  # weight of the seconds before those since the last look
ROUND = 0.25  # of a step that may end after the time


class Timekeeper:
    """The course of one training.

    course: the course as it was planned, then as it was decided last.
    decisions: the record; decisions in it are taken again.
    engine: the processes that take part; the first one decides for all.
    clock: seconds that count; None where only the record decides.
    begun, end: seconds on the clock between which the training has to run.
    speed: what steps and validations took before.
    most: largest number of steps.
    evaluate_every: number of steps between validations where it is given; None to choose it by their cost.
    """

    def __init__(
        self,
        course: Course,
        decisions: Decisions | None = None,
        engine: Engine | None = None,
        *,
        clock: Clock | None = None,
        begun: float = 0.0,
        end: float = math.inf,
        speed: Speed | None = None,
        most: int | None = None,
        evaluate_every: int | None = None,
    ) -> None:
        self.course, self.clock, self.begun, self.end = course, clock, begun, end
        self.decisions = Decisions() if decisions is None else decisions
        self.engine = Engine() if engine is None else engine
        self.most, self.evaluate_every = most, evaluate_every
        self.validation = speed.validation if speed is not None else 0.0
        self._seconds, self._steps = (speed.step, 1.0) if speed is not None else (0.0, 0.0)
        self._recorded = {e["at"]: e for e in self.decisions.entries if e["about"] == "steps"}
        self._last = max(self._recorded, default=-1)
        self._asks = clock is not None and not self.decisions.closed
        self._since, self._at, self._next = clock() if self._asks and clock is not None else 0.0, 0, 0

    def go_on(self, step: int) -> None:
        """Take all decisions up to a step again."""
        for at in sorted(at for at in self._recorded if at <= step):
            self._take(self._recorded[at])
        self._at = self._next = step

    def look(self, step: int) -> Course:
        """The course after a step, when it was the right time to look at the clock also by the time that is left."""
        if (recorded := self._recorded.get(step)) is not None:
            if step > self.course.since or self.course.since == step == 0:
                self._take(recorded)
        elif self._asks and step > self._last and step >= self._next:
            decided = self.engine.of_first(lambda: self._decided(step))
            if decided["steps"] is not None:
                self._take(self.decisions.add("steps", at=step, **decided))
            left = self.course.steps - step
            self._next = step + max(1, min(self.course.steps // LOOKS, left // LAST_LOOKS))
        return self.course

    @contextmanager
    def validating(self) -> Iterator[None]:
        """Around a validation: its seconds are not those of a step."""
        if self.clock is None:
            yield
            return
        begun = self.clock()
        yield
        took = self.clock() - begun
        self._since += took
        self.validation = took

    def _take(self, decided: Decision) -> None:
        self.course = self.course.revised(decided["at"], decided["steps"], decided["evaluate_every"])

    def _decided(self, step: int) -> Decision:
        """The number of steps by the clock; None in it where the end is near enough."""
        now = 0.0 if self.clock is None else self.clock()
        if step > self._at:
            self._seconds = MEMORY * self._seconds + now - self._since
            self._steps = MEMORY * self._steps + step - self._at
            self._since, self._at = now, step
        if not self._steps:
            return {"steps": None}
        pace = max(self._seconds / self._steps, 1e-9)
        left = max(0.0, self.end - now - self.validation)
        every = self.evaluate_every or distance(pace, self.validation, left / pace + step)
        more = math.floor(left / (pace + self.validation / every) + ROUND)
        steps = max(1, step, min(step + more, self.most or step + more))
        off = abs(steps - self.course.steps) * pace
        near = TOLERANCE * (self.end - self.begun) + TOLERANCE_OF_REST * left
        if steps == self.course.steps or (off < near and steps > step):
            return {"steps": None}
        measured = {"seconds": now, "step_seconds": pace, "validation_seconds": self.validation}
        return {"steps": steps, "evaluate_every": min(every, steps), **measured}
