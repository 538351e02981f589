"""What all processes of a job must have in common: data, options, versions, and how numbers are computed."""

from __future__ import annotations

import json
import platform
from dataclasses import asdict
from typing import Any

import torch

from chainrule.runs.new import configuration_of
from chainrule.runs.plan import Plan
from chainrule.runs.provenance import versions
from chainrule.runs.stored import SAID, flat

__all__ = ["shared_values"]


def shared_values(plan: Plan, *, resume: bool = False) -> dict[str, str]:
    """Everything that decides the result, by dotted names, in the order in which a difference is looked for.

    plan: what is to be fitted.
    resume: whether a run goes on.

    >>> from chainrule.runs.plan import plan
    >>> shared_values(plan("digits", seed=3))["training.seed"]
    '3'
    """
    configuration = configuration_of(plan.data, plan.spec, asdict(plan.settings))
    minutes = None if plan.budget is None else plan.budget.minutes
    job = {"members": plan.members, "experts": list(plan.experts), "minutes": minutes, "resume": resume}
    data = {"sha256": configuration["data"]["sha256"]} | configuration["data"]  # what tells other data best
    values: dict[str, Any] = {"versions": versions()} | configuration | {"data": data}
    values |= {"job": job, "machine": _arithmetic()}
    return {name: json.dumps(value) for name, value in flat(values).items() if name not in SAID}


def _arithmetic() -> dict[str, Any]:
    """What of a machine and its settings changes results by more than the order of sums."""
    return {
        "device": "cuda" if torch.cuda.is_available() else "cpu",
        "processor": platform.machine(),
        "float32_matmul_precision": torch.get_float32_matmul_precision(),
        "deterministic": torch.are_deterministic_algorithms_enabled(),
    }
