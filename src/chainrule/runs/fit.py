"""`fit`: data in, a run with a trained model and its exact log-likelihood out."""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from chainrule.config.options import OPTIONS, read_config
from chainrule.errors import InputError
from chainrule.models.base import Model
from chainrule.reporting.console import Console
from chainrule.reporting.tables import figure_tables
from chainrule.reporting.visible import bold
from chainrule.runs.agreement import shared_values
from chainrule.runs.figures import evaluated, figures, of_model, scored_in_part
from chainrule.runs.illustrate import illustrate
from chainrule.runs.job import Job
from chainrule.runs.lock import only_writer
from chainrule.runs.new import placed
from chainrule.runs.plan import Plan, plan_from, refuse_two_budgets
from chainrule.runs.recalled import recalled
from chainrule.runs.run import Run
from chainrule.runs.start import started
from chainrule.runs.timing import time_report, time_said
from chainrule.runs.train import train
from chainrule.training.clock import Clock
from chainrule.training.decisions import FILE
from chainrule.training.fit import TrainingResult
from chainrule.training.processes import Processes
from chainrule.verification.certificate.check import Certificate

__all__ = ["Trained", "finish", "fit", "fit_one", "fit_plan", "keep_decisions", "train_one"]

OF_THE_DATA = ("baselines", "independent_elements", "baselines_left_out")  # figures that all models of a data set share

NO_DATA = "fit needs DATA, such as digits, a folder of images, table.csv or book.txt"


def fit(
    source: Any = None,
    *,
    out: Path | str | None = None,
    resume: bool = False,
    moved_to: Path | str | None = None,
    config: Path | str | None = None,
    tensorboard: bool = False,
    rank_timeout: float | None = None,
    verbose: bool | Console = False,
    clock: Clock | None = None,
    **options: Any,
) -> Run:
    """Train a model on data and report its exact log-likelihood: what `chainrule fit` does, with the same weights.

    source: name, path or object that `load` takes, or a data set that it made; with `resume`, by default as before.
    out: the run directory to write; None keeps the run in memory, and nothing is written.
    resume: whether to continue the run at `out`; options that are not given again are as they were.
    moved_to: with `resume`, where the data are now, if they were moved; their hash is checked.
    config: a TOML file with options.
    tensorboard: whether to also write logs for TensorBoard.
    rank_timeout: with several processes, minutes without a sign of life after which one is lost, by default 10.
    verbose: whether to print progress and tables, or where to print them.
    clock: what a time budget is held against, by default the seconds from now on.
    options: everything else, see `docs/options.md`.

    >>> run = fit("digits", width=8, depth=1, steps=2, evaluate_every=2)
    >>> run.report_dict["steps"]
    2
    """
    clock = clock or Clock()
    given = read_config(None if config is None else Path(config)) | options
    refuse_two_budgets(given)
    place = None if out is None else Path(out)
    console = verbose if isinstance(verbose, Console) else Console(silent=not verbose)
    if moved_to is not None and not resume:
        raise InputError("--moved-to says where the data of a run are now, so it needs --resume; else name the data")
    if source is None and not resume:
        raise InputError(NO_DATA)
    processes, console = _company(rank_timeout, console)
    with processes.together(), only_writer(place, console.print):
        if resume:
            source, given = recalled(place, source, given, None if moved_to is None else str(moved_to))
        if source is None:
            raise InputError(NO_DATA)
        plan = plan_from(source, given, console.progress)
        processes.agree(shared_values(plan, resume=resume))
        job = Job.begin(plan.settings.engine, console, processes, resume=resume, tensorboard=tensorboard)
        return _carry_out(plan, place, job, clock)


