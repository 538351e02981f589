"""An ensemble: models of K seeds, each a run of its own, and the run of their average.

RUN/members/1, RUN/members/2, ...    runs like any other, of the seeds SEED, SEED + 1, ...
RUN                                  the ensemble, p(x_d | x_<d) = (1/K) sum_k p_k(x_d | x_<d)
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from chainrule.config.registry import averaged
from chainrule.errors import Interrupted
from chainrule.reporting.tables import member_table, result_table
from chainrule.reporting.visible import bold
from chainrule.runs.figures import evaluated
from chainrule.runs.fit import fit_one
from chainrule.runs.illustrate import write_samples
from chainrule.runs.job import Job
from chainrule.runs.new import placed
from chainrule.runs.plan import Plan
from chainrule.runs.run import Run
from chainrule.runs.start import started

__all__ = ["fit_members"]

SHARED = (
    "test_examples_in_train",
    "not_known",
    "baselines",
    "independent_elements",
)  # figures that all members have in common


def fit_members(plan: Plan, out: Path | None, job: Job) -> Run:
    """Train the members one after the other, then write the run of their average.

    A member that is finished when its turn comes is taken as it is, if it is of this data, model and training, else
    refused. The budget of the plan is for all members together.
    """
    share = None if plan.budget is None else plan.budget.shared(plan.members)
    _, settled = started(replace(plan, budget=share), job)
    run = placed(settled, out, job)
    members = [_member(settled.member(k), k, run, job) for k in range(plan.members)]
    with run.writing():
        _fill(run, members, plan, job)
    return run


def _member(plan: Plan, k: int, run: Run, job: Job) -> Run:
    """The finished run of member k."""
    place = None if run.path is None else run.path / "members" / f"{k + 1}"
    finished = place is not None and job.engine.any((place / "report.json").exists())
    if finished:  # wherever it was trained, it is this member
        return placed(plan, place, replace(job, resume=True))
    job.console.print(bold(f"member {k + 1}"), f", seed {plan.settings.seed}")
    try:
        return fit_one(plan, place, job.part())
    except Interrupted as end:
        raise Interrupted(str(end).replace(str(place), str(run.path)), end.code) from None


def _fill(run: Run, members: list[Run], plan: Plan, job: Job) -> None:
    """The ensemble's weights, figures and samples."""
    console = job.console
    model = averaged([member.chain() for member in members]).to(job.engine.device).eval()
    results = evaluated(model, plan.data, job.engine)
    if not job.engine.first:
        return
    run.save_model(model)
    reports = [member.report_dict or {} for member in members]
    figures: list[dict[str, Any]] = [
        {"seed": member.config["training"]["seed"], "kept_step": report["kept_step"], "seconds": report["seconds"]}
        | {"results": report["results"]}
        for member, report in zip(members, reports, strict=True)
    ]
    report = {
        "seconds": sum(report["seconds"] for report in reports),
        "results": {split: likelihood.to_json() for split, likelihood in results.items()},
        "members": figures,
    } | {name: reports[0][name] for name in SHARED if name in reports[0]}
    run.write_report(report)
    console.print(result_table(report["results"]))
    console.print(member_table(figures, report["results"]))
    console.print(f"samples: {', '.join(write_samples(run, model, plan.data, 'samples'))}")
    if run.path is not None:
        console.print("run directory: ", bold(run.name))
    console.result({"run": run.name} | report)
