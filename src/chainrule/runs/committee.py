"""A committee of cross-validation: the models of several divisions of the same rows, averaged.

Every row is left out once, so that the weights of the kinds of models are found on all rows, none of which the model
that is judged has been fitted to; and every row is in the fit of all models but those. Models that need no validation
rows are fitted to all rows, too.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, replace

import torch

from chainrule.config.registry import averaged_parts
from chainrule.data.examples.base import Examples
from chainrule.models.chain import AutoregressiveModel
from chainrule.reporting.console import Console
from chainrule.runs.ensemble import train_members
from chainrule.runs.fit import Trained, train_one
from chainrule.runs.job import Job
from chainrule.runs.new import configuration_of
from chainrule.runs.plan import Plan
from chainrule.runs.run import Run
from chainrule.runs.trained import OURS
from chainrule.training.clock import Clock
from chainrule.training.weighing import weights_of_divisions

__all__ = ["are_divisions", "committee_run"]

Chains = list[AutoregressiveModel]

WHOLE = 0.75  # of the weight of a kind of model for the one that is fitted to all rows


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


def committee_run(plans: Sequence[Plan], rows: Examples) -> tuple[Run, Chains]:
    """The run of the average over all divisions, in memory, and for each division the average of its own models.

    A kind of model that reads no validation rows is, once its weight is found, fitted to all rows, too, and has three
    quarters of that weight; the rest is for those of the divisions.

    plans: one for each division, see `are_divisions`; their validation rows are together all rows.
    rows: all rows.

    Papers: Krogh, Vedelsby, *Neural network ensembles, cross validation, and active learning*, NIPS 1995; Wolpert,
    *Stacked generalization*, 1992.
    """
    fitted, plan = [_fitted(plan) for plan in plans], plans[0]
    weights = weights_of_divisions([(chains, plan.watched) for chains, plan in zip(fitted, plans, strict=True)])
    kinds = [list(kind) for kind in zip(*fitted, strict=True)]  # the networks, then each kind of experts
    whole = replace(plan, data=replace(plan.data, train=rows))
    shares = [[1 / len(kind)] * len(kind) for kind in kinds]
    for k, name in enumerate(plan.experts, start=1):
        if not any(chain.network.choices for chain in kinds[k]):
            kinds[k].append(train_one(whole.expert(name), None, _job(whole), OURS).run.chain())
            shares[k] = [share * (1 - WHOLE) for share in shares[k]] + [WHOLE]
    shared = [weight * share for of_kind, weight in zip(shares, weights[:-1], strict=True) for share in of_kind]
    specs = [plan.expert(name).spec for kind, name in zip(kinds[1:], plan.experts, strict=True) for _ in kind]
    spec = {"members": len(plans)} | plan.spec | {"experts": specs, "hindsight": True}
    configuration = configuration_of(plan.data, spec, asdict(plan.settings))
    run = Run.create(None, configuration | {"asked": {"source": plan.source, "options": dict(plan.options or {})}})
    run.save_model(_average([chain for kind in kinds for chain in kind], torch.stack([*shared, weights[-1]])))
    return run.with_data(plan.data), [_average(chains, weights) for chains in fitted]


def _job(plan: Plan) -> Job:
    return Job.begin(plan.settings.engine, Console(silent=True)).timed(Clock(), None, None)


def _fitted(plan: Plan) -> Chains:
    """The models of one division: the network, then the experts."""
    trained = train_members(plan, None, _job(plan), OURS, scored=False)
    parts = [trained] if isinstance(trained, Trained) else trained.parts
    return [(part.run if isinstance(part, Trained) else part).chain() for part in parts]


def _average(chains: Chains, weights: torch.Tensor) -> AutoregressiveModel:
    network, head = averaged_parts(chains, weighted=True, weights_by="hindsight")
    if network.hindsight is not None:
        network.hindsight.weigh(weights)
    return AutoregressiveModel(network, head).eval()
