"""NADE against its sums written out, its mean from data, and the cost of its step."""

import numpy as np
import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from chainrule.errors import InputError
from chainrule.networks.nade import NADE
from chainrule.verification.laws import elements, randomised

D, V, FEATURES, HIDDEN = 5, 3, 2, 12


def numbers(tensor):
    return tensor.detach().double().numpy()


def active(u, norm):
    """relu(norm(u)) of one vector."""
    z = (u - u.mean()) / np.sqrt(u.var() + norm.eps)
    return np.maximum(z * numbers(norm.weight) + numbers(norm.bias), 0)


def nade_oracle(net, x):
    """h of one example, one element after the other, every sum run anew."""
    table, mean = numbers(net.embedding.table.weight), numbers(net.mean)
    h = np.zeros((D, FEATURES))
    for d in range(D):
        u = numbers(net.start) + sum((table[x[j]] - mean[j]) @ numbers(net.into)[j] for j in range(d))
        for layer, norm in zip(net.between, net.norms, strict=False):
            u = u + numbers(layer.weight) @ active(u, norm)
        h[d] = active(u, net.norms[-1]) @ numbers(net.out)[d] + numbers(net.bias)[d]
    return h


@pytest.mark.parametrize("depth", [0, 2])
def test_it_is_its_formula(depth):
    net = randomised(NADE(V, D, FEATURES, depth, width=HIDDEN)).eval().double()
    x = elements(V, 7, D)
    net.initialise(elements(V, 50, D))
    expected = np.stack([nade_oracle(net, row) for row in x.tolist()])
    np.testing.assert_allclose(numbers(net(x)), expected, rtol=1e-10, atol=1e-10)


def test_the_mean_is_that_of_the_data():
    x = torch.tensor([[0, 1, 1, 0, 1], [0, 1, 0, 0, 0]])
    net = NADE(2, D)
    net.initialise(x)
    torch.testing.assert_close(net.mean[:, 1], x.double().mean(0).float())


def test_reals_that_are_missing_have_a_mean():
    x = torch.tensor([[0.0, torch.nan], [2.0, 1.0], [4.0, 3.0]])
    net = NADE(None, 2, 3)
    net.initialise(x)
    assert net.mean.isfinite().all()
    torch.testing.assert_close(net.embedding.centre, torch.tensor([2.0, 2.0], dtype=torch.float64))


def test_dropout_takes_the_same_units_from_all_elements():
    net = randomised(NADE(2, D, width=1000, dropout=0.5)).train()
    active = net.active(torch.randn(D, 1, 1000), 0)
    dropped = ((active == 0).sum(0) == D).float().mean()  # of units alone, without dropout, 2^-5
    assert 0.45 < dropped < 0.58


def test_a_step_costs_the_same_at_every_element():
    net = NADE(2, 50, width=32).eval()
    state, costs = net.initial_state(4), []
    for _ in range(50):
        with FlopCounterMode(display=False) as counter:
            _, state = net.step(torch.ones(4, dtype=torch.long), state)
        costs.append(counter.get_total_flops())
    assert len(set(costs[1:])) == 1


def test_what_it_refuses():
    with pytest.raises(InputError, match="start at 1"):
        NADE(2, D, width=0)
    with pytest.raises(InputError, match="at most 5"):
        NADE(2, D)(torch.zeros(1, 6, dtype=torch.long))