def fit_plan(
    plan: Plan,
    out: Path | None,
    console: Console,
    *,
    resume: bool = False,
    tensorboard: bool = False,
    clock: Clock | None = None,
) -> Run:
    """Carry out a plan.

    out: the run directory; None for a run in memory.
    console: where a person reads how it goes.
    resume: whether to go on with the run there.
    tensorboard: whether to write logs for TensorBoard, too.
    clock: what a time budget is held against, by default the seconds from now on.
    """
    processes, console = _company(None, console)
    with processes.together(), only_writer(out, console.print):
        processes.agree(shared_values(plan, resume=resume))
        job = Job.begin(plan.settings.engine, console, processes, resume=resume, tensorboard=tensorboard)
        return _carry_out(plan, out, job, clock or Clock())


def _company(rank_timeout: float | None, console: Console) -> tuple[Processes, Console]:
    """The processes of the job, and a console that is silent in all of them but the first."""
    processes = Processes() if rank_timeout is None else Processes(60 * rank_timeout)
    return processes, console if processes.rank == 0 else Console(silent=True)


def _carry_out(plan: Plan, out: Path | None, job: Job, clock: Clock) -> Run:
    from chainrule.runs.ensemble import fit_members

    if out is None and (job.resume or job.tensorboard):
        raise InputError("--resume and --tensorboard need a run directory; name it with --out")
    job = job.timed(clock, plan.record if plan.record != out else None, out)
    if out is None and job.engine.world > 1:
        raise InputError("several processes share a run directory; name it with --out")
    run = fit_one(plan, out, job) if plan.is_one else fit_members(plan, out, job)
    job.engine.close()
    return run.with_data(plan.data)


@dataclass(frozen=True)
class Trained:
    """A model that is trained, before it is scored.

    run: where it is kept.
    model: the model with the kept weights.
    plan: its plan, with all that was found by trial.
    job: how it was carried out.
    result: the end of training.
    certificate: that from before training; None for a model that is fitted without gradients.
    repeated: how many test examples also stand in train, of how many; None where that is not known.
    """

    run: Run
    model: Model
    plan: Plan
    job: Job
    result: TrainingResult
    certificate: Certificate | None
    repeated: tuple[int, int] | None


def fit_one(plan: Plan, out: Path | None, job: Job) -> Run:
    """Train one model, evaluate it, draw from it: everything that a run holds."""
    trained = train_one(plan, out, job)
    finish(trained)
    return trained.run


def train_one(plan: Plan, out: Path | None, job: Job, certificate: Certificate | None = None) -> Trained:
    """Train one model.

    plan: the plan.
    out: the run directory; None for memory.
    job: how it is carried out.
    certificate: that of a model of the same kind, where there is one.
    """
    certified = certificate is not None
    model, plan, certificate = started(plan, job, certificate)
    run, data = placed(plan, out, job), plan.data
    repeated: tuple[int, int] | None = None
    if not job.engine.first:
        return Trained(run, model, plan, job, train(run, model, plan, job, certified), certificate, None)
    job.console.kept = None if run.path is None else run.name
    with run.writing():
        keep_decisions(run, job)
        if changed := run.changed_versions():
            job.console.print(f"not as this run was begun: {changed}; the end may differ in the last bits")
        with job.clock.aside("checks of the data"):
            repeated = data.duplicates()
        _announce(model, plan, repeated, job.console)
        result = train(run, model, plan, job, certified)
    which = "kept step" if len(data.valid) else "without validation the last weights are kept, those of step"
    job.console.print(
        f"{which} {result.best_step} of {result.steps} "
        f"(ended by {result.stopped}, {result.seconds:.0f} s of training and validation)"
    )
    return Trained(run, model, plan, job, result, certificate, repeated)


def keep_decisions(run: Run, job: Job) -> None:
    """Have what is decided by the clock written into the run."""
    files = run.files
    job.decisions.keep(lambda lines: files.write(FILE, lines), lambda line: files.append(FILE, line))


