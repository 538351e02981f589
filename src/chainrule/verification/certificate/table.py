"""The table of checks: all that a certificate holds, in the order of their importance.

`verify` runs the checks from here, and the report and docs/report.md describe them from here. A new check is one
function, which returns a `Check` of its name, and one row.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from chainrule.verification.certificate import (
    accounting,
    amounts,
    data_accounting,
    invariance,
    order_mixture,
    round_trip,
)
from chainrule.verification.certificate.check import Check
from chainrule.verification.certificate.order_mixture import OrdersUnderTest
from chainrule.verification.certificate.trial import Trial

__all__ = ["CHECKS", "CODE_CHECK", "ORDER_CHECKS", "OrderRow", "Row", "description", "markdown"]


@dataclass(frozen=True)
class Row:
    """One check of a model with one order.

    name: family.what, the same that the check bears.
    tests: what it tests, in one line.
    needs: what a model must have for it, "" if every model has it; without it, the check is skipped.
    make: how it is made.
    quick: whether the quick form makes it.
    essential: whether a model is not verified where the check cannot be made.
    rounds: whether a failure by little may be rounding, and is looked at again in float64.
    gradients: whether it differentiates.
    same_shape: whether it compares passes of the same shape, which round alike in any type.
    """

    name: str
    tests: str
    needs: str
    make: Callable[[Trial], Check]
    quick: bool = True
    essential: bool = False
    rounds: bool = True
    same_shape: bool = False
    gradients: bool = False


CHECKS = (
    Row(
        "causality.suffix.evaluation",
        "replacing x_d and all that follows leaves the outputs up to d the same, in evaluation mode",
        "",
        lambda t: amounts.suffix(t, training=False, share=0.3),
        essential=True,
        same_shape=True,
    ),
    Row(
        "causality.suffix.training",
        "the same in training mode",
        "",
        lambda t: amounts.suffix(t, training=True, share=0.15),
        same_shape=True,
    ),
    Row(
        "normalisation.steps",
        "the probabilities of all symbols of an element sum to one",
        "a finite alphabet",
        amounts.steps,
        essential=True,
    ),
    Row(
        "accounting.elements",
        "the score of each element is ln of its own conditional",
        "conditionals",
        amounts.elements,
    ),
    Row(
        "sampling.step",
        "ln p computed element by element is that of the parallel pass",
        "a step",
        amounts.step,
    ),
    Row(
        "normalisation.enumeration",
        "the probabilities of all examples, or of all their beginnings, sum to one",
        "a finite alphabet",
        amounts.enumeration,
    ),
    Row(
        "normalisation.support",
        "each conditional has mass one over the values of its element",
        "elements of several kinds, or reals",
        amounts.support,
    ),
    Row(
        "causality.truncation",
        "the first elements alone have the same outputs",
        "inputs of any length",
        amounts.truncation,
    ),
    Row(
        "causality.gradient",
        "outputs up to d do not change with later elements to which they have a gradient",
        "an embedding, or reals",
        amounts.gradient,
        same_shape=True,
        gradients=True,
    ),
    Row(
        "invariance.batch",
        "an example is scored in batches of many sizes as it is alone",
        "",
        lambda t: invariance.batch(t.crowd.tested, t.crowd.few, t.crowd.sizes, t.loose),
    ),
    Row(
        "invariance.order",
        "the order of the examples in a batch changes no score",
        "",
        lambda t: invariance.order(t.crowd.tested, t.crowd.few, t.crowd.shuffled_sizes, t.loose),
    ),
    Row(
        "invariance.padding",
        "the padding, its content, its amount and the lengths of other examples change no score",
        "a mask",
        lambda t: invariance.padding(t.crowd.tested, t.crowd.few, t.loose),
    ),
    Row(
        "invariance.packing",
        "two and more examples in one row are scored as each alone",
        "segment ids",
        lambda t: invariance.packing(t.crowd.tested, t.crowd.few, t.loose),
    ),
    Row(
        "accounting.total",
        "ln p of an example is the sum over its elements, by every name that it has",
        "a total of its own",
        lambda t: accounting.total(t.crowd.tested, t.crowd.few, 1e-4),
    ),
    Row(
        "determinism.repeat",
        "the same input twice gives the same scores and samples, bit for bit, whatever was asked in between",
        "",
        amounts.repeat,
        rounds=False,
    ),
    Row(
        "invariance.precision",
        "how far ln p in the model's own precision is from that of a float64 copy: a finding, never a failure",
        "a float64 copy",
        amounts.precision,
        quick=False,
        rounds=False,
    ),
    Row(
        "sampling.fits",
        "draws have the scored distribution: each element, pairs of draws, whole examples, and after a prefix",
        "a sampler",
        amounts.fits,
        rounds=False,
    ),
    Row(
        "accounting.examples",
        "every row of the data comes once and in order, alone as in a batch, scored from its first element to its end",
        "data",
        lambda t: data_accounting.counted(t.examples, t.domain),
        rounds=False,
    ),
)

CODE_CHECK = Row(  # the last one, made where it is asked for: verify --code
    round_trip.NAME,
    "draws and examples are coded and decoded: the same come back, and their code is as long as -log2 p",
    "a step, and no densities; `--code`",
    round_trip.round_trip,
    rounds=False,
)


@dataclass(frozen=True)
class OrderRow:
    """One check of a model of another order, or of several, in addition to those of its chains.

    name: as in `Row`.
    tests: as in `Row`.
    make: from the mixture, the numbers of some of its orders and whether the form is quick, to the check.
    quick: whether the quick form makes it.
    """

    name: str
    tests: str
    make: Callable[[OrdersUnderTest, list[int], bool], Check]
    quick: bool = True


ORDER_CHECKS = (
    OrderRow(
        "orders.mean",
        "ln p is ln of the mean of the probabilities that the chains give",
        lambda m, few, quick: order_mixture.mean(m, 1e-6),
    ),
    OrderRow(
        "orders.future",
        "in every order, in both modes, replacing later elements leaves the outputs of earlier ones the same",
        lambda m, few, quick: order_mixture.future(m, 1e-5),
    ),
    OrderRow(
        "orders.every",
        "in every order, the probabilities of an element sum to one, are its scores, and the step is the pass",
        lambda m, few, quick: order_mixture.every(m, 1e-4),
    ),
    OrderRow(
        "orders.mass",
        "the probabilities of all examples sum to one",
        lambda m, few, quick: order_mixture.mass(m, 256 if quick else 8192, 1e-4),
    ),
    OrderRow(
        "orders.places",
        "the score of each element stands in the place of that element",
        lambda m, few, quick: order_mixture.places(m, few if quick else list(range(len(m.members))), 1e-6),
    ),
    OrderRow(
        "orders.sample",
        "the ln p that comes with a draw is ln p of that draw",
        lambda m, few, quick: order_mixture.sample(m, 1e-4),
    ),
    OrderRow(
        "orders.company",
        "an example alone is scored as in a batch, in any order of its examples",
        lambda m, few, quick: order_mixture.company(m, 1e-4),
    ),
    OrderRow(
        "orders.repeat",
        "the same input twice gives the same scores and samples, bit for bit",
        lambda m, few, quick: order_mixture.repeat(m),
    ),
    OrderRow(
        "orders.fits",
        "draws follow the scored distribution: whole examples where they are few, and the conditionals of each order",
        lambda m, few, quick: order_mixture.fits(m, 256 if quick else 4096),
    ),
    OrderRow(
        "orders.choice",
        "every order is drawn equally often",
        lambda m, few, quick: order_mixture.choice(m),
        quick=False,
    ),
)


def description(name: str) -> str:
    """What a check tests, in one line; "" for a name that is not in the table.

    >>> description("sampling.step")
    'ln p computed element by element is that of the parallel pass'
    """
    return next((row.tests for row in (*CHECKS, CODE_CHECK, *ORDER_CHECKS) if row.name == name), "")


def markdown() -> str:
    """The table as it stands in docs/report.md."""
    lines = ["| check | what it tests | what it needs | quick form |", "|---|---|---|---|"]
    lines += [
        f"| `{row.name}` | {row.tests} | {row.needs} | {'yes' if row.quick else ''} |" for row in (*CHECKS, CODE_CHECK)
    ]
    lines += [
        f"| `{row.name}` | {row.tests} | another order, or several | {'yes' if row.quick else ''} |"
        for row in ORDER_CHECKS
    ]
    return "\n".join(lines)
