"""NADE of sparse rows against every sum written out."""

import pytest
import torch

from chainrule.errors import InputError
from chainrule.heads.bernoulli import BernoulliHead
from chainrule.models.chain import AutoregressiveModel
from chainrule.networks.nade import NADE
from chainrule.networks.sparse_nade import SparseNADE
from chainrule.verification.laws import randomised


def rows(n, length, share, symbols=2, seed=0):
    """Symbols of which a share is not 0, in one row none and in one the ends."""
    generator = torch.Generator().manual_seed(seed)
    x = torch.randint(symbols, (n, length), generator=generator)
    x *= torch.rand(n, length, generator=generator) < share
    x[0], x[1, 0], x[1, -1] = 0, 1, 1
    return x


def network(symbols=2, length=300, **options):
    torch.manual_seed(0)
    net = randomised(SparseNADE(symbols, length, width=24, **options))
    net.initialise(rows(50, length, 0.05, symbols, seed=1))
    return net.double()


@pytest.mark.parametrize(("symbols", "depth", "ordinal"), [(2, 0, False), (5, 2, True)])
def test_it_is_nade_whose_centre_is_the_usual_symbol(symbols, depth, ordinal):
    net = network(symbols, depth=depth, ordinal=ordinal).eval()
    twin = NADE(symbols, 300, depth=depth, width=24, ordinal=ordinal).double().eval()
    state = {name: value for name, value in net.state_dict().items() if name != "usual"}
    with torch.no_grad():
        twin.load_state_dict(state | {"mean": net.embedding.elements(net.usual)})
    x = rows(9, 300, 0.04, symbols)
    torch.testing.assert_close(net(x), twin(x), rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("depth", [0, 1])
def test_few_sums_are_those_of_every_element_in_training_too(depth):
    """The same units are dropped, and every parameter has the same gradient."""
    net, x = network(depth=depth, dropout=0.5, num_classes=3).train(), rows(9, 300, 0.04)
    found = []
    for features in (lambda: net(x, torch.arange(9) % 3), lambda: net.layers(x, torch.arange(9) % 3)[-1]):
        torch.manual_seed(1)
        net.zero_grad()
        h = features()
        (h * torch.linspace(-1, 1, h.numel()).view_as(h)).sum().backward()
        found.append([h.detach(), *(parameter.grad for parameter in net.parameters() if parameter.grad is not None)])
    for ours, theirs in zip(*found, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("n", [1, 2, 7])
def test_alone_as_in_a_batch_and_as_the_walk(n):
    model = AutoregressiveModel(network(), BernoulliHead(1)).double().eval()
    x = rows(8, 300, 0.04)[-n:]
    together = model.element_log_prob(x)
    torch.testing.assert_close(together, torch.cat([model.element_log_prob(row[None]) for row in x]))
    state, h = model.network.initial_state(n), []
    for d in range(300):
        h_d, state = model.network.step(x[:, d - 1] if d else None, state)
        h.append(h_d)
    torch.testing.assert_close(torch.stack(h, 1), model.network(x), rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("length", [1, 2, 7, 300])
def test_where_nothing_is_unusual_and_shorter_rows(length):
    net = network().eval()
    x = torch.zeros(3, length, dtype=torch.long)
    torch.testing.assert_close(net(x), net.layers(x)[-1], rtol=1e-10, atol=1e-10)


def test_no_rows_have_no_features():
    """Of a last batch that is shared out, some processes have none."""
    assert network()(torch.zeros(0, 300, dtype=torch.long)).shape == (0, 300, 1)


def test_the_usual_symbol_is_the_most_frequent_one():
    net = SparseNADE(3, 2)
    net.initialise(torch.tensor([[0, 2], [1, 2], [1, 0]]))
    assert net.usual.tolist() == [1, 2]


def test_real_numbers_are_refused():
    with pytest.raises(InputError, match="take NADE"):
        SparseNADE(None, 5)
