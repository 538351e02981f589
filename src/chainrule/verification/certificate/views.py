"""What the two forms of a certificate look at: which part of a model, in which precision, within which bounds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from chainrule.domain import Domain
from chainrule.verification.certificate.subject import Subject, fewer, shorter, wide
from chainrule.verification.certificate.time_budget import ScoringTime

if TYPE_CHECKING:
    from chainrule.data.examples.base import Examples

__all__ = ["QuickViews", "ThoroughViews"]


@dataclass(frozen=True)
class QuickViews:
    """What the quick form looks at: as much of a model as its time allows, in the model's own precision.

    whole: as many elements as are scored in 80 ms; leaks are looked for in them.
    near: as many elements as are scored in 10 ms, for all other checks.
    work: elements that a check of many passes may score, 0.2 s of them.
    examples: the data whose accounting is checked, if any.
    domain: the domain of these data.
    """

    whole: Subject
    near: Subject
    work: int
    examples: Examples | None
    domain: Domain | None

    @classmethod
    def of(cls, subject: Subject, examples: Examples | None, domain: Domain | None) -> QuickViews:
        """The views of a subject, after its speed was measured."""
        time = ScoringTime(fewer(subject, 1), limit=0.08)
        whole = fewer(shorter(subject, time.length(0.08)), 1 if subject.length > 128 else 2)
        near = shorter(subject, min(32, time.length(0.01)))
        return cls(whole, near, time.elements(0.2), examples, domain)


@dataclass(frozen=True)
class ThoroughViews:
    """What the thorough form looks at: whole examples, in float64 where the model can be made so.

    subject: the model in its own precision.
    exact: a float64 copy of it, or itself where there is none.
    is_wide: whether `exact` is in float64.
    examples: the data whose accounting is checked, if any.
    domain: the domain of these data.
    """

    subject: Subject
    exact: Subject
    is_wide: bool
    examples: Examples | None
    domain: Domain | None

    @classmethod
    def of(cls, subject: Subject, examples: Examples | None, domain: Domain | None) -> ThoroughViews:
        """The views of a subject."""
        exact, is_wide = wide(subject, subject.elements(0))
        return cls(subject, exact, is_wide, examples, domain)

    def bound(self, in_float64: float, else_: float) -> float:
        """The bound of a figure, by the precision in which it is computed."""
        return in_float64 if self.is_wide else else_

    @property
    def tight(self) -> float:
        """The bound of a figure that is zero but for rounding within one pass."""
        return self.bound(1e-6, 1e-5)

    @property
    def loose(self) -> float:
        """The bound of a figure that compares two ways to compute the same."""
        return self.bound(1e-5, 1e-4)

    @property
    def draws(self) -> int:
        """How many examples are drawn for an estimate of the total mass."""
        return min(256, max(32, (1 << 15) // self.subject.length))
