"""The table of checks: all that a certificate holds, in the order of their importance.

`verify` runs the checks from here, and the report and docs/report.md describe them from here. A new check is one
function, which returns a `Check` of its name, and one row.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from chainrule.verification.certificate import accounting, causality, invariance, mixture, normalisation, sampling
from chainrule.verification.certificate.check import Check
from chainrule.verification.certificate.mixture import Mixture
from chainrule.verification.certificate.supports import support
from chainrule.verification.certificate.views import QuickViews, ThoroughViews

__all__ = ["CHECKS", "ORDER_CHECKS", "OrderRow", "Row", "description", "markdown"]


@dataclass(frozen=True)
class Row:
    """One check of a model with one order.

    name: family.what, the same that the check bears.
    tests: what it tests, in one line.
    needs: what a model must have for it, "" if every model has it; without it, the check is skipped.
    quick: how it is made in the quick form; None if it is not.
    thorough: how it is made in the thorough form.
    gradients: whether it differentiates.
    """

    name: str
    tests: str
    needs: str
    quick: Callable[[QuickViews], Check] | None
    thorough: Callable[[ThoroughViews], Check]
    gradients: bool = False


CHECKS = (
    Row(
        "causality.suffix.evaluation",
        "replacing x_d and all that follows leaves the outputs up to d the same, in evaluation mode",
        "",
        lambda v: causality.suffix(v.whole, False, 3, 1, 1e-5, seconds=0.25),
        lambda v: causality.suffix(v.exact, False, 16, 2, v.tight, seconds=10),
    ),
    Row(
        "causality.suffix.training",
        "the same in training mode",
        "",
        lambda v: causality.suffix(v.whole, True, 3, 1, 1e-5, seconds=0.25),
        lambda v: causality.suffix(v.exact, True, 16, 2, v.tight, seconds=10),
    ),
    Row(
        "normalisation.steps",
        "the probabilities of all symbols of an element sum to one",
        "a finite alphabet",
        lambda v: normalisation.steps(v.near, 2, 1e-4, v.work),
        lambda v: normalisation.steps(v.exact, 12, v.bound(1e-5, 1e-4)),
    ),
    Row(
        "accounting.elements",
        "the score of each element is ln of its own conditional",
        "conditionals",
        lambda v: accounting.elements(v.near, 1e-4),
        lambda v: accounting.elements(v.exact, v.loose),
    ),
    Row(
        "sampling.step",
        "ln p computed element by element is that of the parallel pass",
        "a step",
        lambda v: sampling.step(v.near, 8, 1e-4),
        lambda v: sampling.step(v.exact, 64, v.loose),
    ),
    Row(
        "normalisation.enumeration",
        "the probabilities of all examples, or of all their beginnings, sum to one",
        "a finite alphabet",
        lambda v: normalisation.enumeration(v.near, min(256, v.work // v.near.length), 1e-4),
        lambda v: normalisation.enumeration(v.exact, 16_384, v.bound(1e-6, 1e-4)),
    ),
    Row(
        "normalisation.support",
        "each conditional has mass one over the values of its element",
        "elements of several kinds, or reals",
        lambda v: support(v.near, 5, 1e-3, 201),
        lambda v: support(v.subject, 32, 1e-3, 2001),
    ),
    Row(
        "causality.truncation",
        "the first elements alone have the same outputs",
        "inputs of any length",
        lambda v: causality.truncation(v.near, 3, 1e-4),
        lambda v: causality.truncation(v.exact, 16, v.loose),
    ),
    Row(
        "causality.gradient",
        "outputs up to d have no gradient with respect to later elements",
        "an embedding, or reals",
        lambda v: causality.gradient(v.near, 3, 1e-5),
        lambda v: causality.gradient(v.exact, 16, v.tight),
        gradients=True,
    ),
    Row(
        "invariance.batch",
        "an example alone is scored as in a batch",
        "",
        lambda v: invariance.batch(v.near, 1e-4),
        lambda v: invariance.batch(v.exact, v.loose),
    ),
    Row(
        "invariance.order",
        "the order of the examples in a batch changes no score",
        "",
        lambda v: invariance.order(v.near, 1e-4),
        lambda v: invariance.order(v.exact, v.loose),
    ),
    Row(
        "invariance.padding",
        "neither the content of the padding nor its amount changes a score",
        "a mask",
        lambda v: invariance.padding(v.near, 1e-4),
        lambda v: invariance.padding(v.exact, v.loose),
    ),
    Row(
        "invariance.packing",
        "two examples in one row are scored as each alone",
        "segment ids",
        lambda v: invariance.packing(v.near, 1e-4),
        lambda v: invariance.packing(v.exact, v.loose),
    ),
    Row(
        "accounting.total",
        "ln p of an example is the sum over its elements",
        "a total of its own",
        lambda v: accounting.total(v.near, 1e-4),
        lambda v: accounting.total(v.subject, 1e-4),
    ),
    Row(
        "determinism.repeat",
        "the same input twice gives the same scores and samples, bit for bit",
        "",
        lambda v: invariance.determinism(v.near),
        lambda v: invariance.determinism(v.subject),
    ),
    Row(
        "invariance.precision",
        "ln p in the model's own precision is that of a float64 copy",
        "a float64 copy",
        None,
        lambda v: invariance.precision(v.subject, v.exact, v.is_wide, 1e-3),
    ),
    Row(
        "normalisation.importance",
        "the total mass, estimated from draws, is one",
        "a step and a finite alphabet",
        None,
        lambda v: normalisation.importance(v.exact, v.draws),
    ),
    Row(
        "sampling.fits",
        "draws follow the scored distribution (chi-square)",
        "a sampler",
        None,
        lambda v: sampling.fits(v.subject, 2000, 64),
    ),
    Row(
        "accounting.examples",
        "every example of the data comes once, with its first element and its end scored",
        "data",
        lambda v: accounting.counted(v.examples, v.domain),
        lambda v: accounting.counted(v.examples, v.domain),
    ),
)


@dataclass(frozen=True)
class OrderRow:
    """One check of a model of another order, or of several, beside those of its chains.

    name: as in `Row`.
    tests: as in `Row`.
    make: from the mixture, the numbers of some of its orders and whether the form is quick, to the check.
    quick: "always" if the quick form makes it whatever the time, "in time" if it does while there is time, "" if never.
    """

    name: str
    tests: str
    make: Callable[[Mixture, list[int], bool], Check]
    quick: str


ORDER_CHECKS = (
    OrderRow(
        "orders.mean",
        "ln p is ln of the mean of the probabilities that the chains give",
        lambda m, few, quick: mixture.mean(m, 1e-6),
        "always",
    ),
    OrderRow(
        "orders.mass",
        "the probabilities of all examples sum to one",
        lambda m, few, quick: mixture.mass(m, 256 if quick else 8192, 1e-4),
        "always",
    ),
    OrderRow(
        "orders.places",
        "the score of each element stands in the place of that element",
        lambda m, few, quick: mixture.places(m, few, 1e-6),
        "in time",
    ),
    OrderRow(
        "orders.sample",
        "the ln p that comes with a draw is ln p of that draw",
        lambda m, few, quick: mixture.sample(m, 1e-4),
        "in time",
    ),
    OrderRow(
        "orders.company",
        "an example alone is scored as in a batch, in any order of its examples",
        lambda m, few, quick: mixture.company(m, 1e-4),
        "in time",
    ),
    OrderRow(
        "orders.repeat",
        "the same input twice gives the same scores and samples, bit for bit",
        lambda m, few, quick: mixture.repeat(m),
        "in time",
    ),
    OrderRow(
        "orders.fits",
        "draws follow the scored distribution (chi-square)",
        lambda m, few, quick: mixture.fits(m, 4096),
        "",
    ),
    OrderRow(
        "orders.choice",
        "every order is drawn equally often",
        lambda m, few, quick: mixture.choice(m),
        "",
    ),
)


def description(name: str) -> str:
    """What a check tests, in one line; "" for a name that is not in the table.

    >>> description("sampling.step")
    'ln p computed element by element is that of the parallel pass'
    """
    return next((row.tests for row in (*CHECKS, *ORDER_CHECKS) if row.name == name), "")


def markdown() -> str:
    """The table as it stands in docs/report.md."""
    lines = ["| check | what it tests | what it needs | quick form |", "|---|---|---|---|"]
    lines += [f"| `{row.name}` | {row.tests} | {row.needs} | {'yes' if row.quick else ''} |" for row in CHECKS]
    lines += [
        f"| `{row.name}` | {row.tests} | another order, or several | {'yes' if row.quick else ''} |"
        for row in ORDER_CHECKS
    ]
    return "\n".join(lines)
