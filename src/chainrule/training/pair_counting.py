"""Counting pairs of elements for a Chow-Liu tree, of which validation data say how much is worth keeping."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from chainrule.baselines.pair_counts import (
    conditional_tables,
    counted_pairs,
    counts_beside,
    mutual_information,
    real_symbols,
    spanning_tree,
)
from chainrule.data.examples.base import Examples
from chainrule.data.examples.in_batches import in_batches
from chainrule.data.examples.subset import spread
from chainrule.errors import InputError
from chainrule.heads.columns import ColumnsHead
from chainrule.models.chain import AutoregressiveModel
from chainrule.networks.chow_liu import ChowLiu
from chainrule.networks.tree_messages import schedule_of
from chainrule.training.fitted_state import load_whole

__all__ = ["PairCounting"]

MOST_CELLS = 1 << 26  # of the rows that are held in memory: where there are more, some of them, evenly apart
MOST_WORK = 4e10  # multiplications in counting all pairs
LEAST_ROWS = 1000  # by which the tree is chosen
SMOOTHINGS = (1.0, 0.1)  # what is added to a count: by the Chow-Liu tree of the baselines, by the Markov chain
MOST_MESSAGES = 32  # per element, in a tree
TINY = 1e-300


class PairCounting:
    """A Chow-Liu tree while it is counted: all in one part, for it takes seconds.

    The tree is chosen among that of largest mutual information and the chain in which every element depends on the one
    before it, with one of two numbers added to the counts; edges are taken in the order of their mutual information, as
    many as are best on validation data, down to none, which leaves independent elements.

    model: a Chow-Liu tree with its head, changed in place.
    train: what is counted.
    valid: what the tree is chosen by.

    step: 1 when it is done.
    parts: 1.
    """

    def __init__(self, model: AutoregressiveModel, train: Examples, valid: Examples) -> None:
        network, head = model.network, model.head
        if not isinstance(network, ChowLiu):
            raise InputError(f"counting pairs fits a ChowLiu network, got a {type(network).__name__}")
        self.network, self.train, self.valid = network, train, valid
        sizes = [network.num_symbols] * network.length
        if isinstance(head, ColumnsHead):
            sizes = [column.num_symbols or 0 for column in head.heads]  # type: ignore[misc]
        self.sizes = sizes
        self.step, self.parts = 0, 1

    def fit_next(self) -> None:
        """Count, and choose."""
        network, symbols = self.network, self.network.num_symbols
        train, valid = _rows(self.train, network.length), _rows(self.valid, network.length)
        if not len(train):
            raise InputError("a Chow-Liu tree needs at least one example to count, got none")
        place, log_within = self._places(train)
        if network.places < symbols:
            train, valid = (place[torch.arange(network.length), x.long()] for x in (train, valid))
        real = real_symbols(network.length, network.places, [min(n, network.places) for n in self.sizes])
        best = _chosen(train, valid, real)
        network.load(best.parent, best.log_table.clamp(min=np.log(TINY)), place, log_within)
        self.step = 1

    def _places(self, train: Tensor) -> tuple[Tensor, Tensor]:
        """The place of each symbol in the tables, and ln of its share in the place, both of shape (D, V)."""
        network, places = self.network, self.network.places
        place, log_within = network.place.clone(), torch.zeros(network.length, network.num_symbols).double()
        for d, size in enumerate(self.sizes):
            if size <= places:
                place[d] = torch.arange(network.num_symbols).clamp(max=places - 1)
                continue
            count = torch.bincount(train[:, d].long(), minlength=network.num_symbols)[:size]
            place[d] = places - 1
            place[d, count.argsort(descending=True, stable=True)[: places - 1]] = torch.arange(places - 1)
            rare = place[d, :size] == places - 1
            within = torch.where(rare, count + 1.0, 0.0)
            log_within[d, :size] = torch.where(rare, (within / within.sum()).clamp(min=TINY).log(), 0.0)
            log_within[d, size:] = np.log(TINY)
        return place, log_within

    def load_into_network(self) -> None:
        """Nothing is left to do."""

    def state_dict(self) -> dict[str, Any]:
        """What a checkpoint holds."""
        return {"tree": self.network.state_dict(), "progress": {"step": self.step}}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from a saved state; raises InputError, and changes nothing, if it does not fit."""
        if state["progress"]["step"]:
            load_whole(self.network, state["tree"])
        self.step = state["progress"]["step"]


