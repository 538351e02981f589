"""`fit`: data in, a run with a trained model and its exact log-likelihood out."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any

from chainrule.config.options import OPTIONS, read_config
from chainrule.errors import InputError
from chainrule.models.base import Model
from chainrule.reporting.console import Console
from chainrule.reporting.tables import figure_tables
from chainrule.reporting.visible import bold
from chainrule.runs.agreement import shared_values
from chainrule.runs.figures import evaluated, figures, scored_in_part
from chainrule.runs.illustrate import illustrate
from chainrule.runs.job import Job
from chainrule.runs.lock import only_writer
from chainrule.runs.new import placed
from chainrule.runs.plan import Plan, plan_from
from chainrule.runs.recalled import recalled
from chainrule.runs.run import Run
from chainrule.runs.start import started
from chainrule.runs.train import train
from chainrule.training.processes import Processes
from chainrule.verification.certificate.check import Certificate

__all__ = ["fit", "fit_one", "fit_plan"]

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
    options: everything else, see `docs/options.md`.

    >>> run = fit("digits", width=8, depth=1, steps=2, evaluate_every=2)
    >>> run.report_dict["steps"]
    2
    """
    given = read_config(None if config is None else Path(config)) | options
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
        return _carry_out(plan, place, job)


def fit_plan(plan: Plan, out: Path | None, console: Console, *, resume: bool = False, tensorboard: bool = False) -> Run:
    """Carry out a plan. out: the run directory; None for a run in memory."""
    processes, console = _company(None, console)
    with processes.together(), only_writer(out, console.print):
        processes.agree(shared_values(plan, resume=resume))
        job = Job.begin(plan.settings.engine, console, processes, resume=resume, tensorboard=tensorboard)
        return _carry_out(plan, out, job)


def _company(rank_timeout: float | None, console: Console) -> tuple[Processes, Console]:
    """The processes of the job, and a console that is silent in all of them but the first."""
    processes = Processes() if rank_timeout is None else Processes(60 * rank_timeout)
    return processes, console if processes.rank == 0 else Console(silent=True)


def _carry_out(plan: Plan, out: Path | None, job: Job) -> Run:
    from chainrule.runs.ensemble import fit_members

    if out is None and (job.resume or job.tensorboard):
        raise InputError("--resume and --tensorboard need a run directory; name it with --out")
    if out is None and job.engine.world > 1:
        raise InputError("several processes share a run directory; name it with --out")
    alone = plan.members == 1 and not plan.experts
    run = fit_one(plan, out, job) if alone else fit_members(plan, out, job)
    job.engine.close()
    return run.with_data(plan.data)


def fit_one(plan: Plan, out: Path | None, job: Job) -> Run:
    """Train one model, evaluate it, draw from it: everything that a run holds."""
    model, plan, certificate = started(plan, job)
    run = placed(plan, out, job)
    if job.engine.first:
        with run.writing():
            _fill(run, model, plan, job, _remarks(certificate))
    else:
        train(run, model, plan, job)
        evaluated(model, plan.data, job.engine)
    return run


def _remarks(certificate: Certificate | None) -> dict[str, str]:
    """What the report says of a model that is not verified."""
    return {} if certificate is None or certificate.passed else {"certificate": certificate.verdict}


def _fill(run: Run, model: Model, plan: Plan, job: Job, remarks: dict[str, str]) -> None:
    """Everything in the run but the configuration; remarks stand in its report."""
    console, data = job.console, plan.data
    if changed := run.changed_versions():
        console.print(f"not as this run was begun: {changed}; the end may differ in the last bits")
    repeated = data.duplicates()
    _announce(model, plan, repeated, console)
    fitted = train(run, model, plan, job)
    which = "kept step" if len(data.valid) else "without validation the last weights are kept, those of step"
    console.print(
        f"{which} {fitted.best_step} of {fitted.steps} "
        f"(ended by {fitted.stopped}, {fitted.seconds:.0f} s of training and validation)"
    )
    report: dict[str, Any] = {
        "kept_step": fitted.best_step,
        "steps": fitted.steps,
        "stopped": fitted.stopped,
        "seconds": fitted.seconds,
        "test_examples_in_train": None if repeated is None or not len(data.test) else repeated[0],
        "not_known": data.not_known,
    } | figures(model, data, job.engine).to_json()
    report |= remarks
    run.write_report(report)  # before anything is printed: standard output may be closed
    for table in figure_tables(report):
        console.print(table)
    for name, reason in report.get("baselines_left_out", {}).items():
        console.print(f"the baseline {name} is left out: {reason}")
    console.print(f"pictures and samples: {', '.join(illustrate(run, model, data, fitted, report)) or 'none'}")
    if run.path is not None:
        console.print("run directory: ", bold(run.name))
    console.result({"run": run.name} | report)


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
