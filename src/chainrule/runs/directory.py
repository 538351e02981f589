"""The old place of `Run`, kept until everything imports it from `runs.run`."""

from chainrule.runs.recalled import recalled
from chainrule.runs.run import Run

__all__ = ["Run", "recalled"]
