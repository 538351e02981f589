"""Fitting boosted trees, element by element: for each binary decision about x_d a forest over x_<d.

LightGBM grows the trees, with rounds by early stopping on the validation split, and what it grew becomes tensors. The
decisions of one level of an element's tree share a fit, in which they are told apart by one more input; afterwards each
has its own trees, in which that input is known.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import log
from typing import Any

import numpy as np
import torch
from torch import Tensor

from chainrule.batch import Array
from chainrule.data.examples.base import Examples
from chainrule.data.examples.in_batches import in_batches
from chainrule.data.examples.subset import spread
from chainrule.errors import InputError
from chainrule.models.chain import AutoregressiveModel
from chainrule.networks.boosted_trees import BoostedTrees
from chainrule.networks.forest import TENSORS, UNIT
from chainrule.training.allowance import Allowance
from chainrule.training.boosting_budget import BoostingBudget
from chainrule.training.lightgbm_trees import MISSING, GrownTree, Settings, boost, layout
from chainrule.training.stumps import Stumps

__all__ = ["Boosting"]

FEWEST = 10  # rows of a decision that trees are fitted to
MOST_CELLS = 1 << 27  # of the rows that are held in memory: where there are more, some of them, evenly apart


class Boosting:
    """Boosted trees while they are fitted: a state that can be saved between two elements.

    model: boosted trees with a head of decisions, which is initialised.
    train: the training examples, all of one length.
    valid: the validation examples.
    seed: of the shares of rows and columns that trees read.
    threads: number of threads.
    allowance: the time that fitting has; None for as much as it takes.

    step: number of elements that are fitted.
    parts: number of all of them.
    """

    def __init__(
        self,
        model: AutoregressiveModel,
        train: Examples,
        valid: Examples,
        *,
        seed: int = 0,
        threads: int = 1,
        allowance: Allowance | None = None,
    ) -> None:
        network = model.network
        if not isinstance(network, BoostedTrees):
            raise InputError(f"boosting fits a BoostedTrees network, got a {type(network).__name__}")
        self.network, self.head = network, model.head
        self.train, self.valid = (_rows(examples, network) for examples in (train, valid))
        options = (network.rounds, network.patience, network.learning_rate, network.leaves, network.leaf_rows)
        self.settings = Settings(*options, network.l2, network.column_share, network.row_share, seed % 2**31, threads)
        self.step, self.parts = 0, network.length
        self.start = np.zeros(network.length * network.features, dtype=np.int64)
        self.trees: dict[str, list[Array]] = {name: [] for name in TENSORS[1:]}
        self.budget = None if allowance is None else BoostingBudget(allowance, self)

    def fit_next(self) -> None:
        """Fit the trees of one more element: with a limited time, of the one of which they are to say most."""
        d = self.step if self.budget is None else self.budget.element()
        answers, of_valid = self.answers(d)
        turn = None if self.budget is None else self.budget.turn(d)
        for decisions in levels(answers):
            rows, valid = _asked(self.train, answers, d, decisions), _asked(self.valid, of_valid, d, decisions)
            if d and len(rows[1]) >= FEWEST and len(valid[1]) and 0 < rows[1].sum() < len(rows[1]):
                boosted = boost(rows, valid, self.settings) if turn is None else turn.boost(rows, valid, decisions)
            else:
                boosted = None
            for decision in decisions:
                if turn is not None and boosted is None and d:
                    self.keep_stumps(d, decision, turn.stumps)
                else:
                    self._keep(d, decision, boosted.trees if boosted is not None else [], answers[:, decision])
        if turn is not None:
            turn.close()
        self.step += 1

    def answers(self, d: int) -> tuple[Array, Array]:
        """The decisions about an element of every training and validation row."""
        train, valid = (
            self.head.decisions(d, torch.from_numpy(_values(rows[:, d]))).numpy() for rows in (self.train, self.valid)
        )
        return train, valid

    def keep_stumps(self, d: int, decision: int, stumps: Stumps) -> None:
        """Take stumps for one decision."""
        forest = d * self.network.features + decision
        self.start[forest] = round(float(stumps.start[decision]) / UNIT)
        for j, threshold, *values in stumps.added[decision]:
            tree = GrownTree(np.array([j]), np.array([threshold]), np.array([~0]), np.array([~1]), np.array(values))
            self._add(forest, layout(tree, np.zeros(0), d + 1, self.network.leaves))

    def _add(self, forest: int, laid_out: tuple[Array, Array, Array, Array]) -> None:
        """Take a tree; one of a single leaf joins the constant."""
        feature, threshold, kept, value = laid_out
        value = np.rint(value / UNIT).astype(np.int32)
        if kept[0] == -1:
            self.start[forest] += value[0]
            return
        parts = (np.array(forest, dtype=np.int32), feature, threshold, kept, value)
        for name, part in zip(TENSORS[1:], parts, strict=True):
            self.trees[name].append(part)

    def _keep(self, d: int, decision: int, grown: Sequence[GrownTree], answers: Array) -> None:
        """Take the trees for one decision, or a constant where there are none; trees of one leaf join the constant."""
        forest = d * self.network.features + decision
        if not grown:
            right, left = (answers > 0).sum() + 0.5, (answers < 0).sum() + 0.5
            self.start[forest] = round(log(right / left) / UNIT)
        for tree in grown:
            self._add(forest, layout(tree, np.array([decision]), d, self.network.leaves))

    def load_into_network(self) -> None:
        """Put what is fitted into the network."""
        forest = self.network.forest
        forest.start.copy_(torch.from_numpy(self.start))
        forest.load(*self._tensors().values())

    def _tensors(self) -> dict[str, Tensor]:
        """The trees so far, sorted by their forest."""
        if not self.trees["owner"]:
            return {name: self.network.forest.get_buffer(name)[:0].cpu() for name in self.trees}
        stacked = {name: torch.from_numpy(np.stack(parts)) for name, parts in self.trees.items()}
        order = stacked["owner"].sort(stable=True).indices
        return {name: parts[order] for name, parts in stacked.items()}

    def state_dict(self) -> dict[str, Any]:
        """What a checkpoint holds."""
        return {"trees": self._tensors() | {"start": torch.from_numpy(self.start)}, "progress": {"step": self.step}}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from a saved state; raises InputError, and changes nothing, if it does not fit."""
        trees, step = state["trees"], state["progress"]["step"]
        forest, before = self.network.forest, self.network.forest.state_dict()
        try:
            self.network.forest.load_state_dict(trees)
        except RuntimeError as error:
            raise InputError(f"the state does not fit: {error}") from None
        finally:
            forest.load_state_dict(before)
        self.start = trees["start"].numpy().copy()
        self.trees = {name: list(trees[name].numpy()) for name in self.trees}
        self.step = step