@dataclass(frozen=True)
class Candidate:
    """A forest with its tables, and the mean of ln p of the validation rows under it."""

    parent: Tensor
    log_table: Tensor
    value: float


def _chosen(train: Tensor, valid: Tensor, real: Tensor) -> Candidate:
    """The best forest. train, valid: rows (N, D). real: which symbols each element has, shape (D, V)."""
    length, symbols = real.shape
    most = max(LEAST_ROWS, int(MOST_WORK / (2 * (length * max(1, symbols - 1)) ** 2)))
    wanted = min(len(train), most)
    weight = mutual_information(counted_pairs([train[torch.arange(wanted) * len(train) // wanted]], symbols), real)
    tree = spanning_tree(weight)
    if len(schedule_of(tree.tolist()).messages) > MOST_MESSAGES * length:
        tree = _best_before(weight)
    if not len(valid):
        return Candidate(tree, conditional_tables(counts_beside([train], tree, symbols), tree, real), 0.0)
    found = []
    for parent in (tree, (torch.arange(length) - 1).clamp(min=0)):
        counts = counts_beside([train], parent, symbols)
        for smoothing in SMOOTHINGS:
            found.append(_pruned(counts, parent, weight, real, smoothing, valid))
    return max(found, key=lambda candidate: candidate.value)


def _best_before(weight: Tensor) -> Tensor:
    """The element before each that says most about it. weight: mutual information, shape (D, D)."""
    before = torch.where(torch.ones_like(weight).tril(-1) > 0, weight, -torch.inf)
    return torch.cat([torch.zeros(1, dtype=torch.long), before[1:].argmax(1)])


def _pruned(counts: Tensor, parent: Tensor, weight: Tensor, real: Tensor, smoothing: float, valid: Tensor) -> Candidate:
    """A forest of the edges of a tree, by falling mutual information as many as are best on the validation rows.

    All edges stay where fewer are better by less than one standard error.
    """
    element = torch.arange(len(parent))
    tables = conditional_tables(counts, parent, real, smoothing)
    apart = conditional_tables(_own(counts), element, real, smoothing)
    x = valid.long()
    alone = apart[element, x, x]
    gain = tables[element, x, x[:, parent]] - alone  # of each edge in each row
    order = weight[element, parent].masked_fill(parent == element, torch.inf).argsort(descending=True, stable=True)
    total = gain[:, order].cumsum(1)
    mean = total.mean(0)
    kept = int(mean.argmax()) + 1
    more = total[:, kept - 1] - total[:, -1]
    if float(more.mean()) <= float(more.std(correction=0)) / max(1, len(x) - 1) ** 0.5:
        kept = len(parent)
    cut = order[kept:]
    parent, tables = parent.clone(), tables.clone()
    parent[cut], tables[cut] = cut, apart[cut]
    return Candidate(parent, tables, float(alone.sum(1).mean() + mean[kept - 1]))


def _own(counts: Tensor) -> Tensor:
    """The counts of each element beside itself, shape (D, V, V), from those beside its parent."""
    return torch.diag_embed(counts.sum(2))


def _rows(examples: Examples, length: int) -> Tensor:
    """The examples, shape (N, D); of very many some, evenly apart."""
    parts = [torch.zeros(0, length, dtype=torch.int32)]
    for _, batch in in_batches(spread(examples, max(1, MOST_CELLS // length)), 4096):
        if batch.x.shape[1] != length or not bool(batch.mask.all()):
            raise InputError("a Chow-Liu tree is for examples of one length; take another network")
        if batch.context is not None:
            raise InputError("a Chow-Liu tree takes no context; take another network, or leave out --given")
        parts.append(batch.x.to(torch.int32))
    return torch.cat(parts)
