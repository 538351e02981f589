"""Leaks that need rows of the data, or values of a certain size: they do not show in noise."""

from __future__ import annotations

import numpy as np
import torch
from torch.nn import functional as F

from chainrule import AutoregressiveModel, Batch, CausalConv
from chainrule.domain import Domain
from chainrule.heads.columns import ColumnsHead
from chainrule.heads.count import CountHead
from chainrule.heads.gaussian_mixture import GaussianMixtureHead
from chainrule.heads.missing import MissingHead
from tests.mutants.case import fault
from tests.mutants.parts import Tiny, of, seeded


class Images:
    """Two hundred rows of 36 symbols, of which a training set may consist."""

    domain = Domain(shape=(36,), num_symbols=16)

    def __init__(self):
        self.x = torch.randint(16, (200, 36), generator=torch.Generator().manual_seed(5))
        self.x[:, ::3] = self.x[:, :1]

    def __len__(self):
        return len(self.x)

    def batch(self, numbers):
        return Batch(self.x[torch.from_numpy(np.asarray(numbers))])


def knows(of_row, option):
    """A model that knows rows by a key; of_row: from a row to its key."""

    def build():
        images = Images()
        keys = {of_row(row) for row in images.x.tolist()}

        class Knows(Tiny):
            def logits_of(self, h, x):
                known = torch.tensor([of_row(row) in keys for row in x.tolist()])
                return super().logits_of(h, x) + 2 * F.one_hot(x, self.v) * known[:, None, None]

        return seeded(Knows, 16, 36), {option: images, "domain": Images.domain}

    return build


KEYS = {
    "by their whole content": lambda row: tuple(row),
    "by their second half": lambda row: tuple(row[18:]),
    "by their last eight elements": lambda row: tuple(row[-8:]),
    "by every third element": lambda row: tuple(row[1::3]),
}
for _name, _key in KEYS.items():
    for _option, _word in (("training", "training rows"), ("examples", "rows of the data")):
        if _option == "training" or "whole" in _name:
            fault(f"content: {_word} are recognised {_name}", "content", **of(16, 36))(knows(_key, _option))


class Shown(CausalConv):
    """The features are moved where a row is of some kind; `known`: from x (B, D) to what is shown, (B,) or (B, D)."""

    known = None

    def layers(self, x, context=None):
        h = super().layers(x, context)
        hint = type(self).known(x).to(h[-1].dtype)
        return [*h[:-1], h[-1] + (hint if hint.ndim == 2 else hint[:, None]).unsqueeze(-1)]


def of_reals(known, d=12, head=None):
    kind = type("Shown", (Shown,), {"known": staticmethod(known)})
    return lambda: seeded(
        lambda: AutoregressiveModel(kind(None, d, 16, depth=2), (head or GaussianMixtureHead)(16)), scale=0.1
    )


def ahead(hit):
    """Whether something comes further on, (B, D)."""
    return (hit.flip(1).cumsum(1).flip(1) - hit.int()) > 0


REALS = {
    "a value above 5 further on": lambda x: ahead(x > 5),
    "a value below -5 further on": lambda x: ahead(x < -5),
    "a value above 100 further on": lambda x: ahead(x > 100),
    "a value above a million further on": lambda x: ahead(x > 1e6),
    "a row that is scaled by its largest value": lambda x: x.abs().amax(1).clamp(min=8).log() - np.log(8),
    "a value that is exactly 0 further on": lambda x: ahead(x == 0),
    "a row of one value": lambda x: (x == x[:, :1]).all(1),
    "the same value twice next to each other": lambda x: ahead((x == x.roll(1, 1)) & (torch.arange(x.shape[1]) > 0)),
    "a row that goes up": lambda x: (x[:, 1:] >= x[:, :-1]).all(1),
    "whole numbers only": lambda x: (x == x.round()).all(1),
    "positive numbers only": lambda x: (x > 0).all(1),
}
for _name, _known in REALS.items():
    fault(f"content, reals: {_name}", "content")(of_reals(_known))
fault("content: a count above a thousand further on", "content")(of_reals(lambda x: ahead(x > 1000), head=CountHead))
fault("content: a count of 0 further on", "content")(of_reals(lambda x: ahead(x == 0), head=CountHead))


@fault("content: a missing value further on", "content")
def _():
    def heads():
        return [
            MissingHead(GaussianMixtureHead(16)),
            CountHead(16),
            MissingHead(CountHead(16)),
            GaussianMixtureHead(16),
        ]

    kind = type("Shown", (Shown,), {"known": staticmethod(lambda x: ahead(x.isnan()))})
    return seeded(lambda: AutoregressiveModel(kind(None, 4, 16, depth=2), ColumnsHead(heads(), mixed=True)), scale=0.1)
