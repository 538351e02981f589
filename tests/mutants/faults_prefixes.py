"""Functions of prefixes."""

from __future__ import annotations

import numpy as np

from tests.mutants.case import fault
from tests.mutants.parts import LETTERS, counted, of


@fault(
    "n-gram whose discount is given away twice in contexts that were seen",
    "functions of prefixes",
    **of(len(LETTERS), 40),
)
def _():
    tables, v = [counted(n) for n in range(6)], len(LETTERS)

    def p(prefix):
        made = np.full(v, 1 / v)
        for order, table in enumerate(tables):
            seen = table.get(tuple(prefix[len(prefix) - order :])) if len(prefix) >= order else None
            if not seen:
                continue
            total, kinds = sum(seen.values()), len(seen)
            counts = np.array([seen.get(k, 0) for k in range(v)])
            discount = 0.75
            back = discount * kinds / total
            own = np.maximum(counts - discount, 0) / total
            made = own + back * made * (1.5 if order >= 4 else 1.0)
        return made

    return p


@fault("probabilities rounded to four places", "functions of prefixes", **of(27, 20))
def _():
    def p(prefix):
        logits = np.cos(np.arange(27) * (1 + sum(prefix[-3:])))
        made = np.exp(logits) / np.exp(logits).sum()
        return np.round(made, 4)

    return p
