"""Work: how much each form of a certificate computes, counted in operations and not in seconds.

So the verdict does not depend on the load of the machine. The cost of an element is estimated from the parameters that
it is multiplied with, from the length of the attention, and from the alphabet; a form may spend so much in all, and
each check a share of it. What does not fit is tried on fewer places, or on the first elements only.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import nn

from chainrule.heads.mixture import MixtureLinear
from chainrule.verification.certificate.tested import ModelUnderTest

__all__ = ["FULL", "QUICK", "Work", "cost_of_element"]

QUICK, FULL = 1.5e10, 2e11  # operations of a form
OVERHEAD = 2e4  # operations in whose time the smallest model scores one element
SYMBOL = 150  # operations in whose time the logit of one symbol is made, compared and normalised
ASKED = 2e6  # operations in whose time a function of prefixes is asked once


def cost_of_element(tested: ModelUnderTest) -> float:
    """Operations of one element: two per parameter outside of tables, and what attention and logits take.

    In a mixture over symbols, each component makes every symbol.
    """
    if tested.module is None:
        return ASKED
    weights = sum(
        p.numel()
        for part in tested.module.modules()
        if not isinstance(part, nn.Embedding)
        for p in part.parameters(recurse=False)
    )
    mixtures = (part.components for part in tested.module.modules() if isinstance(part, MixtureLinear))
    symbols = (tested.num_symbols or 1) * (1 + max(mixtures, default=0))
    return OVERHEAD + 2 * weights + 64 * tested.length + SYMBOL * symbols


@dataclass(frozen=True)
class Work:
    """The operations that a form may spend on a model.

    total: operations of the form.
    element: operations of one element.
    """

    total: float
    element: float

    def rows(self, share: float, length: int, least: int = 1, most: int = 1 << 30) -> int:
        """The number of rows of a length that a share of the work pays for.

        >>> Work(total=1e6, element=1e3).rows(0.5, length=10)
        50
        """
        return int(min(max(share * self.total / (self.element * length), least), most))

    def length(self, share: float, rows: int, least: int = 4) -> int:
        """The number of elements of each of some rows that a share of the work pays for."""
        return int(max(share * self.total / (self.element * rows), least))
