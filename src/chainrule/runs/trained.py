"""A plan carried out for its weights alone: nothing is scored, drawn or printed, and nothing is written."""

from __future__ import annotations

from chainrule.reporting.console import Console
from chainrule.runs.ensemble import average_of, train_members
from chainrule.runs.fit import Trained, train_one
from chainrule.runs.job import Job
from chainrule.runs.plan import Plan
from chainrule.runs.run import Run
from chainrule.training.clock import Clock
from chainrule.verification.certificate.check import Certificate

__all__ = ["trained_run"]

OURS = Certificate("a network of the package", ())  # which obeys every law; what is verified is what others wrote


def trained_run(plan: Plan) -> Run:
    """The run of a plan, in memory."""
    job = Job.begin(plan.settings.engine, Console(silent=True)).timed(Clock(), None, None)
    if plan.is_one:
        return train_one(plan, None, job, OURS).run
    trained = train_members(plan, None, job, OURS, scored=False)
    if isinstance(trained, Trained):
        return trained.run
    members = [part.run if isinstance(part, Trained) else part for part in trained.parts]
    model, _ = average_of(members, trained.plan, job)
    trained.run.save_model(model)
    return trained.run
