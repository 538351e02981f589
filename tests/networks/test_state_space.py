"""The linear recurrence: its sums and gradients, packed rows, long streams, and a compiled step."""

import pytest
import torch

from chainrule.errors import InputError
from chainrule.heads import CategoricalHead
from chainrule.models.chain import AutoregressiveModel
from chainrule.networks import StateSpace
from chainrule.networks.linear_scan import linear_scan
from chainrule.verification.laws import randomised


def network(length=12, **options):
    torch.manual_seed(0)
    return randomised(StateSpace(5, length, 8, 2, **options)).eval()


def test_the_scan_is_the_recurrence_and_its_gradient_is_exact():
    a, b = torch.rand(6, 2, 3, dtype=torch.float64), torch.randn(6, 2, 3, dtype=torch.float64)
    s, states = torch.zeros(2, 3, dtype=torch.float64), linear_scan(a, b)
    for d in range(6):
        s = a[d] * s + b[d]
        assert torch.allclose(states[d], s, atol=1e-15)
    assert torch.autograd.gradcheck(linear_scan, (a.requires_grad_(), b.requires_grad_()))


def test_packed_examples_do_not_see_each_other():
    net, x = network(24), torch.randint(5, (1, 21))
    segments = torch.tensor([[0] * 8 + [3] * 9 + [4] * 4])
    packed = net.packed(x, segments)
    for begin, end in ((0, 8), (8, 17), (17, 21)):
        assert torch.allclose(packed[:, begin:end], net(x[:, begin:end]), atol=1e-5)
    with pytest.raises(InputError, match="learned coordinates"):
        StateSpace(5, (2, 3), 8).packed(x[:, :6], segments[:, :6])


def test_a_step_goes_on_for_ever():
    net, x = network(), torch.randint(5, (1, 40))
    state, features = net.initial_state(1), []
    for d in range(40):
        h, state = net.step(x[:, d - 1] if d else None, state)
        features.append(h)
    assert torch.allclose(torch.stack(features, 1), net(x), atol=1e-4)
    assert net.carries_state


def test_sizes_that_make_no_network_are_refused():
    with pytest.raises(InputError, match="start at 1"):
        StateSpace(5, 12, 8, 0)


@pytest.mark.soak
def test_a_compiled_step_is_the_eager_one(tmp_path, monkeypatch):
    monkeypatch.setenv("CHAINRULE_CACHE", str(tmp_path))
    from chainrule.sampling.compiled import compile_step

    model = AutoregressiveModel(network(), CategoricalHead(8, 5)).eval()
    assert torch.equal(compile_step(model).sample(1, seed=0).x, model.sample(1, seed=0).x)
