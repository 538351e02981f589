"""Dropout keeps the mean, drops its share and does nothing in evaluation mode."""

import pytest
import torch

from chainrule.errors import InputError
from chainrule.networks.dropout import Dropout


def test_it_drops_its_share_and_keeps_the_mean():
    torch.manual_seed(0)
    x = torch.ones(200_000, requires_grad=True)
    y = Dropout(0.3)(x)
    assert set(y.detach().unique().tolist()) == {0.0, torch.tensor(1 / 0.7).item()}
    assert abs(float((y == 0).float().mean()) - 0.3) < 0.005
    assert abs(float(y.detach().mean()) - 1) < 0.01
    (gradient,) = torch.autograd.grad(y.sum(), x)
    assert torch.equal(gradient, y.detach())


def test_it_is_the_identity_where_nothing_is_to_be_dropped():
    x = torch.randn(5)
    assert Dropout(0.5).eval()(x) is x
    assert Dropout(0.0)(x) is x


@pytest.mark.parametrize("p", [-0.1, 1.0])
def test_a_share_that_is_none_is_refused(p):
    with pytest.raises(InputError, match="at least 0 and below 1"):
        Dropout(p)
