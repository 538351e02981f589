"""The recurrent network against the equations of its cells."""

import numpy as np
import pytest
import torch

from chainrule.errors import InputError
from chainrule.networks.recurrent import Recurrent
from chainrule.verification.laws import elements, randomised

WIDTH = 4


def numbers(tensor):
    return tensor.detach().double().numpy()


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def gru_oracle(weights, y, state):
    """r, z = sigmoid(...), n = tanh(W y + b + r (U h + c)), h' = (1 - z) n + z h: the reset gate after the product."""
    into, across, into_bias, across_bias = weights
    a, b = into @ y + into_bias, across @ state[0] + across_bias
    (ar, az, an), (br, bz, bn) = np.split(a, 3), np.split(b, 3)
    r, z = sigmoid(ar + br), sigmoid(az + bz)
    return ((1 - z) * np.tanh(an + r * bn) + z * state[0],)


def lstm_oracle(weights, y, state):
    """c' = f c + i g, h' = o tanh(c')."""
    into, across, into_bias, across_bias = weights
    i, f, g, o = np.split(into @ y + into_bias + across @ state[0] + across_bias, 4)
    c = sigmoid(f) * state[1] + sigmoid(i) * np.tanh(g)
    return sigmoid(o) * np.tanh(c), c


def layer_norm(norm, y):
    return (y - y.mean()) / np.sqrt(y.var() + norm.eps) * numbers(norm.weight)


@pytest.mark.parametrize(("lstm", "cell"), [(False, gru_oracle), (True, lstm_oracle)])
def test_it_is_its_formula(lstm, cell):
    net = randomised(Recurrent(3, 6, WIDTH, 2, lstm=lstm)).double()
    x = elements(3, 1, 6)
    y = numbers(net.embedding(x))[0]
    for norm, layer in zip(net.norms, net.cells, strict=True):
        weights = [numbers(weight) for weight in layer.all_weights[0]]
        state = (np.zeros(WIDTH),) * 2
        for d in range(len(y)):
            state = cell(weights, layer_norm(norm, y[d]), state)
            y[d] = y[d] + state[0]
    expected = np.stack([layer_norm(net.norm, row) for row in y])
    np.testing.assert_allclose(numbers(net(x))[0], expected, atol=1e-12)


@pytest.mark.parametrize("lstm", [False, True])
def test_the_state_does_not_grow(lstm):
    net = Recurrent(3, 6, WIDTH, 2, lstm=lstm).eval()
    state = net.initial_state(5)
    sizes = []
    with torch.no_grad():
        for d in range(6):
            _, state = net.step(torch.zeros(5, dtype=torch.long) if d else None, state)
            sizes.append(sum(part.numel() for layer in state.layers for part in layer))
    assert sizes == [5 * WIDTH * 2 * (1 + lstm)] * 6


def test_it_walks_on_beyond_its_length_when_it_has_no_coordinates():
    net = randomised(Recurrent(3, 6, WIDTH))
    x = elements(3, 2, 20)
    with torch.no_grad():
        state, steps = net.initial_state(2), []
        for d in range(20):
            h, state = net.step(x[:, d - 1] if d else None, state)
            steps.append(h)
        torch.testing.assert_close(torch.stack(steps, 1), net(x), atol=1e-5, rtol=0)


def test_every_parameter_is_used():
    net = randomised(Recurrent(3, (2, 3), WIDTH, 2, ordinal=True, num_classes=2))
    net(elements(3, 2, 6), torch.tensor([0, 1])).square().sum().backward()
    assert [name for name, p in net.named_parameters() if p.grad is None] == []


def test_what_cannot_be_built_is_refused():
    with pytest.raises(InputError, match="width and depth start at 1, got 0 and 1"):
        Recurrent(3, 6, 0)
