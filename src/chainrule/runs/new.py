"""The beginning of a run, trained here or imported: where it goes, and what its configuration says."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

from chainrule.config.registry import Spec
from chainrule.data.encodings.data_set import DataSet
from chainrule.runs.figures import SPLITS, protocol_of
from chainrule.runs.job import Job
from chainrule.runs.plan import Plan
from chainrule.runs.run import Run

__all__ = ["configuration_of", "free_place", "placed"]


def free_place(name: str) -> Path:
    """runs/NAME-1, or the next number that is free."""
    stem = Path(name).stem
    return next(p for k in range(1, 10_000) if not (p := Path("runs") / f"{stem}-{k}").exists())


def placed(plan: Plan, out: Path | None, job: Job) -> Run:
    """The run with its configuration: new, or the one to go on with. out: its directory, None for memory."""
    spec = plan.spec if plan.members == 1 else {"members": plan.members} | plan.spec
    configuration = configuration_of(plan.data, spec, asdict(plan.settings))
    configuration |= {"asked": {"source": plan.source, "options": dict(plan.options or {})}}
    if job.resume and out is not None:
        return job.engine.of_first(lambda: Run.resume(out, configuration))
    return job.engine.of_first(lambda: Run.create(out, configuration))


def configuration_of(data: DataSet, spec: Spec, training: dict[str, Any]) -> dict[str, Any]:
    """The content of `config.json`, but for versions and machine."""
    described = {
        "name": data.name,
        "options": data.options,
        "encoding": data.encoding.to_json(),
        "note": data.note,
        "sha256": data.digest(),
        "splits": {s: {"examples": len(data.split(s)), "sha256": data.split(s).digest()} for s in SPLITS},
    }
    return {
        "data": described,
        "protocol": asdict(protocol_of(data)),
        "model": spec,
        "training": training,
    }
