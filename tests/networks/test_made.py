"""MADE against its sums written out, in any order, and the cost of its step."""

import numpy as np
import pytest
import torch
from torch.autograd import gradcheck
from torch.utils.flop_counter import FlopCounterMode

from chainrule.errors import InputError
from chainrule.networks.made import MADE
from chainrule.verification.laws import elements, randomised

D, V, FEATURES, HIDDEN = 5, 3, 2, 12


def numbers(tensor):
    return tensor.detach().double().numpy()


def made_oracle(net, x, order, degree):
    """h of one example, unit by unit: every sum runs over what the unit may see, and no mask is multiplied."""
    table, start = numbers(net.embedding.table.weight), numbers(net.embedding.start)
    width = table.shape[1]
    e = {d: table[x[k]] - start for k, d in enumerate(order)}
    before = {d: list(order[:k]) for k, d in enumerate(order)}
    into = numbers(net.into.weight).reshape(HIDDEN, D, width)
    u = np.array(
        [numbers(net.into.bias)[k] + sum(into[k, j] @ e[j] for j in order[: degree[k]]) for k in range(HIDDEN)]
    )
    for layer in net.between:
        weight, bias, f = numbers(layer.weight), numbers(layer.bias), np.maximum(u, 0)
        sees = [[i for i in range(HIDDEN) if degree[i] <= degree[k]] for k in range(HIDDEN)]
        u = np.array([u[k] + bias[k] + sum(weight[k, i] * f[i] for i in sees[k]) for k in range(HIDDEN)])
    out, direct = numbers(net.out.weight).reshape(D, FEATURES, HIDDEN), numbers(net.direct.weight)
    h = np.zeros((D, FEATURES))
    for k, d in enumerate(order):
        h[k] = numbers(net.out.bias).reshape(D, FEATURES)[d]
        h[k] += sum(out[d, :, i] * max(u[i], 0) for i in range(HIDDEN) if degree[i] <= k)
        h[k] += sum(numbers(net.pairs)[d, j] * (direct @ e[j]) for j in before[d])
    return h


@pytest.mark.parametrize("depth", [0, 2])
def test_it_is_its_formula(depth):
    net = randomised(MADE(V, D, FEATURES, depth, hidden=HIDDEN)).double()
    x = elements(V, 4, D)
    degree = torch.tensor([3, 1, 4, 1, 2, 4, 3, 2, 1, 4, 2, 3])
    for order in ([0, 1, 2, 3, 4], [3, 0, 4, 2, 1]):
        h = net.in_order(torch.tensor(order), degree)(x)
        for row in range(len(x)):
            np.testing.assert_allclose(numbers(h[row]), made_oracle(net, x[row], order, degree), atol=1e-12)


def test_gradients():
    net = randomised(MADE(V, 3, 1, 1, hidden=4)).double()
    x = elements(V, 2, 3)
    names, values = zip(*net.named_parameters(), strict=True)

    def function(*parameters):
        return torch.func.functional_call(net, dict(zip(names, parameters, strict=True)), (x,))

    assert gradcheck(function, values)


@pytest.mark.parametrize("num_symbols", [2, 5, None])
def test_all_steps_together_cost_one_pass(num_symbols):
    net = randomised(MADE(num_symbols, 40, 3, 2, hidden=120))
    x = elements(num_symbols, 2, 40)
    with torch.no_grad(), FlopCounterMode(display=False) as whole:
        net(x)
    with torch.no_grad(), FlopCounterMode(display=False) as steps:
        state = net.initial_state(2)
        for d in range(40):
            _, state = net.step(x[:, d - 1] if d else None, state)
    assert 0 < steps.get_total_flops() <= whole.get_total_flops()


def test_orders_share_their_parameters_and_nothing_else():
    net = randomised(MADE(V, D, FEATURES, hidden=HIDDEN))
    order = torch.tensor([3, 0, 4, 2, 1])
    other = net.in_order(order)
    assert [p.data_ptr() for p in other.parameters()] == [p.data_ptr() for p in net.parameters()]
    assert torch.equal(net.order, torch.arange(D))
    x = elements(V, 3, D)
    assert not torch.equal(other(x), net(x))
    again = torch.tensor([1, 2, 0, 4, 3])
    torch.testing.assert_close(other.in_order(again)(x), net.in_order(order[again])(x))
    torch.testing.assert_close(other.in_order(order.argsort())(x), net(x))


def test_symbols_start_one_hot_and_two_need_one_feature():
    net = MADE(2, D)
    assert torch.equal(net.embedding.table.weight, torch.eye(2))
    assert net.features == 1
    assert MADE(200, D).features == 16
    assert MADE(200, D).embedding.table.weight.std() > 0.5


def test_every_parameter_is_used():
    net = randomised(MADE(V, D, FEATURES, hidden=HIDDEN, ordinal=True, num_classes=2))
    net(elements(V, 2, D), torch.tensor([0, 1])).square().sum().backward()
    assert [name for name, p in net.named_parameters() if p.grad is None] == []


@pytest.mark.parametrize("arguments", [{"hidden": 0}, {"features": 0}, {"element_width": 0}, {"depth": -1}])
def test_what_cannot_be_built_is_refused(arguments):
    with pytest.raises(InputError, match="start at 1 and depth at 0"):
        MADE(V, D, **arguments)


def test_what_cannot_be_read_is_refused():
    net = MADE(V, D)
    with pytest.raises(InputError, match="examples have 6 elements, but the network was built for at most 5"):
        net(torch.zeros(1, 6, dtype=torch.long))
    with pytest.raises(InputError, match="symbols run from 0 to 3"):
        net(torch.tensor([[0, 1, 2, 3, 0]]))
    with pytest.raises(InputError, match=r"permutation of 0..4, got \[0, 1, 2, 3, 3\]"):
        net.in_order(torch.tensor([0, 1, 2, 3, 3]))
    state = net.initial_state(1)
    for d in range(D):
        _, state = net.step(torch.zeros(1, dtype=torch.long) if d else None, state)
    with pytest.raises(InputError, match="all of them have been walked"):
        net.step(torch.zeros(1, dtype=torch.long), state)
