"""Chains by portable arithmetic: the same distributions, in lanes of any number the same bits, and they decode."""

from copy import deepcopy

import numpy as np
import pytest
import torch

from chainrule.coding.portable_chain import PortableChain, refusal_of
from chainrule.coding.portable_numbers import portable_log
from chainrule.coding.walk import decode_sequences, encode_sequences
from chainrule.config.registry import averaged
from chainrule.heads.categorical import CategoricalHead
from chainrule.heads.hierarchical_softmax import HierarchicalSoftmaxHead
from chainrule.heads.logits import LogitsHead
from chainrule.models.chain import AutoregressiveModel
from chainrule.networks.causal_conv import CausalConv
from chainrule.networks.nade import NADE
from chainrule.networks.state_space import StateSpace
from tests.coding.portable_instances import INSTANCES, layout_of, rows_of, tree
from tests.laws.network_instances import FEATURES, LENGTH
from tests.networks.test_chow_liu import random_tree


def walked(unroll, x, of):
    """What some function of each distribution gives along rows, shape (B, D, ...)."""
    found = []

    def draw(d, p):
        found.append(of(p, x[:, d]))
        return x[:, d]

    unroll(draw, len(x))
    return found


def numbers(p, x):
    """The probabilities of the symbols, or of being missing and at most the value."""
    if p.num_symbols is not None:
        return p.pmf().double()
    return torch.stack([p.missing_share().double(), p.cdf(x.nan_to_num()).double()], -1)


def as_given(model, x):
    """Rows as the chain takes them."""
    return torch.from_numpy(x) if layout_of(model, x).real else torch.from_numpy(x).long()


@pytest.mark.parametrize("name", INSTANCES)
def test_they_are_the_same_distributions_and_come_back(name):
    model = INSTANCES[name]()
    rows = rows_of(model)
    x = as_given(model, rows)
    ours, own = (walked(walk, x, numbers) for walk in (PortableChain(model).unroll, model.unroll))
    assert len(ours) == len(own) == model.length
    for a, b in zip(ours, own, strict=True):
        assert float((a - b).abs().max()) < 2e-5
    alone = walked(PortableChain(model).unroll, x[3:4], numbers)  # one lane, where there were 24: the same bits
    assert all(torch.equal(a[3:4], b) for a, b in zip(ours, alone, strict=True))
    layout = layout_of(model, rows, lanes=7)
    code = encode_sequences(model, layout, list(rows))
    back = decode_sequences(model, layout, code, [model.length] * len(rows))
    assert np.array_equal(np.stack(back), rows, equal_nan=True)


def test_a_tree_whose_rare_symbols_share_a_place(monkeypatch):
    monkeypatch.setattr("chainrule.networks.chow_liu.MOST_CELLS", 3 * 5)
    network = random_tree(5, 7, 0)
    assert network.places == 3
    model = AutoregressiveModel(network, LogitsHead(7))
    x = torch.from_numpy(rows_of(model)).long()
    ours, own = (walked(walk, x, numbers) for walk in (PortableChain(model).unroll, model.unroll))
    assert all(float((a - b).abs().max()) < 2e-5 for a, b in zip(ours, own, strict=True))


def test_evidence_against_everything_is_no_division_by_zero():
    """A table that gives each value one possible neighbour, and elements that contradict each other."""
    network = random_tree(5, 3, 0)
    table = torch.full_like(network.log_table, -1e4)
    table[:, range(3), range(3)] = 0.0
    network.load(torch.tensor([4, 4, 4, 4, 4]), table, network.place, network.log_within)
    model = AutoregressiveModel(network, LogitsHead(3))
    x = torch.tensor([[0, 1, 2, 0, 1]])
    assert all(bool(p.isfinite().all()) for p in walked(PortableChain(model).unroll, x, numbers))


def test_a_part_without_a_portable_form_is_named():
    scan = AutoregressiveModel(StateSpace(FEATURES, LENGTH, FEATURES), LogitsHead(FEATURES))
    assert "the numbers of a StateSpace differ in their last bits" in (refusal_of(averaged([tree(), scan])) or "")
    one_sided = averaged([tree(), scan], weighted=True)
    one_sided.head.weigh(torch.tensor([1.0, 0.0]).double())
    assert refusal_of(one_sided) is None  # of a part without any weight nothing is read
    with pytest.raises(ValueError, match="given conditions has no portable form"):
        PortableChain(tree()).unroll(lambda d, p: p.pmf().argmax(-1), 1, None, torch.zeros(1, 2))


def test_networks_that_are_not_portable_in_some_form_are_named():
    plain = CausalConv(FEATURES, LENGTH, FEATURES, depth=3, gated=False)
    given = NADE(FEATURES, LENGTH, FEATURES, num_classes=3)
    capped = CategoricalHead(FEATURES, FEATURES, soft_cap=4.0)
    for network, head, why in (
        (plain, LogitsHead(FEATURES), "a CausalConv without gates has no portable form"),
        (given, LogitsHead(FEATURES), "a NADE given conditions has no portable form"),
        (NADE(FEATURES, LENGTH, FEATURES), capped, "a CategoricalHead with a soft cap has no portable form"),
        (NADE(FEATURES, LENGTH, FEATURES), HierarchicalSoftmaxHead(FEATURES, FEATURES), "a HierarchicalSoftmaxHead"),
    ):
        assert why in (refusal_of(AutoregressiveModel(network, head)) or "")


@pytest.mark.parametrize("name", ["NADE of numbers at steps", "MADE", "causal convolutions", "an LSTM", "a PixelCNN"])
def test_weights_that_are_not_finite_are_refused_whichever_they_are(name):
    unread = ("network.embedding.start",) * ("NADE" in name)
    sound = INSTANCES[name]()
    for broken in (part for part, _ in sound.named_parameters() if part not in unread):
        model = deepcopy(sound)
        model.get_parameter(broken).data.view(-1)[0] = torch.nan
        assert "not finite numbers; train it again" in (refusal_of(model) or ""), broken


def test_the_logarithm_is_right():
    x = np.concatenate([np.geomspace(1e-300, 1e300, 5001), np.linspace(0.5, 2, 5001)])
    wanted = np.log(x)
    assert (np.abs(portable_log(x) - wanted) <= 1e-15 * np.maximum(np.abs(wanted), 0.5)).all()
