"""A check and the certificate that checks add up to."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor

from chainrule.atomic_files import json_value

__all__ = [
    "FIRST",
    "NOT_A_LIKELIHOOD",
    "NOT_VERIFIED",
    "Certificate",
    "Check",
    "blocked",
    "difference",
    "skipped",
]

NOT_A_LIKELIHOOD = "not a likelihood"
NOT_VERIFIED = "not verified"
FIRST = "mend causality.suffix first"  # of a check that fails because of a leak
ADVICE = {
    "causality": "make the output at element d a function of x_<d alone: shift the input by one, mask with the "
    "strictly earlier elements in both modes, and take no statistic over elements or over the batch",
    "normalisation": "score with a log-softmax over the whole alphabet (or a density that integrates to one); clamp, "
    "average and mix nothing after it",
    "invariance": "let an example's score depend on that example alone: no batch statistics, padding known by length",
    "sampling": "draw from the very conditionals that are scored: no filter left on, the same state in step and pass",
    "determinism": "switch off dropout and other noise in evaluation mode, and keep no state between calls",
    "orders": "average the probabilities of whole examples, ln p = logsumexp_o ln p_o - ln O, and nothing inside the "
    "chain; put elements and draws back from their order",
    "coding": "let the step give the very conditionals that are scored, the same a second time, each normalised",
    "accounting": "score every element once, the first and the end too, each with its own conditional; ln 0 stays -inf",
}


@dataclass(frozen=True)
class Check:
    """The result of one check.

    name: family.what, such as "causality.suffix.training".
    passed: whether the figure is within its bound, None where the check was not made.
    tried: what was done, or why the check was not made.
    figure: the worst figure found.
    bound: the largest figure that passes.
    where: the place of the worst figure and, for a leak, the first module that shows it.
    power: the smallest effect that the check would have seen, in words; "" where the bound says it.
    blocked: whether the check applies but could not be made, and is one without which nothing is verified.
    """

    name: str
    passed: bool | None
    tried: str
    figure: float = 0.0
    bound: float = 0.0
    where: str = ""
    power: str = ""
    blocked: bool = False

    @classmethod
    def of(cls, name: str, figure: float, bound: float, tried: str, where: str = "", power: str = "") -> Check:
        """Passed if the figure is within its bound; NaN never is.

        >>> Check.of("normalisation.steps", 2e-7, 1e-5, "8 steps").passed
        True
        """
        passed = figure <= bound
        return cls(name, passed, tried, figure, bound, "" if passed else where, power)

    @property
    def advice(self) -> str:
        """What to do about a failure."""
        if FIRST in self.where:
            return FIRST
        return ADVICE[self.name.split(".")[0]] if self.passed is False else ""

    def __str__(self) -> str:
        verdict = "NOT MADE" if self.blocked else {True: "ok", False: "FAILED", None: "skipped"}[self.passed]
        figures = "" if self.passed is None else f"  {self.figure:.2g} <= {self.bound:.2g}"
        figures = figures.replace("<=", ">") if self.passed is False else figures
        remarks = "; ".join(part for part in (self.tried, self.where, self.power) if part)
        return f"{verdict:9}{self.name:28}{figures:22}  {remarks}"


def skipped(name: str, why: str) -> Check:
    """A check that does not apply, and why."""
    return Check(name, None, why)


def blocked(name: str, why: str) -> Check:
    """A check without which nothing is verified, and why it could not be made."""
    return Check(name, None, why, blocked=True)


@dataclass(frozen=True)
class Certificate:
    """The checks of one model, in the order in which they were made.

    subject: name of what was verified.
    checks: the results.
    seconds: duration in seconds.
    """

    subject: str
    checks: tuple[Check, ...]
    seconds: float = 0.0

    @property
    def failed(self) -> tuple[str, ...]:
        """The names of the checks that failed."""
        return tuple(check.name for check in self.checks if check.passed is False)

    @property
    def passed(self) -> bool:
        """Whether every check passed that applies; False also where the model is not verified."""
        return self.verdict not in (NOT_A_LIKELIHOOD, NOT_VERIFIED)

    @property
    def verdict(self) -> str:
        """The result: "all N checks passed", "not a likelihood" or "not verified".

        A model is not verified where no check failed, but one that matters could not be made.

        >>> Certificate("a model", (Check("sampling.step", True, "8 elements"),)).verdict
        'all 1 checks passed'
        >>> Certificate("a model", (blocked("causality.suffix.evaluation", "it raises KeyError: 3"),)).verdict
        'not verified'
        """
        if self.failed:
            return NOT_A_LIKELIHOOD
        made = sum(check.passed is True for check in self.checks)
        if not made or any(check.blocked for check in self.checks):
            return NOT_VERIFIED
        return f"all {made} checks passed"

    @property
    def summary(self) -> str:
        """The verdict, with the names of the checks that failed or could not be made."""
        names = [*self.failed, *(check.name for check in self.checks if check.blocked)]
        return f"{self.verdict}: {', '.join(names)}" if names else self.verdict

    def __getitem__(self, name: str) -> Check:
        """The check of that name."""
        return next(check for check in self.checks if check.name == name)

    def to_json(self) -> dict[str, Any]:
        """The certificate as JSON."""
        checks = [json_value(asdict(check)) | {"advice": check.advice} for check in self.checks]
        found = {"subject": self.subject, "passed": self.passed, "verdict": self.verdict}
        return found | {"seconds": self.seconds, "checks": checks}

    def __str__(self) -> str:
        failed = [check for check in self.checks if check.advice and check.advice != FIRST]
        advice = dict.fromkeys(f"  {check.name.split('.')[0]}: {check.advice}" for check in failed)
        head = f"{self.subject}: {self.summary} ({self.seconds:.1f} s)"
        return "\n".join([head, *(f"  {check}" for check in self.checks), *advice])


def difference(a: Tensor, b: Tensor) -> Tensor:
    """|a - b| / (1 + |a|) of each entry; 0 where both are the same infinity or both NaN, inf where only one is.

    >>> difference(torch.tensor([1.0, -torch.inf]), torch.tensor([3.0, -torch.inf]))
    tensor([1., 0.])
    """
    same = (a == b) | (a.isnan() & b.isnan())
    return torch.where(same, 0.0, ((a - b).abs() / (1 + a.abs())).nan_to_num(nan=torch.inf))
