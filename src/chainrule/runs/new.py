"""The beginning of a run, trained here or imported: where it goes, and what its configuration says."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

from chainrule.config.registry import Spec
from chainrule.data.encodings.data_set import DataSet
from chainrule.runs.figures import SPLITS, protocol_of

__all__ = ["configuration_of", "free_place"]


def free_place(name: str) -> Path:
    """runs/NAME-1, or the next number that is free."""
    stem = Path(name).stem
    return next(p for k in range(1, 10_000) if not (p := Path("runs") / f"{stem}-{k}").exists())


def configuration_of(data: DataSet, spec: Spec, training: dict[str, Any]) -> dict[str, Any]:
    """What `config.json` says of a run."""
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
        "protocol": dataclasses.asdict(protocol_of(data)),
        "model": spec,
        "training": training,
    }
