"""PixelCNN against masked convolutions, its field of view, its row cache and its errors."""

import numpy as np
import pytest
import torch
from scipy.signal import correlate2d
from torch.autograd import gradcheck

from chainrule.errors import InputError
from chainrule.networks.pixelcnn import PixelCNN
from chainrule.networks.pixelcnn_layers import Above, GatedBlock, Left, ResidualBlock
from chainrule.verification.laws import elements, randomised
from chainrule.verification.laws.networks import receptive_field

WIDTH = 3


def masked_convolution(x, weight, bias, rows, columns):
    """A full k x k kernel, cross-correlated as van den Oord et al. (2016) draw it, all but the given taps masked."""
    outputs, inputs, k, _ = weight.shape
    mask = np.zeros((k, k))
    mask[rows, columns] = 1
    maps = [
        sum(correlate2d(x[:, :, i], weight[o, i] * mask, mode="same") for i in range(inputs)) + bias[o]
        for o in range(outputs)
    ]
    return np.stack(maps, -1)


def numbers(tensor):
    return tensor.detach().double().numpy()


def above_oracle(conv, x):
    """What `Above` should be: in a k x k kernel, the rows up to the centre."""
    s = conv.size
    weight = numbers(conv.conv.weight)
    outputs, inputs, rows, k = weight.shape
    full = np.zeros((outputs, inputs, k, k))
    full[:, :, :rows] = weight
    return masked_convolution(x, full, numbers(conv.conv.bias), slice(0, s + (not conv.strict)), slice(None))


def left_oracle(conv, x):
    """What `Left` should be: in a k x k kernel, the centre's row up to the centre."""
    s, k = conv.size, 2 * conv.size + 1
    weight = numbers(conv.taps.weight)
    taps = s + (not conv.strict)
    full = np.zeros((len(weight), conv.inputs, k, k))
    full[:, :, s, :taps] = weight.reshape(len(weight), taps, conv.inputs).transpose(0, 2, 1)
    return masked_convolution(x, full, np.zeros(len(weight)), s, slice(0, taps))


def linear(layer, x):
    return x @ numbers(layer.weight).T + (0 if layer.bias is None else numbers(layer.bias))


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def layer_norm(x):
    return (x - x.mean(-1, keepdims=True)) / np.sqrt(x.var(-1, keepdims=True) + 1e-5)


def gated_oracle(block, v, h):
    def g(z):
        return np.tanh(z[..., :WIDTH]) * sigmoid(z[..., WIDTH:])

    def n(norm, z):
        return layer_norm(z) * numbers(norm.weight) + numbers(norm.bias)

    v = v + linear(block.above_out, g(above_oracle(block.above, n(block.above_norm, v))))
    b = left_oracle(block.left, n(block.left_norm, h)) + linear(block.across, v)
    return v, h + linear(block.left_out, g(b))


def residual_oracle(block, v, h):
    def c(z):
        both = np.concatenate([z, -z], -1)
        return np.where(both > 0, both, np.exp(np.minimum(both, 0)) - 1)

    def g(z):
        return z[..., :WIDTH] * sigmoid(z[..., WIDTH:])

    v = v + g(above_oracle(block.above_out, c(above_oracle(block.above, c(v)))))
    b = left_oracle(block.left, c(h)) + linear(block.across, c(v))
    return v, h + g(left_oracle(block.left_out, c(b)) + numbers(block.left_bias))


@pytest.mark.parametrize("strict", [False, True])
@pytest.mark.parametrize("size", [1, 2])
@pytest.mark.parametrize(("part", "oracle"), [(Above, above_oracle), (Left, left_oracle)])
def test_a_cut_kernel_is_a_masked_one(part, oracle, size, strict):
    conv = randomised(part(WIDTH, 2, size, strict=strict)).double()
    x = torch.randn(1, 4, 6, WIDTH, dtype=torch.float64)
    np.testing.assert_allclose(numbers(conv(x))[0], oracle(conv, x[0].numpy()), atol=1e-12)


@pytest.mark.parametrize(("part", "oracle"), [(GatedBlock, gated_oracle), (ResidualBlock, residual_oracle)])
def test_a_block_is_its_formula(part, oracle):
    block = randomised(part(WIDTH, 2, dropout=0.5)).double()
    v, h = torch.randn(2, 1, 4, 5, WIDTH, dtype=torch.float64)
    for got, expected in zip(block(v, h), oracle(block, v[0].numpy(), h[0].numpy()), strict=True):
        np.testing.assert_allclose(numbers(got)[0], expected, atol=1e-12)


