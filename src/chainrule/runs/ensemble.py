"""`chainrule fit --members K`: models of K seeds, each a run of its own, and the run of their average.

RUN/members/1, RUN/members/2, ...    runs like any other, of the seeds SEED, SEED + 1, ...
RUN                                  the ensemble, p(x_d | x_<d) = (1/K) sum_k p_k(x_d | x_<d)
"""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

from chainrule.config.registry import Spec, averaged
from chainrule.data.encodings.data_set import DataSet
from chainrule.errors import InputError, Interrupted
from chainrule.reporting.console import Console
from chainrule.reporting.tables import member_table, result_table
from chainrule.reporting.visible import bold
from chainrule.runs.figures import evaluated
from chainrule.runs.fit import fit_run, placed, prepared
from chainrule.runs.illustrate import write_samples
from chainrule.runs.run import Run
from chainrule.training.budget import Budget
from chainrule.training.engine import Engine
from chainrule.training.settings import TrainingSettings

__all__ = ["fit_members"]

PLANNED = ("minutes", "members")  # options of the whole, which its members know as plain settings


def fit_members(
    members: int,
    data: DataSet,
    spec: Spec,
    settings: TrainingSettings,
    out: Path | None,
    console: Console,
    resume: bool,
    tensorboard: bool,
    asked: dict[str, Any],
    budget: Budget | None,
) -> Run:
    """Train the members one after the other, then write the run of their average.

    resume: members that are finished stay, the one that is not goes on. budget: for all of them together. A member
    that is finished when its turn comes is taken as it is, if it is of this data, model and training, else refused.
    """
    if not isinstance(members, int) or members < 1:
        raise InputError(f"--members must be at least 1, got {members}; 4 is a good number")
    engine = Engine(settings.engine)
    console = console if engine.first else Console(silent=True)
    share = None if budget is None else budget.shared(members)
    _, settings = prepared(data, spec, settings, engine, console, share)
    run = placed(data, {"members": members} | spec, settings, out, engine, resume, asked)
    runs = []
    for k in range(members):
        own = dataclasses.replace(settings, seed=settings.seed + k)
        place = run.directory / "members" / f"{k + 1}"
        if not engine.any((place / "report.json").exists()):
            console.print(bold(f"member {k + 1} of {members}"), f", seed {own.seed}")
            plain = {name: value for name, value in asked["options"].items() if name not in PLANNED}
            plain |= {name: getattr(own, name) for name in ("steps", "evaluate_every", "seed")} | spec
            try:
                fit_run(
                    data,
                    spec,
                    own,
                    place,
                    console.aside(),
                    resume=resume,
                    tensorboard=tensorboard,
                    asked=asked | {"options": plain},
                    engine=engine,
                )
            except Interrupted as end:
                raise Interrupted(str(end).replace(str(place), str(run.path)), end.code) from None
        runs.append(placed(data, spec, own, place, engine, True, None))  # wherever it was trained, it is this member
    with run.writing():
        _fill(run, runs, data, console, engine)
    engine.close()
    return run


def _fill(run: Run, runs: list[Run], data: DataSet, console: Console, engine: Engine) -> None:
    """The ensemble's weights, figures and samples."""
    model = averaged([member.chain() for member in runs]).to(engine.device).eval()
    results = evaluated(model, data, engine)
    if not engine.first:
        return
    run.save_model(model)
    reports = [member.report_dict or {} for member in runs]
    figures = [
        {"seed": member.config["training"]["seed"], "kept_step": report["kept_step"], "seconds": report["seconds"]}
        | {"results": report["results"]}
        for member, report in zip(runs, reports, strict=True)
    ]
    record = {
        "seconds": sum(report["seconds"] for report in reports),
        "results": {split: likelihood.to_json() for split, likelihood in results.items()},
        "members": figures,
    }
    shared = ("test_examples_in_train", "baselines", "independent_elements")
    record |= {name: reports[0][name] for name in shared}
    run.write_report(record)
    console.print(result_table(record["results"]))
    console.print(member_table(figures, record["results"]))
    console.print(f"samples: {', '.join(write_samples(run, model, data, 'samples'))}")
    console.print("run directory: ", bold(run.name))
    console.result({"run": str(run.path)} | record)
