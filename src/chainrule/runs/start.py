"""The start of a fit: the model before its first step, and the plan with everything that is found by trial.

The weights depend on the seed and, where parts begin at what the data says, on the training data: standardisation and
quantiles for rows, counts of symbols for heads that are laid out by them.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch

from chainrule.config.registry import build_model
from chainrule.data.examples.base import Examples
from chainrule.data.examples.in_batches import in_batches
from chainrule.data.sources.memory import available_bytes
from chainrule.errors import InputError
from chainrule.heads.logits import LogitsHead
from chainrule.models.base import Model
from chainrule.models.chain import AutoregressiveModel
from chainrule.runs.job import Job
from chainrule.runs.plan import Plan
from chainrule.runs.timing import timed
from chainrule.runs.verify import stop_at_a_leak, warning_of
from chainrule.training.fit import training_forward
from chainrule.training.fitted import fit_parts, fitting_of
from chainrule.training.microbatch import largest_microbatch
from chainrule.training.precision import resolved
from chainrule.training.priors import Prior
from chainrule.verification.certificate.check import Certificate

__all__ = ["initial_model", "started"]

LARGE = 2000  # a width or depth from which the parameters are counted before the network is made
BYTES_PER_PARAMETER = 20  # weight, gradient, two moments of the optimizer and the moving average
MOST_TO_START = 1 << 16  # rows of a table from which its units are taken


def initial_model(plan: Plan) -> Model:
    """The model of a plan before its first step, on the CPU.

    >>> from chainrule.runs.plan import plan
    >>> sum(part.numel() for part in initial_model(plan("digits", width=8)).parameters())
    10465
    """
    _refuse_too_large(plan)
    torch.manual_seed(plan.settings.seed)
    data = plan.data
    model = build_model(plan.spec, data.encoding.domain, data.encoding.context_options)
    for chain in model.chains:
        if data.encoding.group == "row":
            chain.initialise(data.train.batch(np.arange(min(len(data.train), MOST_TO_START))).x)
        elif chain.head.needs_counts:
            chain.head.initialise(_symbols(data.train))
        if (part := chain.network.fitted_first) is not None:
            first = AutoregressiveModel(part, LogitsHead(part.features))
            fit_parts(fitting_of(first, data.train, data.valid, plan.settings.seed))
    return model


def _refuse_too_large(plan: Plan) -> None:
    """Refuse a network with more parameters than memory holds, before any of them is allocated."""
    sizes = [value for value in plan.spec["network"].values() if isinstance(value, int)]
    if max(sizes, default=0) < LARGE:
        return
    with torch.device("meta"):  # shapes alone
        model = build_model(plan.spec, plan.data.encoding.domain, plan.data.encoding.context_options)
    count = sum(parameter.numel() for parameter in model.parameters())
    free = available_bytes()
    if count * BYTES_PER_PARAMETER > free:
        raise InputError(
            f"a network of {count:,} parameters needs {count * BYTES_PER_PARAMETER / 1e9:,.1f} GB in training, there "
            f"are {free / 1e9:,.1f} GB; take a smaller --width or --depth"
        )


def started(plan: Plan, job: Job, certificate: Certificate | None = None) -> tuple[Model, Plan, Certificate | None]:
    """The model before its first step, the plan with all that is found by trial made plain, and the certificate.

    plan: the plan.
    job: how it is carried out.
    certificate: that of a model of the same kind, where there is one.

    A model that is not fitted by gradients has no weights before it is fitted, and no certificate. What does
    not fit together is refused here, before anything is written.
    """
    engine, data = job.engine, plan.data
    model = initial_model(plan).to(engine.device)
    if not model.fitted_by_gradients:
        return model, plan, None  # with its budget: fitting looks at the clock
    precision = engine.of_first(lambda: resolved(plan.settings.precision, engine.device.type))
    plan = replace(plan, settings=replace(plan.settings, precision=precision))
    if not model.has_conditionals or plan.settings.common_start:
        training_forward(model, plan.settings)  # refuses what needs network and head apart, or several orders
    if plan.settings.microbatch == "auto":
        plan = _with_microbatch(plan, model, job)
    if plan.settings.prior is not None:
        Prior(plan.settings.prior).widths(model)  # refuses what is not a prior of these parameters
    if certificate is None:
        with job.clock.aside("certificate"):
            certificate = stop_at_a_leak(model)
        if job.engine.first and (warning := warning_of(certificate)):
            job.console.print(warning)
    with torch.no_grad():
        model(data.train.epoch(plan.settings.seed, 0).batch(np.arange(1)).to(engine.device))
    if plan.budget is not None and plan.budget.speed is None:
        plan = timed(plan, plan.budget, model, job)
    return model, replace(plan, settings=plan.settings.bounded(len(data.train))), certificate


def _symbols(train: Examples) -> torch.Tensor:
    """The elements of the training data that count, of rows evenly apart where they are many."""
    rows = np.arange(0, len(train), -(-len(train) // MOST_TO_START))
    return torch.cat([batch.x[batch.mask] for _, batch in in_batches(train, 1024, rows)])


def _with_microbatch(plan: Plan, model: Model, job: Job) -> Plan:
    """The plan with a number of examples per forward pass, the smallest that any process finds."""
    settings = plan.settings
    forward = training_forward(model, settings)
    examples = plan.data.train.epoch(settings.seed, 0)
    size = job.engine.smallest(largest_microbatch(forward, examples, settings.batch_size, job.engine.world))
    job.console.print(f"microbatch: {size} of {settings.batch_size} examples fit into memory at once")
    return replace(plan, settings=replace(settings, microbatch=size))