@pytest.mark.parametrize("part", [GatedBlock, ResidualBlock])
def test_gradients_of_a_block(part):
    block = randomised(part(2, 1, dropout=0.0)).double()
    v, h = (torch.randn(1, 2, 3, 2, dtype=torch.float64, requires_grad=True) for _ in range(2))
    names, values = zip(*block.named_parameters(), strict=True)

    def function(v, h, *parameters):
        return torch.func.functional_call(block, dict(zip(names, parameters, strict=True)), (v, h))

    assert gradcheck(function, (v, h, *values))


@pytest.mark.parametrize("concat_elu", [False, True])
def test_it_sees_a_whole_rectangle_and_nothing_else(concat_elu):
    """The gradient of one pixel's features: no blind spot, exact zeros at the pixel itself and in the future."""
    depth, side, i, j = 2, 13, 10, 6
    net = randomised(PixelCNN(None, (side, side), 8, depth, concat_elu=concat_elu), scale=0.1).double()
    x = torch.randn(1, side * side, dtype=torch.float64, requires_grad=True)
    (gradient,) = torch.autograd.grad(net(x)[0, i * side + j].sum(), x)
    seen = gradient.view(side, side) != 0
    convolutions = 1 + depth * (2 if concat_elu else 1)
    expected = torch.zeros(side, side, dtype=torch.bool)
    expected[i, j - convolutions : j] = True
    expected[i - convolutions : i, max(0, j - convolutions - concat_elu) : j + convolutions + 1] = True
    assert torch.equal(seen, expected)


@pytest.mark.parametrize("concat_elu", [False, True])
@pytest.mark.parametrize(
    ("shape", "kernel_size"), [((6, 9), 3), ((2, 12), 5), ((1, 9), 3), ((9, 1), 3), ((4, 8, 2), 3)]
)
def test_the_receptive_field_is_exact(shape, kernel_size, concat_elu):
    net = randomised(PixelCNN(5, shape, 8, 1, kernel_size=kernel_size, concat_elu=concat_elu))
    assert net.receptive_field < net.length - 1
    receptive_field(net, elements(5, 1, net.length))


def test_the_vertical_stack_runs_once_a_row(monkeypatch):
    rows = []
    row = ResidualBlock.row
    monkeypatch.setattr(ResidualBlock, "row", lambda self, v, cache: rows.append(v.shape) or row(self, v, cache))
    net = PixelCNN(5, (4, 6), 8, 2).eval()
    with torch.no_grad():
        state = net.initial_state(3)
        for d in range(24):
            _, state = net.step(torch.zeros(3, dtype=torch.long) if d else None, state)
    assert rows == [(3, 1, 6, 8)] * 8


def test_a_channel_sees_the_channels_before_it():
    net = randomised(PixelCNN(None, (2, 2, 3), 8, 1)).double()
    x = torch.randn(1, 12, dtype=torch.float64, requires_grad=True)
    for d in range(12):
        (gradient,) = torch.autograd.grad(net(x)[0, d].sum(), x, allow_unused=True)
        assert torch.equal(gradient[0] != 0, torch.arange(12) < d)


def test_every_parameter_is_used():
    net = randomised(PixelCNN(5, (3, 3, 2), 8, 2, attention=[1], ordinal=True, num_classes=2))
    net(elements(5, 2, 18), torch.tensor([0, 1])).square().sum().backward()
    assert [name for name, p in net.named_parameters() if p.grad is None] == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"shape": 64}, r"reads images, \(H, W\) or \(H, W, channels\), got the shape \(64,\)"),
        ({"kernel_size": 4}, "kernel_size is odd and at least 3"),
        ({"depth": 0}, "start at 1"),
        ({"attention": [4]}, "attention follows blocks 1 to 3"),
        ({"attention": [1], "heads": 5}, "divides the width 64"),
    ],
)
def test_what_cannot_be_built_is_refused(arguments, message):
    with pytest.raises(InputError, match=message):
        PixelCNN(**({"num_symbols": 5, "shape": (4, 4)} | arguments))


def test_what_cannot_be_read_is_refused():
    net = PixelCNN(5, (2, 2), 8, 1)
    with pytest.raises(InputError, match="examples have 5 elements, but the network was built for at most 4"):
        net(torch.zeros(1, 5, dtype=torch.long))
    with pytest.raises(InputError, match="integers"):
        net(torch.zeros(1, 4))
    state = net.initial_state(1)
    for d in range(4):
        _, state = net.step(torch.zeros(1, dtype=torch.long) if d else None, state)
    with pytest.raises(InputError, match="all of them have been walked"):
        net.step(torch.zeros(1, dtype=torch.long), state)
