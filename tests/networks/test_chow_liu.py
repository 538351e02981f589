"""The Chow-Liu tree as a network: its conditionals in any order are those of the tree, by enumeration."""

from itertools import product

import numpy as np
import pytest
import torch

from chainrule.errors import InputError
from chainrule.networks import ChowLiu
from chainrule.networks.tree_messages import schedule_of


def random_tree(length, symbols, seed):
    """A forest over elements in any order, with random tables."""
    noise = np.random.default_rng(seed)
    network, vertices = ChowLiu(symbols, length), noise.permutation(length)
    parent = np.arange(length)
    for k in range(1, length):
        if noise.random() < 0.9:
            parent[vertices[k]] = vertices[noise.integers(0, k)]
    table = torch.from_numpy(noise.normal(size=network.log_table.shape) * 2).log_softmax(1)
    roots = torch.from_numpy(parent == np.arange(length))
    table[roots] = table[roots][:, :, :1]
    network.load(torch.from_numpy(parent), table, network.place, network.log_within)
    return network


def in_all(network, symbols):
    """Every example, and ln p of each by the tables of the tree."""
    x = torch.tensor(list(product(range(symbols), repeat=network.length)))
    return x, network.log_table[torch.arange(network.length), x, x[:, network.parent]].sum(1)


@pytest.mark.parametrize(("length", "symbols"), [(7, 2), (4, 3), (1, 3), (5, 1)])
def test_conditionals_are_those_of_the_tree(length, symbols):
    for seed in range(8):
        network = random_tree(length, symbols, seed).double()
        x, joint = in_all(network, symbols)
        log_p = network(x).gather(-1, x[..., None])[..., 0]
        assert float(joint.exp().sum()) == pytest.approx(1)
        assert float((log_p.sum(1) - joint).abs().max()) < 1e-10
        for d in range(length):  # p(x_d | x_<d), summed over all that follows
            alike = x[:, None, :d].eq(x[None, :, :d]).all(2)
            same = alike & x[:, None, d].eq(x[None, :, d])
            expected = (same * joint.exp()).sum(1).log() - (alike * joint.exp()).sum(1).log()
            assert float((log_p[:, d] - expected).abs().max()) < 1e-10


@pytest.mark.parametrize("hub", ["first", "last", "none"])
def test_the_number_of_messages_stays_small(hub):
    """A star with its centre first or last, and a chain: one message, or none, for each element."""
    parent = {"first": [0] * 50, "last": [49] * 50, "none": [max(0, d - 1) for d in range(50)]}[hub]
    assert len(schedule_of(parent).messages) <= 50


def test_rare_symbols_share_a_place():
    network = ChowLiu(5000, 4)
    assert network.places == 1024
    x = torch.tensor([[4999, 3, 1500, 0]])
    network = network.double()
    assert float(network(x).exp().sum(-1).sub(1).abs().max()) < 1e-9
    assert float(network(x)[0, 0, 4999].exp()) == pytest.approx(1 / 1024 / (5000 - 1023))


def test_what_it_does_not_take_is_refused():
    for symbols, features in ((None, None), (3, 4)):
        with pytest.raises(InputError, match="is of symbols and has a feature for each"):
            ChowLiu(symbols, 5, features)
    network = ChowLiu(2, 3)
    with pytest.raises(InputError, match="takes no context"):
        network(torch.zeros(1, 3).long(), torch.zeros(1).long())
    with pytest.raises(InputError, match="at most 3"):
        network(torch.zeros(1, 4).long())


def test_a_circle_of_parents_is_refused():
    network, state = ChowLiu(2, 4), ChowLiu(2, 4).state_dict()
    for name, value, said in (
        ("parent", torch.tensor([1, 2, 0, 3]), "round in a circle"),
        ("parent", torch.tensor([4, 0, 0, 0]), "not among the 4"),
        ("place", torch.full((4, 2), 7), "outside 0 to 1"),
        ("log_table", state["log_table"] * torch.nan, "not finite"),
    ):
        with pytest.raises(RuntimeError, match=said):
            network.load_state_dict(state | {name: value})
