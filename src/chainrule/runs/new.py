"""The beginning of a run, trained here or imported: where it goes, and what its configuration says."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict
from itertools import count
from pathlib import Path
from typing import Any

from chainrule.config.registry import Spec
from chainrule.data.encodings.data_set import DataSet
from chainrule.data.sources.plain_files import stream_name
from chainrule.errors import RunError
from chainrule.runs.figures import protocol_of
from chainrule.runs.job import Job
from chainrule.runs.plan import Plan
from chainrule.runs.run import Run
from chainrule.runs.whereabouts import whereabouts

__all__ = ["configuration_of", "placed", "reserved_place"]


@contextmanager
def reserved_place(name: str) -> Iterator[Path]:
    """The directory runs/NAME-1, or the next number that is free; removed afterwards if nothing was written into it.

    name: the source of the data.

    The directory is made at once, so that of two processes that begin together each has its own. Of the processes of
    one job the first makes it; the others need only its name.
    """
    stem = Path(stream_name(name) or name).stem
    if int(os.environ.get("RANK", "0")) > 0:
        yield Path("runs") / stem
        return
    place = next(place for k in count(1) if _made(place := Path("runs") / f"{stem}-{k}"))
    try:
        yield place
    finally:
        with suppress(OSError):
            place.rmdir()  # refused by the system if there is something in it


def _made(place: Path) -> bool:
    """Make a directory; False if there is something of that name."""
    try:
        place.mkdir(parents=True)
    except FileExistsError:
        return False
    except OSError as error:
        raise RunError(f"{place}: cannot be made ({error.strerror}); name another place with --out") from None
    return True


def placed(plan: Plan, out: Path | None, job: Job) -> Run:
    """The run with its configuration: new, or the one to go on with. out: its directory, None for memory."""
    spec = plan.spec if plan.members == 1 else {"members": plan.members} | plan.spec
    if plan.experts:
        spec = spec | {"experts": [plan.expert(name).spec for name in plan.experts]}
        spec |= {"context": {"gated": True}, "hindsight": {"hindsight": True}}.get(plan.weights_by, {})
    configuration = configuration_of(plan.data, spec, asdict(plan.settings))
    configuration |= {"asked": {"source": plan.source, "options": dict(plan.options or {})}}
    if out is not None:
        test = plan.data.options.get("test")
        name = None if plan.data.options.get("builtin") else plan.data.name
        named = {"data": name, "test": None if test is None else str(test)}
        found = {what: whereabouts(source, out) for what, source in named.items()}
        configuration |= {"places": {what: place for what, place in found.items() if place is not None}}
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
        "unit": data.unit,
        "sha256": data.digest(),
        "splits": {s: {"examples": len(part), "sha256": part.digest()} for s, part in data.splits.items()},
    }
    return {
        "data": described,
        "protocol": asdict(protocol_of(data)),
        "model": spec,
        "training": training,
    }
