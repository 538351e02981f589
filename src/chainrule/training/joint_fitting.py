"""Fitting joint Gaussians: the two mixtures, and for each column how much each of them counts."""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy
from dataclasses import astuple
from typing import Any

import numpy as np
import torch
from torch import Tensor

from chainrule.data.examples.base import Examples
from chainrule.data.examples.in_batches import in_batches
from chainrule.errors import InputError
from chainrule.heads.base import Head
from chainrule.heads.columns import ColumnsHead
from chainrule.heads.joint import JointGaussiansHead
from chainrule.models.chain import AutoregressiveModel
from chainrule.networks.joint_gaussians import JointGaussians
from chainrule.training.fitted_state import load_whole
from chainrule.training.gaussian_classes import Classes, Rows, Settings, chosen_settings, fitted_classes, folds
from chainrule.training.simplex import simplex_weights

__all__ = ["JointFitting"]

ENOUGH = 20_000  # training rows that are read, fewer where there are many columns: 10^8 over their square
TO_CHOOSE = 60_000  # cells of the rows on which settings and weights are chosen
LEAST_ROWS = 1000
ENOUGH_MISSING = 4000  # training rows that are read where numbers are missing, which takes longer
FEWEST = 10  # rows from which on weights are sought
WORTH = 4.0  # rows that equal weights of both mixtures are worth


class JointFitting:
    """Joint Gaussians while they are fitted: one mixture, the other, the weights. Validation rows are not read.

    model: joint Gaussians with their heads, initialised; changed in place.
    train: the examples.
    seed: of the first division into classes and of what is left out to choose settings and weights.

    step: number of parts that are done.
    parts: 3.
    """

    def __init__(self, model: AutoregressiveModel, train: Examples, *, seed: int = 0) -> None:
        if not isinstance(model.network, JointGaussians) or not isinstance(model.head, ColumnsHead):
            raise InputError(f"this fits JointGaussians with a head of columns, got a {type(model.network).__name__}")
        self.network, self.model, self.seed = model.network, model, seed % 2**31
        self.train = _elements(train)
        self.step, self.parts = 0, 3
        self.settings: list[Settings] = []

    def fit_next(self) -> None:
        """Fit one of the mixtures, or weigh them."""
        if self.step < 2:
            rows = _rows(self.network, self.train, self.step)
            width = rows.numbers.shape[1]
            enough = (TO_CHOOSE // width, 10**8 // width**2) if rows.are_whole else (LEAST_ROWS, ENOUGH_MISSING)
            few, more = (_some(rows, most) for most in enough)
            self.settings.append(chosen_settings(few, self.network.scores.classes, self.seed))
            _put(fitted_classes(more, self.settings[-1], self.seed), self.model, self.step)
        else:
            self._weigh()
        self.step += 1

    def load_into_network(self) -> None:
        """Nothing is left to do."""

    def _weigh(self) -> None:
        """The weight of the first mixture in each column that is best on training rows left out of both."""
        wanted = min(len(self.train), max(LEAST_ROWS, TO_CHOOSE // self.network.length))
        if wanted < FEWEST:
            return
        rows = self.train[torch.arange(wanted) * len(self.train) // wanted]
        parts = [self._left_out(rows[rest], rows[out]) for rest, out in folds(wanted, self.seed)]
        log_prob, even = np.maximum(np.concatenate(parts, 1), -1e3), torch.tensor([0.5, 0.5]).double()
        for d in range(self.network.length):
            first, second = simplex_weights(log_prob[..., d], even, WORTH).clamp(min=1e-6).log().tolist()
            self.network.gate[d] = first - second

    def _left_out(self, rest: Tensor, out: Tensor) -> np.ndarray[Any, np.dtype[np.float64]]:
        """ln p of the elements of rows under each mixture, all of it fitted to other rows, shape (2, N, D)."""
        model, parts = deepcopy(self.model), []
        model.initialise(rest)
        network: JointGaussians = model.network  # type: ignore[assignment]
        for place, settings in enumerate(self.settings):
            _put(fitted_classes(_rows(network, rest, place), settings, self.seed), model, place)
        for gate in (40.0, -40.0):
            network.gate.fill_(gate)
            with torch.no_grad():
                h = network(out.to(network.gate.device))
                parts.append(model.head(h).log_prob(out).double().cpu().numpy())
        return np.stack(parts)

    def state_dict(self) -> dict[str, Any]:
        """What a checkpoint holds."""
        progress = {"step": self.step, "settings": [astuple(settings) for settings in self.settings]}
        return {"model": self.model.state_dict(), "progress": progress}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from a saved state; raises InputError, and changes nothing, if it does not fit."""
        settings = [Settings(*each) for each in state["progress"].get("settings", [])]
        load_whole(self.model, state["model"])
        self.step, self.settings = state["progress"]["step"], settings
        if len(settings) < min(2, self.step) and self.step < self.parts:
            self.step = 0  # a state of before they were saved


def _put(classes: Classes, model: AutoregressiveModel, place: int) -> None:
    """Have a fitted mixture as the first (0) or the second (1) of a model."""
    network: JointGaussians = model.network  # type: ignore[assignment]
    into, heads = (network.scores, network.values)[place], _heads(model)
    used = len(classes.log_weight)
    into.log_weight.fill_(-50.0)
    into.log_weight[:used] = classes.log_weight
    numbers = torch.nonzero(~into.is_symbol)[:, 0]
    if len(numbers):
        into.mean[:used, numbers] = classes.mean
        for k in range(used):
            into.lower[k, numbers[:, None], numbers] = classes.lower[k]
    for column, table in zip(torch.nonzero(into.is_symbol)[:, 0].tolist(), classes.log_pmf, strict=True):
        into.log_pmf[:used, column, : table.shape[1]] = table
        heads[column].log_pmf[place, :used] = table


def _heads(model: AutoregressiveModel) -> list[JointGaussiansHead]:
    heads: Sequence[Head] = model.head.heads if isinstance(model.head, ColumnsHead) else []  # type: ignore[assignment]
    return [head for head in heads if isinstance(head, JointGaussiansHead)]


def _rows(network: JointGaussians, train: Tensor, place: int) -> Rows:
    """What the first (0) or the second (1) mixture reads of rows (N, D)."""
    read = (network.as_scores, network.as_values)[place]
    values = torch.stack([read(train[:, d], d) for d in range(network.length)], 1)
    is_symbol = network.scores.is_symbol
    symbols = values[:, is_symbol].long()
    sizes = tuple(c.num_symbols + c.missing for c in network.columns if c.num_symbols is not None)
    if is_symbol.all():  # one number that says nothing
        return Rows(torch.zeros(len(values), 1).double(), symbols, sizes)
    return Rows(values[:, ~is_symbol], symbols, sizes)


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
