"""A committee of cross-validation: the models of several divisions of the same rows, averaged.

Every row is left out once, so that the weights of the kinds of models are found on all rows, none of which the model
that is judged has been fitted to; and every row is in the fit of all models but those.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict

import torch

from chainrule.config.registry import averaged_parts
from chainrule.models.chain import AutoregressiveModel
from chainrule.reporting.console import Console
from chainrule.runs.ensemble import train_members
from chainrule.runs.fit import Trained
from chainrule.runs.job import Job
from chainrule.runs.new import configuration_of
from chainrule.runs.plan import Plan
from chainrule.runs.run import Run
from chainrule.runs.trained import OURS
from chainrule.training.clock import Clock
from chainrule.training.weighing import weights_of_divisions

__all__ = ["are_divisions", "committee_run"]

Chains = list[AutoregressiveModel]


def are_divisions(plans: Sequence[Plan]) -> bool:
    """Whether these plans are of one kind of model and of rows that are encoded the same way."""
    first = plans[0]
    return all(
        plan.weights_by == "hindsight"
        and plan.members == 1
        and plan.spec == first.spec
        and plan.experts == first.experts
        and plan.data.encoding.to_json() == first.data.encoding.to_json()
        for plan in plans
    )


def committee_run(plans: Sequence[Plan]) -> tuple[Run, Chains]:
    """The run of the average over all divisions, in memory, and for each division the average of its own models.

    plans: one for each division, see `are_divisions`; their validation rows are together all rows.

    Papers: Krogh, Vedelsby, *Neural network ensembles, cross validation, and active learning*, NIPS 1995; Wolpert,
    *Stacked generalization*, 1992.
    """
    fitted = [_fitted(plan) for plan in plans]
    weights = weights_of_divisions([(chains, plan.watched) for chains, plan in zip(fitted, plans, strict=True)])
    networks = [chains[0] for chains in fitted]
    experts = [expert for chains in fitted for expert in chains[1:]]
    first, rest, strength = weights[:1], weights[1:-1], weights[-1:]
    number = len(plans)
    shared = torch.cat([first.repeat(number) / number, rest.repeat(number) / number, strength])
    plan = plans[0]
    specs = [plan.expert(name).spec for plan in plans for name in plan.experts]
    spec = {"members": number} | plan.spec | {"experts": specs, "hindsight": True}
    configuration = configuration_of(plan.data, spec, asdict(plan.settings))
    run = Run.create(None, configuration | {"asked": {"source": plan.source, "options": dict(plan.options or {})}})
    run.save_model(_average([*networks, *experts], shared))
    return run.with_data(plan.data), [_average(chains, weights) for chains in fitted]


def _fitted(plan: Plan) -> Chains:
    """The models of one division: the network, then the experts."""
    job = Job.begin(plan.settings.engine, Console(silent=True)).timed(Clock(), None, None)
    trained = train_members(plan, None, job, OURS, scored=False)
    parts = [trained] if isinstance(trained, Trained) else trained.parts
    return [(part.run if isinstance(part, Trained) else part).chain() for part in parts]


def _average(chains: Chains, weights: torch.Tensor) -> AutoregressiveModel:
    network, head = averaged_parts(chains, weighted=True, weights_by="hindsight")
    if network.hindsight is not None:
        network.hindsight.weigh(weights)
    return AutoregressiveModel(network, head).eval()
