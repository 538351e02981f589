"""Chains with a portable form, one of every kind, and rows that they draw."""

import numpy as np
import torch

from chainrule.coding.elements import Anchor
from chainrule.coding.walk import Layout
from chainrule.config.registry import averaged
from chainrule.domain import Column
from chainrule.heads.columns import ColumnsHead
from chainrule.heads.decisions import DecisionsHead
from chainrule.heads.first_logits import FirstLogitsHead
from chainrule.heads.logits import LogitsHead
from chainrule.models.chain import AutoregressiveModel
from chainrule.networks.boosted_trees import BoostedTrees
from chainrule.networks.ngram import NGram
from tests.laws.head_instances import decisions
from tests.laws.network_instances import FEATURES, LENGTH, counted
from tests.networks.test_chow_liu import random_tree
from tests.support.random_trees import with_random_trees

NUMBERS = (Column(4), Column(None, resolution=1.0, count=True), Column(None, resolution=0.5, missing=True))
NUMBERS += (Column(3, ordinal=True, missing=True), Column(None, resolution=1.0), Column(2))
SIZES = (5, 2, 3, 5, 4, 1)  # symbols of the columns of a table


def tree(seed=0):
    return AutoregressiveModel(random_tree(LENGTH, FEATURES, seed), LogitsHead(FEATURES))


def tree_of_columns():
    head = ColumnsHead([FirstLogitsHead(max(SIZES), size) for size in SIZES])
    return AutoregressiveModel(random_tree(len(SIZES), max(SIZES), 1), head)


def ngrams(orders=(1, 2, 3)):
    return AutoregressiveModel(counted(NGram(FEATURES, LENGTH, orders=orders)), LogitsHead(FEATURES))


def trees():
    """Boosted trees of symbols."""
    network = with_random_trees(BoostedTrees(FEATURES, LENGTH, FEATURES - 1, leaves=4))
    return AutoregressiveModel(network, DecisionsHead(FEATURES - 1, FEATURES))


def trees_of(columns, seed=0):
    """Boosted trees of a table."""
    torch.manual_seed(seed)
    head = ColumnsHead([decisions(column) for column in columns])
    symbols = None if any(c.num_symbols is None for c in columns) else max(SIZES)
    return AutoregressiveModel(with_random_trees(BoostedTrees(symbols, len(columns), head.features, leaves=4)), head)


def weighed():
    model = averaged([tree(), ngrams(), trees()], weighted=True)
    model.head.weigh(torch.tensor([0.2, 0.5, 0.3], dtype=torch.float64))
    return model


def by_context():
    model = averaged([tree(), ngrams()], weights_by="context")
    weights = torch.rand(model.network.gate.log_weight.shape, generator=torch.Generator().manual_seed(0))
    model.network.gate.weigh(weights.double() / weights.double().sum(1, keepdim=True))
    return model


def by_hindsight(*members):
    model = averaged(members, weights_by="hindsight")
    model.network.hindsight.weigh(torch.tensor([0.3, 0.7, 0.6]).double())
    return model


INSTANCES = {
    "a Chow-Liu tree": tree,
    "a Chow-Liu tree of columns": tree_of_columns,
    "n-grams": ngrams,
    "n-grams from 2 on": lambda: ngrams((2, 4)),
    "boosted trees": trees,
    "boosted trees of a table": lambda: trees_of(NUMBERS),
    "an average": weighed,
    "an average by context": by_context,
    "an average by hindsight": lambda: by_hindsight(tree_of_columns(), trees_of([Column(size) for size in SIZES])),
    "an average of numbers": lambda: by_hindsight(trees_of(NUMBERS), trees_of(NUMBERS, 1)),
}


def rows_of(model, count=24):
    """Rows that a model draws, on its grid, the same on every machine but for what its last bits decide."""
    u = np.random.default_rng(0).random((count, model.length))
    x = model.unroll(lambda d, p: p.icdf(torch.from_numpy(u[:, d])), count).double().numpy()
    return np.round(x * 2) / 2


def layout_of(model, x, lanes=16):
    """How these rows are walked by portable arithmetic."""
    real = model.num_symbols is None and not model.head.integers if isinstance(model.head, ColumnsHead) else False
    real = real or bool(np.isnan(x).any()) or bool((x % 1 != 0).any())
    anchors = tuple(Anchor.of(column[np.isfinite(column)] // 1) for column in x.T) if real else ()
    return Layout(lanes, model.length, model.length, model.length, real=real, anchors=anchors, portable=True)
