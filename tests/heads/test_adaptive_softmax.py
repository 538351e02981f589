import numpy as np
import pytest
import torch
from torch import nn

from chainrule import InputError
from chainrule.heads import AdaptiveSoftmaxHead
from chainrule.verification.laws import check_head, randomised
from tests.support.oracles import adaptive_softmax

H, V = 8, 20
CUTOFFS = [4, 9]
COUNTS = [(7 * k + 3) % 11 for k in range(V)]  # with ties and zeros


def head(dtype=torch.float64, **options):
    return randomised(AdaptiveSoftmaxHead(H, V, COUNTS, cutoffs=CUTOFFS, shrink=2, **options)).to(dtype)


def every_symbol(part, h):
    """ln p of every symbol for each row of h, by log_prob alone."""
    return part(h.unsqueeze(1).expand(-1, V, -1)).log_prob(torch.arange(V).expand(len(h), -1))


def arrays(linear):
    return linear.weight.detach().numpy(), linear.bias.detach().numpy()


def test_against_the_paper():
    part, h = head(), torch.randn(6, H, dtype=torch.float64)
    clusters = [(c.project.weight.detach().numpy(), *arrays(c.linear)) for c in part.clusters]
    exact = np.stack([adaptive_softmax(row, arrays(part.linear), clusters, COUNTS, CUTOFFS) for row in h.numpy()])
    np.testing.assert_allclose(every_symbol(part, h).detach(), exact, rtol=1e-12)
    np.testing.assert_allclose(part(h).pmf().detach(), np.exp(exact), rtol=1e-12)
    np.testing.assert_allclose(every_symbol(part.float(), h.float()).detach(), exact, rtol=1e-5, atol=1e-6)


def test_with_pytorchs_parametrisation():
    peer = nn.AdaptiveLogSoftmaxWithLoss(H, V, CUTOFFS, div_value=2, head_bias=True).double()
    part = AdaptiveSoftmaxHead(H, V, cutoffs=CUTOFFS, shrink=2).double()
    part.linear.load_state_dict(peer.head.state_dict())
    for cluster, (project, linear) in zip(part.clusters, peer.tail, strict=True):
        nn.init.zeros_(cluster.linear.bias)
        cluster.project.weight, cluster.linear.weight = project.weight, linear.weight
    h = torch.randn(6, H, dtype=torch.float64)
    torch.testing.assert_close(every_symbol(part, h), peer.log_prob(h))


@pytest.mark.parametrize("scale", [1e-4, 1.0, 1e4])
def test_precision_of_given_logits(scale):
    part = AdaptiveSoftmaxHead(1, V, COUNTS, cutoffs=CUTOFFS, shrink=1)
    with torch.no_grad():
        for weight in part.parameters():
            weight.copy_(torch.randn(weight.shape, generator=torch.Generator().manual_seed(weight.numel())) * scale)
        for linear in (part.linear, *(c.linear for c in part.clusters)):
            nn.init.zeros_(linear.weight)  # the logits are the biases, exactly
    clusters = [(c.project.weight.detach().numpy(), *arrays(c.linear)) for c in part.clusters]
    exact = adaptive_softmax(np.zeros(1), arrays(part.linear), clusters, COUNTS, CUTOFFS)
    ours = every_symbol(part, torch.zeros(1, 1))[0].detach().numpy()
    assert (np.abs(ours - exact) <= 4 * np.finfo(np.float32).eps * np.maximum(1, np.abs(exact))).all()


def test_gradcheck():
    part, h, x = head(), torch.randn(5, H, dtype=torch.float64, requires_grad=True), torch.tensor([0, 5, 9, 13, 19])
    assert torch.autograd.gradcheck(lambda h, *_: part(h).log_prob(x), (h, *part.parameters()))
    assert torch.autograd.gradcheck(lambda h, *_: part(h).entropy(), (h, *part.parameters()))


def test_the_numbers_of_the_symbols_do_not_matter():
    part, h, shuffle = head(), torch.randn(6, H, dtype=torch.float64), torch.randperm(V)
    distinct = torch.arange(V) * 2.0
    part.sort(distinct)
    before = every_symbol(part, h)
    part.sort(distinct[shuffle])
    torch.testing.assert_close(every_symbol(part, h), before[:, shuffle])


def test_counts_are_saved_and_may_come_from_data():
    given = head()
    loaded = AdaptiveSoftmaxHead(H, V, cutoffs=CUTOFFS, shrink=2).double()
    loaded.load_state_dict(given.state_dict())
    h = torch.randn(6, H, dtype=torch.float64)
    assert torch.equal(every_symbol(loaded, h), every_symbol(given, h))
    data = torch.repeat_interleave(torch.arange(V), torch.tensor(COUNTS)).double()
    counted = AdaptiveSoftmaxHead(H, V)
    counted.initialise(torch.cat([data, torch.tensor([torch.nan])])[torch.randperm(len(data) + 1), None])
    assert torch.equal(counted.rank, given.rank)
    given.initialise(torch.zeros(3, 4))
    assert torch.equal(counted.rank, given.rank)  # what was given stays


def test_shapes_masks_and_empty_clusters():
    part = head()
    for shape in ((), (3,), (2, 3), (2, 1, 3)):
        h, x = torch.randn(*shape, H, dtype=torch.float64), torch.randint(V, shape)
        assert part(h).log_prob(x).shape == part(h).sample().shape == part(h).entropy().shape == shape
        assert part(h).pmf().shape == (*shape, V)
    frequent = int(np.argmax(COUNTS))
    part(torch.randn(3, H, dtype=torch.float64)).log_prob(torch.full((3,), frequent)).sum().backward()
    assert all(parameter.grad is not None for parameter in part.parameters())  # unused clusters too: DDP needs them
    x, p = torch.tensor([[1, V, -5]]), part(torch.randn(1, 3, H, dtype=torch.float64))
    for mask in (torch.tensor([[True, False, False]]), torch.zeros(1, 3, dtype=torch.bool)):
        log_prob = p.masked_log_prob(x, mask)
        assert torch.equal(log_prob != 0, mask)
        assert all(g.isfinite().all() for g in torch.autograd.grad(log_prob.sum(), list(part.parameters())))


def test_few_symbols_need_no_clusters():
    for num_symbols in (1, 2, 4, 5, 25):
        check_head(AdaptiveSoftmaxHead(H, num_symbols))
    assert len(AdaptiveSoftmaxHead(H, 4).clusters) == 0


@pytest.mark.parametrize(
    "options",
    [
        {"cutoffs": [5, 5]},
        {"cutoffs": [0, 5]},
        {"cutoffs": [V]},
        {"shrink": 0},
        {"counts": [1, 2]},
        {"counts": [-1] * V},
        {"counts": [0] * V},
        {"counts": [float("nan")] * V},
    ],
)
def test_bad_options(options):
    with pytest.raises(InputError):
        AdaptiveSoftmaxHead(H, V, **options)


@pytest.mark.parametrize(
    "x", [torch.tensor([0, V]), torch.tensor([-1, 0]), torch.tensor([0.0, 1.0]), torch.tensor([0])]
)
def test_bad_elements(x):
    with pytest.raises(InputError):
        head(torch.float32)(torch.zeros(2, H)).log_prob(x)
    with pytest.raises(InputError):
        AdaptiveSoftmaxHead(H, V).initialise(torch.tensor([[0.0, V]]))
