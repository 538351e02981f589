"""Boosted trees as tensors: what is read, what is saved, what is refused."""

import pytest
import torch

from chainrule.errors import InputError
from chainrule.networks import BoostedTrees
from tests.support.random_trees import with_random_trees


def test_leaf_by_leaf_is_the_tree():
    """A tree of three leaves, walked by hand: x_0 <= 0 ? a : (x_1 <= 1 ? b : c), a missing value to the right."""
    network = BoostedTrees(None, 3, 1, leaves=3)
    a, b, c = 2**20, 2**21, -(2**19)
    masks = torch.tensor([[~0b001, ~0b010]])
    network.forest.load([2], torch.tensor([[0, 1]]), torch.tensor([[0.0, 1.0]]), masks, torch.tensor([[a, b, c]]))
    rows = [[-1.0, 5.0], [0.0, 5.0], [0.5, 1.0], [0.5, 1.5], [torch.nan, 0.0], [torch.nan, torch.nan]]
    x = torch.tensor([[*row, 0.0] for row in rows])
    assert network(x)[:, 2, 0].tolist() == [1.0, 1.0, 2.0, -0.5, 2.0, -0.5]
    assert not network(x)[:, :2].any()


def test_any_number_of_examples_at_once_gives_the_same_bits():
    network = with_random_trees(BoostedTrees(5, 6, 8))
    x = torch.randint(5, (300, 6), generator=torch.Generator().manual_seed(1))
    whole = network(x)
    assert torch.equal(whole, torch.cat([network(row) for row in x.split(7)]))


def test_weights_are_loaded_whatever_their_number():
    network = with_random_trees(BoostedTrees(5, 6, 8))
    other = BoostedTrees(5, 6, 8)
    other.load_state_dict(network.state_dict())
    x = torch.randint(5, (4, 6))
    assert torch.equal(other(x), network(x))


@pytest.mark.parametrize(
    ("name", "change", "said"),
    [
        ("feature", lambda t: t.fill_(5), "reads an element that is not before its own"),
        ("feature", lambda t: t - 1, "reads an element that is not before its own"),
        ("owner", lambda t: t.flip(0), "do not belong to forests in order"),
        ("value", lambda t: t[1:], "shapes"),
    ],
)
def test_weights_that_are_no_chain_are_refused(name, change, said):
    weights = with_random_trees(BoostedTrees(5, 6, 8)).state_dict()
    weights[f"forest.{name}"] = change(weights[f"forest.{name}"].clone())
    with pytest.raises(RuntimeError, match=said):
        BoostedTrees(5, 6, 8).load_state_dict(weights)


def test_what_trees_cannot_have_is_refused():
    with pytest.raises(InputError, match="2 to 31 leaves, got 32"):
        BoostedTrees(2, 6, leaves=32)
    with pytest.raises(InputError, match="shares are above 0"):
        BoostedTrees(2, 6, row_share=0.0)
    network = BoostedTrees(2, 6)
    with pytest.raises(InputError, match="take no context"):
        network(torch.zeros(1, 6, dtype=torch.long), torch.zeros(1, dtype=torch.long))
    with pytest.raises(InputError, match="have 7 elements"):
        network(torch.zeros(1, 7, dtype=torch.long))