def levels(answers: Array) -> list[list[int]]:
    """The decisions that are asked about any row, by how many others come before them.

    answers: of each row and decision, 0 where it is not asked, shape (N, H).

    >>> levels(np.array([[-1, 0, 0], [1, -1, 0], [1, 1, -1], [1, 1, 1]]))
    [[0], [1], [2]]
    """
    asked = (answers != 0).astype(np.float64)
    together = asked.T @ asked
    count = np.diag(together)
    before = ((together == count[:, None]) & (count > count[:, None])).sum(1)
    used = np.flatnonzero(count)
    return [used[before[used] == level].tolist() for level in np.unique(before[used])]


def _asked(rows: Array, answers: Array, d: int, decisions: Sequence[int]) -> tuple[Array, Array]:
    """The elements before d of the rows that any of the decisions is about, and whether the answer is right.

    Where there are several decisions, which of them it is follows as one more input.
    """
    if len(decisions) == 1 and answers[:, decisions[0]].all():
        return rows[:, :d], (answers[:, decisions[0]] > 0).astype(np.float32)
    place, which = np.nonzero(answers[:, decisions])
    number = np.asarray(decisions)[which]
    right = (answers[place, number] > 0).astype(np.float32)
    if len(decisions) == 1:
        return rows[place, :d], right
    return np.concatenate([rows[place, :d], number[:, None].astype(rows.dtype)], 1), right


def _values(column: Array) -> Array:
    """The values of an element as its head reads them, NaN where a number is missing."""
    values = column.astype(np.float64)
    return np.where(values == MISSING, np.nan, values)


def _rows(examples: Examples, network: BoostedTrees) -> Array:
    """The examples, shape (N, D), missing numbers as the largest; of very many some, evenly apart."""
    kind = np.float64 if network.num_symbols is None else np.float32
    examples = spread(examples, max(1, MOST_CELLS // network.length))
    rows = np.empty((len(examples), network.length), dtype=kind)
    for place, batch in in_batches(examples, 4096):
        if batch.x.shape[1] != network.length or not bool(batch.mask.all()):
            raise InputError("boosted trees are for examples of one length; take another network")
        if batch.context is not None:
            raise InputError("boosted trees take no context; take another network, or leave out --given")
        rows[place] = batch.x.numpy()
    return np.where(np.isnan(rows), MISSING, rows) if kind is np.float64 else rows