def finish(trained: Trained, like: dict[str, Any] | None = None) -> None:
    """Score a trained model, draw from it, and write its report.

    trained: the model.
    like: the report of a model of the same data, whose baselines are taken.
    """
    run, plan, job = trained.run, trained.plan, trained.job
    used = 0.0 if plan.budget is None else job.clock()
    if not job.engine.first:
        evaluated(trained.model, plan.data, job.engine, _limit(plan))
        return
    with run.writing():
        with job.clock.aside("scoring"):
            report = _report(trained, like)
        run.write_report(report)  # before anything is printed: standard output may be closed
        for table in figure_tables(report):
            job.console.print(table)
        for name, reason in report.get("baselines_left_out", {}).items():
            job.console.print(f"the baseline {name} is left out: {reason}")
        with job.clock.aside("pictures and samples"):
            written = illustrate(run, trained.model, plan.data, trained.result, report)
        job.console.print(f"pictures and samples: {', '.join(written) or 'none'}")
        _end(run, report, plan, used, job)


def _end(run: Run, report: dict[str, Any], plan: Plan, used: float, job: Job) -> None:
    """What closes the output of a fit: the time, the place and the JSON object."""
    if plan.budget is not None and plan.budget.end is None:  # of a member, the time is that of the whole
        report |= {"time": time_report(plan.budget, used, job)}
        run.write_report(report)
        job.console.print(time_said(report["time"]))
    if run.path is not None:
        job.console.print("run directory: ", bold(run.name))
    job.console.result({"run": run.name} | report)


def _report(trained: Trained, like: dict[str, Any] | None) -> dict[str, Any]:
    """The figures of a trained model, and how it came to be."""
    result, data, certificate = trained.result, trained.plan.data, trained.certificate
    repeated = trained.repeated
    report: dict[str, Any] = {
        "kept_step": result.best_step,
        "steps": result.steps,
        "stopped": result.stopped,
        "seconds": result.seconds,
        "test_examples_in_train": None if repeated is None or not len(data.test) else repeated[0],
        "not_known": data.not_known,
    }
    limit = _limit(trained.plan)
    if like is None:
        report |= figures(trained.model, data, trained.job.engine, limit).to_json()
    else:
        report |= of_model(*evaluated(trained.model, data, trained.job.engine, limit))
        report |= {name: like[name] for name in OF_THE_DATA if name in like}
    if certificate is not None and not certificate.passed:
        report["certificate"] = certificate.verdict
    return report


def _limit(plan: Plan) -> float | None:
    """The seconds beyond which a split is estimated: those of a budget."""
    return None if plan.budget is None else plan.budget.seconds


def _announce(model: Model, plan: Plan, repeated: tuple[int, int] | None, console: Console) -> None:
    """The data and the model in words."""
    console.print(bold(plan.data.name), f": {plan.data.note}")
    if repeated is not None and repeated[0]:
        console.print(f"{repeated[0]} of the {repeated[1]} test examples are in train, too")
    for name, sentence in plan.data.not_known.items():
        console.print(bold(name), f": {sentence}")
    count = sum(parameter.numel() for parameter in model.parameters())
    network, head = (
        f"{plan.spec[part]['name']}({', '.join(f'{k}={v}' for k, v in plan.spec[part].items() if k != 'name')})"
        for part in ("network", "head")
    )
    about = f"{count:,} parameters, {model.describe()}" if model.fitted_by_gradients else "fitted without gradients"
    console.print(f"{network} + {head}: {about}")
    if (partly := scored_in_part(plan.data)) is not None:
        console.print(partly)


def _signature(function: Any) -> inspect.Signature:
    """The signature of a function that takes the options of `plan`, each of them by its name."""
    own = [p for p in inspect.signature(function).parameters.values() if p.kind is not p.VAR_KEYWORD]
    named = [
        inspect.Parameter(option.name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=option.value_type)
        for option in OPTIONS
    ]
    return inspect.Signature([*own, *named], return_annotation=inspect.signature(function).return_annotation)


vars(fit)["__signature__"] = _signature(fit)
