"""Fitting joint Gaussians: the two mixtures, and for each column how much each of them counts."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from chainrule.data.examples.base import Examples
from chainrule.data.examples.in_batches import in_batches
from chainrule.errors import InputError
from chainrule.heads.columns import ColumnsHead
from chainrule.heads.joint import JointGaussiansHead
from chainrule.models.chain import AutoregressiveModel
from chainrule.networks.gaussian_classes import GaussianClasses
from chainrule.networks.joint_gaussians import JointGaussians
from chainrule.training.fitted_state import load_whole
from chainrule.training.gaussian_classes import Rows, chosen_settings, fitted_classes
from chainrule.training.simplex import simplex_weights

__all__ = ["JointFitting"]

ENOUGH = 20_000  # training rows that are read, fewer where there are many columns: 10^8 over their square
TO_CHOOSE = 100_000  # cells of the rows on which settings are chosen
LEAST_ROWS = 1000
WORTH = 10.0  # rows that equal weights of both mixtures are worth


class JointFitting:
    """Joint Gaussians while they are fitted: one mixture, the other, the weights.

    model: joint Gaussians with their heads, initialised; changed in place.
    train, valid: the examples.
    seed: of the first division into classes and of what is left out in validation.

    step: number of parts that are done.
    parts: 3.
    """

    def __init__(self, model: AutoregressiveModel, train: Examples, valid: Examples, *, seed: int = 0) -> None:
        if not isinstance(model.network, JointGaussians) or not isinstance(model.head, ColumnsHead):
            raise InputError(f"this fits JointGaussians with a head of columns, got a {type(model.network).__name__}")
        self.network, self.model, self.seed = model.network, model, seed % 2**31
        self.heads = [head for head in model.head.heads if isinstance(head, JointGaussiansHead)]
        self.train, self.valid = (_elements(examples) for examples in (train, valid))
        self.step, self.parts = 0, 3

    def fit_next(self) -> None:
        """Fit one of the mixtures, or weigh them."""
        if self.step == 0:
            self._fit(self.network.scores, self.network.as_scores, 0)
        elif self.step == 1:
            self._fit(self.network.values, self.network.as_values, 1)
        else:
            self._weigh()
        self.step += 1

    def load_into_network(self) -> None:
        """Nothing is left to do."""

    def _fit(self, into: GaussianClasses, read: Any, place: int) -> None:
        network = self.network
        values = torch.stack([read(self.train[:, d], d) for d in range(network.length)], 1)
        is_symbol = into.is_symbol
        sizes = [head.num_symbols or 0 for head in self.heads]
        rows = Rows(values[:, ~is_symbol], values[:, is_symbol].long(), tuple(n for n in sizes if n))
        if not rows.numbers.shape[1]:  # one number that says nothing
            rows = Rows(torch.zeros(len(values), 1).double(), rows.symbols, rows.sizes)
        number = rows.numbers.shape[1]
        few, more = (_some(rows, most) for most in (TO_CHOOSE // number, 10**8 // number**2))
        classes = fitted_classes(more, chosen_settings(few, into.classes, self.seed), self.seed)
        used = len(classes.log_weight)
        into.log_weight.fill_(-50.0)
        into.log_weight[:used] = classes.log_weight
        numbers = torch.nonzero(~is_symbol)[:, 0]
        if len(numbers):
            into.mean[:used, numbers] = classes.mean
            for k in range(used):
                into.lower[k, numbers[:, None], numbers] = classes.lower[k]
        for column, table in zip(torch.nonzero(is_symbol)[:, 0].tolist(), classes.log_pmf, strict=True):
            into.log_pmf[:used, column, : table.shape[1]] = table
            self.heads[column].log_pmf[place, :used] = table

    def _weigh(self) -> None:
        """The weight of the first mixture in each column that is best on validation data."""
        if not len(self.valid):
            return
        parts = []
        for gate in (40.0, -40.0):
            self.network.gate.fill_(gate)
            with torch.no_grad():
                h = self.network(self.valid.to(self.network.gate.device))
                parts.append(self.model.head(h).log_prob(self.valid).double().cpu().numpy())
        even = torch.tensor([0.5, 0.5]).double()
        for d in range(self.network.length):
            both = np.maximum(np.stack([part[:, d] for part in parts]), -1e3)
            first, second = simplex_weights(both, even, WORTH).clamp(min=1e-6).log().tolist()
            self.network.gate[d] = first - second

    def state_dict(self) -> dict[str, Any]:
        """What a checkpoint holds."""
        return {"model": self.model.state_dict(), "progress": {"step": self.step}}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from a saved state; raises InputError, and changes nothing, if it does not fit."""
        load_whole(self.model, state["model"])
        self.step = state["progress"]["step"]


def _some(rows: Rows, most: int) -> Rows:
    """At most so many of the rows, but no fewer than a thousand, evenly apart."""
    wanted = min(len(rows), max(LEAST_ROWS, most))
    return rows.at(torch.arange(wanted) * len(rows) // wanted)


def _elements(examples: Examples) -> Tensor:
    """Examples as rows, float64 where they hold numbers; of very many some, evenly apart."""
    chosen = np.arange(0, len(examples), -(-len(examples) // ENOUGH) or 1)
    parts = []
    for _, batch in in_batches(examples, 4096, chosen):
        if batch.context is not None:
            raise InputError("joint Gaussians take no context; take another network, or leave out --given")
        parts.append(batch.x)
    return torch.cat(parts) if parts else torch.zeros(0, 0)
