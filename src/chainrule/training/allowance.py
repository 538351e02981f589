"""The time that fitting without gradients has, part by part; and what was decided of it."""

from __future__ import annotations

from chainrule.training.clock import Clock
from chainrule.training.decisions import Decision, Decisions

__all__ = ["Allowance"]


class Allowance:
    """Seconds that are left, and the decisions that follow from them.

    decisions: the record; what is in it is decided again.
    clock: seconds that count.
    until: seconds on the clock at which fitting is to end.
    """

    def __init__(self, decisions: Decisions, clock: Clock, until: float) -> None:
        self.decisions, self.clock, self.until = decisions, clock, until
        self._recorded = {(entry["about"], entry.get("at")): entry for entry in decisions.entries}

    def left(self) -> float:
        """Seconds that are left."""
        return self.until - self.clock()

    def recorded(self, about: str, at: int) -> Decision | None:
        """The decision about a part in the record; one that says nothing, where the record has come to its end."""
        nothing: Decision | None = {} if self.decisions.closed else None
        return self._recorded.get((about, at), nothing)

    def decide(self, about: str, at: int, **fields: object) -> Decision:
        """Write a decision down."""
        return self.decisions.add(about, at=at, seconds=self.clock(), **fields)
