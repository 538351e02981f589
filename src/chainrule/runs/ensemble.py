"""An ensemble: models of K seeds and experts, each a run of its own, and the run of their average.

RUN/members/1, RUN/members/2, ...    runs like any other, of the seeds SEED, SEED + 1, ...
RUN/members/boosted_trees            an expert: a network that is fitted without gradients
RUN                                  the average, p(x_d | x_<d) = sum_k w_k p_k(x_d | x_<d)

Models of several seeds have equal weights; with an expert the weights are those that are best on validation data, and
depend on the context where the expert knows its kind, as n-grams do, or, in tables, on the elements before.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from torch import Tensor

from chainrule.config.registry import averaged_parts, fitted_by_gradients
from chainrule.errors import Interrupted
from chainrule.models.chain import AutoregressiveModel
from chainrule.reporting.tables import member_table, split_tables
from chainrule.reporting.visible import bold
from chainrule.runs.figures import evaluated, of_model
from chainrule.runs.fit import Trained, finish, keep_decisions, train_one
from chainrule.runs.illustrate import write_samples
from chainrule.runs.job import Job
from chainrule.runs.lock import only_writer
from chainrule.runs.new import placed
from chainrule.runs.plan import Plan
from chainrule.runs.run import Run
from chainrule.runs.start import started
from chainrule.runs.timing import EXPERT_SHARE, time_report, time_said
from chainrule.training.decisions import END
from chainrule.training.weighing import found_weights
from chainrule.verification.certificate.check import Certificate

__all__ = ["TrainedMembers", "average_of", "fit_members", "train_members"]

SHARED = (
    "test_examples_in_train",
    "not_known",
    "baselines",
    "baselines_left_out",
    "independent_elements",
)  # figures that all members have in common


def fit_members(plan: Plan, out: Path | None, job: Job) -> Run:
    """Fit the experts, train the members one after the other, then write the run of their average.

    A member that is finished when its turn comes is taken as it is, if it is of this data, model and training, else
    refused. The budget of the plan is for all of them together: what the experts leave is for the networks.
    """
    trained = train_members(plan, out, job)
    if isinstance(trained, Trained):
        finish(trained)
        return trained.run
    settled, run = trained.plan, trained.run
    used = 0.0 if settled.budget is None else job.clock()
    members = _scored(trained.parts)
    with run.writing():
        _fill(run, members, settled, job, used)
    return run


@dataclass(frozen=True)
class TrainedMembers:
    """Members that are trained, and the run of their average before it has weights.

    run: where the average is kept.
    plan: the plan of all together, with all that was found by trial.
    parts: the members, then the experts; runs where they were finished before.
    """

    run: Run
    plan: Plan
    parts: list[Trained | Run]


def train_members(
    plan: Plan, out: Path | None, job: Job, certificate: Certificate | None = None, scored: bool = True
) -> TrainedMembers | Trained:
    """Fit the experts, train the members one after the other; experts alone, where the time is enough for no more.

    plan: the plan.
    out: the run directory; None for memory.
    job: how it is carried out.
    certificate: one that stands for all of them, experts too; by default each is verified.
    scored: whether each is scored as soon as it is trained, if no time is at stake.
    """
    of_all = certificate
    _, settled, certificate = started(plan, job, of_all)
    if not settled.members:
        said = f"{' and '.join(settled.experts)} {'are' if settled.experts[1:] else 'is'}"
        job.console.print(f"no time is left for a network; {said} the model")
        settled, certificate = _without_network(settled), of_all
    if settled.members == 1 and not settled.experts:
        return train_one(settled, out, job, certificate)
    run = placed(settled, out, job)
    if job.engine.first:
        with run.writing():
            keep_decisions(run, job)
    at_once = scored and plan.budget is None
    parts: dict[str, Trained | Run] = {}
    for name in settled.experts:
        parts[name] = _part(_expert(settled, name, job), name, run, job, of_all)
        parts[name] = _scored([parts[name]])[0] if at_once else parts[name]
    for k in range(settled.members):
        member, name = _of_its_share(settled.member(k), settled.members - k, job), f"{k + 1}"
        parts[name] = _part(member, name, run, job, certificate)
        parts[name] = _scored([parts[name]])[0] if at_once else parts[name]
    names = (*map(str, range(1, settled.members + 1)), *settled.experts)
    return TrainedMembers(run, settled, [parts[name] for name in names])


def _expert(plan: Plan, name: str, job: Job) -> Plan:
    """The plan of an expert, with its share of the time that is left."""
    expert = plan.expert(name)
    if plan.budget is None or not plan.members:
        return expert
    now = job.clock()
    return replace(expert, budget=plan.budget.ending(now + EXPERT_SHARE * max(0.0, plan.budget.until - now)))


def _without_network(plan: Plan) -> Plan:
    """The plan of the experts alone: the last of them, which says most, in the place of the network."""
    *others, last = plan.experts
    expert = plan.expert(last)
    options = dict(expert.options or {}) | {"minutes": 0 if plan.budget is None else plan.budget.minutes}
    return replace(expert, experts=tuple(others), options=options | {"experts": ",".join(others) or "none"})


def _of_its_share(member: Plan, left: int, job: Job) -> Plan:
    """The plan of a member with an equal share of the time that is left for it and those after it."""
    if member.budget is None:
        return member
    now = job.clock()
    return replace(member, budget=member.budget.ending(now + max(0.0, member.budget.until - now) / left))


def _part(plan: Plan, name: str, run: Run, job: Job, certificate: Certificate | None = None) -> Trained | Run:
    """A member or an expert, trained, not scored; its run where it was finished before, wherever it was trained."""
    place = None if run.path is None else run.path / "members" / name
    part = job.part(name, place)
    try:
        with only_writer(place, job.console.print):
            if place is not None and job.engine.any((place / "report.json").exists()):
                return placed(plan, place, replace(part, resume=True))
            if name in _expert_name(plan):
                job.console.print(bold(f"expert {name}"))
            else:
                job.console.print(bold(f"member {name}"), f", seed {plan.settings.seed}")
            return train_one(plan, place, part, certificate)
    except Interrupted as end:
        raise Interrupted(str(end).replace(str(place), str(run.path)), end.code) from None


def _expert_name(plan: Plan) -> tuple[str, ...]:
    """The name of the network of an expert; empty for a network that is trained."""
    name = plan.spec["network"]["name"]
    return () if fitted_by_gradients(name) else (name,)


def _scored(parts: list[Trained | Run]) -> list[Run]:
    """The runs of trained parts, scored; the baselines are those of the first."""
    like: dict[str, Any] | None = None
    runs = []
    for part in parts:
        if isinstance(part, Trained):
            with only_writer(part.run.path, part.job.console.print):
                finish(part, like)
        runs.append(part.run if isinstance(part, Trained) else part)
        like = like or runs[-1].report_dict
    return runs


def average_of(members: list[Run], plan: Plan, job: Job) -> tuple[AutoregressiveModel, Tensor | None]:
    """The average of the members, with experts by the weights that are best on validation data, and these weights."""
    chains = [member.chain().to(job.engine.device) for member in members]
    network, head = averaged_parts(chains, weighted=bool(plan.experts), weights_by=plan.weights_by)
    model = AutoregressiveModel(network, head).to(job.engine.device).eval()
    if not plan.experts:
        return model, None
    weights, shares = job.engine.of_first(
        lambda: found_weights(chains, plan.watched, network.gate, network.hindsight is not None)
    )
    (network.gate or network.hindsight or head).weigh(weights.to(job.engine.device))
    return model, shares


def _fill(run: Run, members: list[Run], plan: Plan, job: Job, used: float) -> None:
    """The ensemble's weights, figures and samples. used: seconds on the clock at the last step of training."""
    console = job.console
    with job.clock.aside("scoring"):
        model, weights = average_of(members, plan, job)
        limit = None if plan.budget is None else plan.budget.seconds
        found = of_model(*evaluated(model, plan.data, job.engine, limit))
    if not job.engine.first:
        return
    run.save_model(model)
    reports = [member.report_dict or {} for member in members]
    report = (
        {
            "seconds": sum(report["seconds"] for report in reports),
            "members": _figures(members, reports, weights),
        }
        | found
        | {name: reports[0][name] for name in SHARED if name in reports[0]}
    )
    if plan.budget is not None:
        report |= {"time": time_report(plan.budget, used, job)}
        if job.decisions.find(END) is None:
            job.decisions.add(END, seconds=used)
    run.write_report(report)
    for table in split_tables(report):
        console.print(table)
    console.print(member_table(report["members"], report["results"]))
    with job.clock.aside("pictures and samples"):
        written = write_samples(run, model, plan.data, "samples")
    console.print(f"samples: {', '.join(written)}")
    if "time" in report:
        console.print(time_said(report["time"]))
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
