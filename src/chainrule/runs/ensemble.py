"""An ensemble: models of K seeds and experts, each a run of its own, and the run of their average.

RUN/members/1, RUN/members/2, ...    runs like any other, of the seeds SEED, SEED + 1, ...
RUN/members/boosted_trees            an expert: a network that is fitted without gradients
RUN                                  the average, p(x_d | x_<d) = sum_k w_k p_k(x_d | x_<d)

Models of several seeds have equal weights; with an expert the weights are those that are best on validation data, and
depend on the context where the expert knows its kind, as n-grams do.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from torch import Tensor

from chainrule.config.registry import averaged_parts, fitted_by_gradients
from chainrule.errors import Interrupted
from chainrule.models.chain import AutoregressiveModel
from chainrule.reporting.tables import member_table, result_table
from chainrule.reporting.visible import bold
from chainrule.runs.figures import evaluated
from chainrule.runs.fit import fit_one
from chainrule.runs.illustrate import write_samples
from chainrule.runs.job import Job
from chainrule.runs.lock import only_writer
from chainrule.runs.new import placed
from chainrule.runs.plan import Plan
from chainrule.runs.run import Run
from chainrule.runs.start import started
from chainrule.runs.train import OutOfTime
from chainrule.training.budget import TooShort
from chainrule.training.weighing import found_weights

__all__ = ["fit_members"]

SHARED = (
    "test_examples_in_train",
    "not_known",
    "baselines",
    "independent_elements",
)  # figures that all members have in common


def fit_members(plan: Plan, out: Path | None, job: Job) -> Run:
    """Fit the experts, train the members one after the other, then write the run of their average.

    A member that is finished when its turn comes is taken as it is, if it is of this data, model and training, else
    refused. The budget of the plan is for all of them together: what the experts leave is for the networks.
    """
    tried = {name: _expert(plan.expert(name), name, out, job) for name in plan.experts}
    experts = {name: expert for name, expert in tried.items() if expert is not None}
    plan, budget = replace(plan, experts=tuple(experts)), plan.budget
    if budget is not None:
        spent = sum((expert.report_dict or {}).get("seconds", 0.0) for expert in experts.values())
        budget = budget.without(job.engine.add_up([spent])[0] / job.engine.world).shared(plan.members)
    if not experts and plan.members == 1:
        return fit_one(replace(plan, budget=budget), out, job)
    try:
        _, settled, _ = started(replace(plan, budget=budget), job)
    except TooShort:
        if not experts:
            raise
        return _alone(next(iter(experts.values())), out, job)
    run = placed(settled, out, job)
    members = [_member(settled.member(k), f"{k + 1}", run, job) for k in range(plan.members)]
    for name, expert in experts.items():
        members.append(_kept(expert, name, run, job))
    with run.writing():
        _fill(run, members, plan, job)
    return run


def _expert(plan: Plan, name: str, out: Path | None, job: Job) -> Run | None:
    """An expert, in memory before there is a place for it; None where it takes too long."""
    place = None if out is None else out / "members" / name
    if place is not None and job.engine.any((place / "report.json").exists()):
        return placed(plan, place, replace(job, resume=True))
    job.console.print(bold(f"expert {name}"))
    try:
        return fit_one(plan, None, replace(job.part(), resume=False))
    except OutOfTime as late:
        job.console.print(f"left out: {late}")
        return None


def _alone(expert: Run, out: Path | None, job: Job) -> Run:
    """An expert as the whole run, where it left no time for a network."""
    job.console.print("no time is left for a network; the expert is the model")
    run = expert if out is None else job.engine.of_first(lambda: expert.save(out))
    job.console.result({"run": run.name} | (run.report_dict or {}))
    return run


def _kept(expert: Run, name: str, run: Run, job: Job) -> Run:
    """An expert in its place."""
    if run.path is None or expert.path is not None:
        return expert
    place = run.path / "members" / name
    return job.engine.of_first(lambda: expert.save(place))


def _member(plan: Plan, name: str, run: Run, job: Job) -> Run:
    """The finished run of a member."""
    place = None if run.path is None else run.path / "members" / name
    try:
        with only_writer(place, job.console.print):
            finished = place is not None and job.engine.any((place / "report.json").exists())
            if finished:  # wherever it was trained, it is this member
                return placed(plan, place, replace(job, resume=True))
            job.console.print(bold(f"member {name}"), f", seed {plan.settings.seed}")
            return fit_one(plan, place, job.part())
    except Interrupted as end:
        raise Interrupted(str(end).replace(str(place), str(run.path)), end.code) from None


def _average(members: list[Run], plan: Plan, job: Job) -> tuple[AutoregressiveModel, Tensor | None]:
    """The average of the members, with experts by the weights that are best on validation data, and these weights."""
    chains = [member.chain().to(job.engine.device) for member in members]
    network, head = averaged_parts(chains, weighted=bool(plan.experts), gated=plan.weighs_by_context)
    model = AutoregressiveModel(network, head).to(job.engine.device).eval()
    if not plan.experts:
        return model, None
    weights, shares = job.engine.of_first(lambda: found_weights(chains, plan.data.valid, network.gate))
    (network.gate or head).weigh(weights.to(job.engine.device))
    return model, shares


def _fill(run: Run, members: list[Run], plan: Plan, job: Job) -> None:
    """The ensemble's weights, figures and samples."""
    console = job.console
    model, weights = _average(members, plan, job)
    results = evaluated(model, plan.data, job.engine)
    if not job.engine.first:
        return
    run.save_model(model)
    reports = [member.report_dict or {} for member in members]
    report = {
        "seconds": sum(report["seconds"] for report in reports),
        "results": {split: likelihood.to_json() for split, likelihood in results.items()},
        "members": _figures(members, reports, weights),
    } | {name: reports[0][name] for name in SHARED if name in reports[0]}
    run.write_report(report)
    console.print(result_table(report["results"]))
    console.print(member_table(report["members"], report["results"]))
    console.print(f"samples: {', '.join(write_samples(run, model, plan.data, 'samples'))}")
    if run.path is not None:
        console.print("run directory: ", bold(run.name))
    console.result({"run": run.name} | report)


def _figures(members: list[Run], reports: list[dict[str, Any]], weights: Tensor | None) -> list[dict[str, Any]]:
    """What the report says of each member. weights: the weight of each, on average over the contexts."""
    found: list[dict[str, Any]] = []
    for k, (member, report) in enumerate(zip(members, reports, strict=True)):
        entry = {"seed": member.config["training"]["seed"], "kept_step": report["kept_step"]}
        entry |= {"seconds": report["seconds"], "results": report["results"]}
        if weights is not None:
            name = member.config["model"]["network"]["name"]
            expert = None if fitted_by_gradients(name) else name
            entry |= {"expert": expert, "weight": float(weights[k])}
        found.append(entry)
    return found
