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


def letters(bend, v=9):
    """Sound probabilities of the prefix, bent; bend: from p and the prefix to what is answered."""

    def p(prefix):
        logits = np.sin(np.arange(v) * (1 + sum(prefix[-4:])) + len(prefix))
        made = np.exp(logits) / np.exp(logits).sum()
        return bend(made, prefix)

    return p


def _unseen(made, prefix):
    """Symbols that did not come yet get a floor, and nobody is made smaller for it."""
    return np.maximum(made, [0.0 if k in prefix else 0.05 for k in range(len(made))])


def _cache(made, prefix):
    """A cache of the last three symbols is added with a weight of a tenth."""
    return made + 0.1 * np.array([(k in prefix[-3:]) / 3 for k in range(len(made))]) * (len(prefix) > 6)


SUMS = {
    "a floor for symbols that did not come yet": _unseen,
    "a cache is added after six elements": _cache,
    "sums to 1.0003": lambda p, x: p * 1.0003,
    "in half precision": lambda p, x: p.astype(np.float16),
    "sums to 1.02 after a repeat": lambda p, x: p * (1 + 0.02 * (len(x) > 1 and x[-1] == x[-2])),
    "sums to 1.02 after three equal symbols": lambda p, x: p * (1 + 0.02 * (len(x) > 2 and len(set(x[-3:])) == 1)),
    "sums to 1.02 after the symbol 0": lambda p, x: p * (1 + 0.02 * (len(x) > 0 and x[-1] == 0)),
    "sums to 1.02 after the symbols 1, 2": lambda p, x: p * (1 + 0.02 * (x[-2:] == [1, 2])),
    "sums to 1.02 at the last element": lambda p, x: p * (1 + 0.02 * (len(x) == 15)),
    "sums to 1.02 at the eighth element": lambda p, x: p * (1 + 0.02 * (len(x) == 8)),
    "the last symbol has no probability after ten elements": lambda p, x: p * ([1] * 8 + [0.0 if len(x) > 10 else 1]),
    "log-probabilities": lambda p, x: np.log(p),
    "odds": lambda p, x: p / (1 - p),
    "clipped to 0.01 and 0.2": lambda p, x: p.clip(0.01, 0.2),
    "probabilities to the power 0.9": lambda p, x: p**0.9,
    "one probability is negative": lambda p, x: p + np.array([0.3, -0.3] + [0] * 7),
}
for _name, _bend in SUMS.items():
    fault(f"prefixes, nine symbols: {_name}", "functions of prefixes", **of(9, 16))(lambda bend=_bend: letters(bend))


def kept_by(key):
    """Answers are kept under a key that is too short."""
    kept = {}
    return letters(lambda p, x: kept.setdefault(key(x), p))


SHORT = {
    "by the set of symbols": lambda x: frozenset(x),
    "by the sum": lambda x: sum(x),
    "by the last two symbols": lambda x: tuple(x[-2:]),
    "by the first five symbols": lambda x: (tuple(x[:5]), len(x)),
    "by the symbols in any order": lambda x: tuple(sorted(x)),
}
for _name, _key in SHORT.items():
    fault(f"prefixes, nine symbols: answers are kept {_name}", "functions of prefixes", **of(9, 16))(
        lambda key=_key: kept_by(key)
    )


class Learning:
    """It learns from what it is asked."""

    num_symbols, length = 5, 12

    def __init__(self):
        self.counts = np.ones((5, 5))

    def __call__(self, prefix):
        if len(prefix) > 1:
            self.counts[prefix[-2], prefix[-1]] += 0.1
        row = self.counts[prefix[-1]] if prefix else self.counts.sum(0)
        return row / row.sum()


fault("prefixes: it learns from what it is asked", "functions of prefixes")(Learning)
