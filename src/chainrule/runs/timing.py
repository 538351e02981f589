"""The first plan of a time budget: how many models, how many steps of each, what training looks at; and what it took.

The plan is a decision like those that follow it: written down, and taken again from the record.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

from chainrule.config.defaults import MOST_DEFAULT_MEMBERS
from chainrule.data.examples.subset import elements_of
from chainrule.errors import RunError
from chainrule.models.base import Model
from chainrule.runs.job import Job
from chainrule.runs.plan import Plan
from chainrule.training.budget import Budget, Speed, planned, watched_share
from chainrule.training.trial import measured

__all__ = ["EXPERT_SHARE", "time_report", "time_said", "timed"]

EXPERT_SHARE = 0.5  # of the time that experts may take where there is a network beside them
PASSES = 8  # passes over the training data that each of several members must get
FEWEST_STEPS, FEWEST_PASSES = 100, 2  # a network beside an expert is worth its time from either of them on
TRIAL = 0.25  # of the time: where less is left, experts have it, and no network is tried
SHORT = 3  # times as few steps: here a quick expert is worth its time


def timed(plan: Plan, budget: Budget, model: Model, job: Job) -> Plan:
    """The plan with the steps, the members and the validation examples that fit its time.

    plan: the plan.
    budget: its time.
    model: the network before its first step, of which a copy is timed.
    job: the clock and the decisions.
    """
    entry = job.decisions.find("plan")
    if entry is None:
        if job.decisions.closed:
            raise RunError(f"{job.record}: its decisions are those of another kind of fit; give the same options")
        left = budget.until - job.clock()
        no_trial = plan.experts and "members" not in (plan.options or {}) and left < TRIAL * budget.seconds
        if job.engine.any(bool(no_trial)):
            speed = Speed(budget.seconds, budget.seconds, budget.seconds)
        else:
            speed = measured(model, plan.data.train, plan.data.valid, plan.settings, job.engine, left)
        decided = job.engine.of_first(lambda: _decided(plan, budget, speed, job.clock()))
        entry = job.decisions.add("plan", **decided)
    else:
        job.clock.go_on_from(max(job.clock(), entry["seconds"]))
    decided_plan = _as_decided(plan, budget, entry)
    _say(decided_plan, entry, job)
    return decided_plan


def _decided(plan: Plan, budget: Budget, speed: Speed, now: float) -> dict[str, Any]:
    """The plan as numbers."""
    share = max(0.0, budget.until - now) * (1 - EXPERT_SHARE if plan.experts else 1)
    settings, data = plan.settings, plan.data
    examples = len(data.train)
    most = None if settings.epochs is None else math.ceil(settings.epochs * examples / settings.batch_size)
    fewest = min(FEWEST_STEPS, math.ceil(FEWEST_PASSES * examples / settings.batch_size))
    members = _members(plan, share, speed, most)
    each = share / max(1, members)
    valid, _ = elements_of(data.valid) if len(data.valid) else (0, 0)
    watched = watched_share(each, speed, valid)
    if watched is not None:
        speed = replace(speed, validation=speed.validation * watched / valid)
    steps, every = planned(each, speed, budget.evaluate_every)
    if plan.experts and "members" not in (plan.options or {}) and steps < fewest:
        members = 0
    return {
        "seconds": now,
        "members": members,
        "quick": int(plan.quick is not None and steps < SHORT * fewest),
        "steps": steps,
        "evaluate_every": every,
        "by_hand": budget.evaluate_every,
        "most": most,
        "valid_examples": watched,
        "first_seconds": speed.first,
        "step_seconds": speed.step,
        "validation_seconds": speed.validation,
    }


def _members(plan: Plan, share: float, speed: Speed, most: int | None) -> int:
    """How many models share the time: as given, else as many as get enough passes, and more where these are all."""
    if "members" in (plan.options or {}) or plan.members == 1:
        return plan.members
    steps = share / speed.step
    enough = PASSES * len(plan.data.train) / plan.settings.batch_size
    members = max(1, min(plan.members, int(steps // enough)))
    if most is not None:
        members = max(members, min(MOST_DEFAULT_MEMBERS, int(steps // most)))
    return members


def _as_decided(plan: Plan, budget: Budget, entry: dict[str, Any]) -> Plan:
    """The plan by the numbers that were decided; its budget holds the speed and the largest number of steps."""
    speed = Speed(*(entry[f"{name}_seconds"] for name in ("first", "step", "validation")))
    budget = replace(budget, speed=speed, most=entry["most"], evaluate_every=entry["by_hand"])
    settings = replace(plan.settings, steps=entry["steps"], evaluate_every=entry["evaluate_every"])
    settings = settings.at_most(entry["most"])  # a run that goes on no longer says its --epochs
    settings = settings.bounded(len(plan.data.train))
    members, watched = entry["members"], entry["valid_examples"]
    experts = (plan.quick,) if plan.quick and entry.get("quick") else plan.experts
    return replace(
        plan, settings=settings, budget=budget, members=members, experts=experts, quick=None, valid_examples=watched
    )


def _say(plan: Plan, entry: dict[str, Any], job: Job) -> None:
    """The plan in words."""
    if not plan.members:
        return
    settings, minutes = plan.settings, 0 if plan.budget is None else plan.budget.minutes
    each = "" if plan.members == 1 else f" for each of {plan.members} members"
    job.console.print(
        f"budget: {minutes:.3g} minutes from the start of the command; about {settings.steps} steps of "
        f"{entry['step_seconds']:.2g} s{each}, validated every {settings.evaluate_every} in "
        f"{entry['validation_seconds']:.2g} s; corrected while training runs"
    )
    if settings.steps == entry["most"]:
        job.console.print(
            f"at most {plan_passes(plan):g} passes over the data, which are {entry['most']} steps (--epochs)"
        )
    if plan.valid_examples is not None:
        job.console.print(
            f"training is validated on {plan.valid_examples:,} of {elements_of(plan.data.valid)[0]:,} examples, evenly "
            "apart: all of them would cost more than a twentieth of the time"
        )


def plan_passes(plan: Plan) -> float:
    """The passes over the training data that the steps of a plan are."""
    return round(plan.settings.steps * plan.settings.batch_size / max(1, len(plan.data.train)), 1)


def time_report(budget: Budget, used: float, job: Job) -> dict[str, Any]:
    """What `report.json` says of the time: the seconds up to the last step of training, and those that are apart."""
    apart = {name: round(seconds, 3) for name, seconds in job.clock.apart.items()}
    return {"minutes": budget.minutes, "used_seconds": round(used, 3), "apart_seconds": apart}


def time_said(time: dict[str, Any]) -> str:
    """The same in words."""
    whole, used = 60 * time["minutes"], time["used_seconds"]
    apart = ", ".join(f"{name} {seconds:.1f} s" for name, seconds in time["apart_seconds"].items())
    return f"time: {used:.1f} of {whole:.3g} s up to the last step of training ({used / whole:.0%}); apart: {apart}"
