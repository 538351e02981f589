"""The portable profile: the same archive whatever the processor, the threads and the batch."""

import numpy as np
import pytest
import torch

from chainrule.coding.elements import Anchor
from chainrule.coding.portable import portable
from chainrule.coding.portable_chain import refusal_of
from chainrule.coding.portable_numbers import portable_exp, portable_sigmoid
from chainrule.coding.walk import Layout, decode_sequences, encode_sequences
from chainrule.domain import Column
from chainrule.errors import InputError
from chainrule.heads.categorical import CategoricalHead
from chainrule.heads.columns import ColumnsHead
from chainrule.heads.decisions import DecisionsHead
from chainrule.models.chain import AutoregressiveModel
from chainrule.networks.boosted_trees import BoostedTrees
from chainrule.networks.state_space import StateSpace
from tests.laws.head_instances import decisions
from tests.support.random_trees import with_random_trees

FEATURES = 8
COLUMNS = (
    Column(4),
    Column(None, resolution=1.0, count=True),
    Column(None, resolution=0.5, missing=True),
    Column(3, ordinal=True, missing=True),
    Column(None, resolution=1.0),
)


def rows_of_trees():
    """A table of every kind of column, and rows that it draws."""
    torch.manual_seed(0)
    head = ColumnsHead([decisions(column) for column in COLUMNS])
    model = AutoregressiveModel(with_random_trees(BoostedTrees(None, len(COLUMNS), FEATURES, leaves=4)), head)
    u = np.random.default_rng(0).random((40, len(COLUMNS)))
    x = model.unroll(lambda d, p: p.icdf(torch.from_numpy(u[:, d])), 40).numpy()
    anchors = tuple(Anchor.of(column[np.isfinite(column)] // 1) for column in x.T)
    layout = Layout(16, len(COLUMNS), len(COLUMNS), len(COLUMNS), real=True, anchors=anchors, portable=True)
    return model, layout, x


def test_the_exponential_is_right():
    x = -np.concatenate([np.linspace(0, 50, 20_001), np.linspace(50, 740, 2001)])
    assert np.abs(portable_exp(x) / np.exp(x) - 1).max() < 5e-16 * 2
    s = np.linspace(-30, 30, 1001)
    assert np.abs(portable_sigmoid(s) * (1 + np.exp(-s)) - 1).max() < 1e-15
    assert portable_exp(np.array([-1e300])) < 1e-300


def test_portable_distributions_are_the_same_distributions():
    model, _, x = rows_of_trees()
    rows = torch.from_numpy(x)
    with torch.no_grad():
        h = model.network(rows)
        for d in range(len(COLUMNS)):
            p = model.head.at(d, h[:, d], rows[:, :d])
            q = portable(p)
            if p.num_symbols is not None:
                assert torch.allclose(p.pmf().double(), q.pmf(), rtol=1e-5)
            else:
                assert torch.allclose(p.cdf(rows[:, d].nan_to_num()), q.cdf(rows[:, d].nan_to_num()), rtol=1e-6)
                assert torch.allclose(p.missing_share().double(), q.missing_share(), rtol=1e-5)


def test_rows_come_back_in_lanes_of_any_number():
    model, layout, x = rows_of_trees()
    code = encode_sequences(model, layout, list(x))
    found = decode_sequences(model, layout, code, [len(COLUMNS)] * len(x))
    assert np.array_equal(np.stack(found), x, equal_nan=True)


def test_a_float32_network_and_other_heads_are_refused_by_name():
    model, *_ = rows_of_trees()
    assert refusal_of(model) is None
    scan = AutoregressiveModel(StateSpace(3, 4, 8), CategoricalHead(8, 3))
    assert "StateSpace differ in their last bits" in (refusal_of(scan) or "")
    trees = AutoregressiveModel(BoostedTrees(3, 4, 8), CategoricalHead(8, 3))
    assert "a Categorical has no portable form" in (refusal_of(trees) or "")
    with pytest.raises(InputError, match="no portable form; code with --profile native"):
        portable(CategoricalHead(8, 3)(torch.zeros(1, 8)))
    assert refusal_of(AutoregressiveModel(BoostedTrees(3, 4, 2), DecisionsHead(2, 3))) is None
