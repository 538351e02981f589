"""The time of one training among those of a run: from when to when, by the clock or by the record."""

from __future__ import annotations

from dataclasses import dataclass

from chainrule.runs.job import Job
from chainrule.runs.plan import Plan
from chainrule.training.decisions import END

__all__ = ["PartTime", "time_of"]


@dataclass(frozen=True)
class PartTime:
    """When one training runs.

    job: whose clock and decisions they are.
    begun: seconds on the clock at which it began.
    until: seconds on the clock at which it is to end; None where only the record decides.
    valid_examples: the number of validation examples that it looks at; None for all.
    """

    job: Job
    begun: float = 0.0
    until: float | None = None
    valid_examples: int | None = None

    def close(self) -> None:
        """Write down that nothing more is decided."""
        decisions = self.job.decisions
        if self.until is not None and decisions.find(END) is None:
            decisions.add(END, **self.job.engine.of_first(lambda: {"seconds": self.job.clock()}))


def time_of(plan: Plan, job: Job, spent: float = 0.0) -> PartTime:
    """The time of a training that begins, or goes on.

    plan: the plan of the training.
    job: its clock and its decisions.
    spent: seconds of training before it was interrupted; the clock goes on from there.
    """
    entry = job.decisions.find("begin")
    if entry is None:
        if plan.budget is None:
            return PartTime(job, valid_examples=plan.valid_examples)
        until, watched = plan.budget.until, plan.valid_examples
        decided = job.engine.of_first(lambda: {"seconds": job.clock(), "until": until, "valid_examples": watched})
        entry = job.decisions.add("begin", **decided)
    elif spent:
        job.clock.go_on_from(max(job.clock(), entry["seconds"] + spent))
    return PartTime(job, entry["seconds"], None if plan.budget is None else entry["until"], entry["valid_examples"])
