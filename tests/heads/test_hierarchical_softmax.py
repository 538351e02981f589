import numpy as np
import pytest
import torch

from chainrule import InputError
from chainrule.heads import HierarchicalSoftmaxHead
from chainrule.heads.hierarchical_softmax import huffman
from chainrule.verification.laws import check_head, randomised
from tests.support.oracles import least_code_length, tree_softmax

H, V = 8, 21
COUNTS = [2 ** (k % 9) for k in range(V - 1)] + [0]


def head(counts=COUNTS, dtype=torch.float64):
    return randomised(HierarchicalSoftmaxHead(H, V, counts)).to(dtype)


def every_symbol(part, h):
    """ln p of every symbol for each row of h, by log_prob alone."""
    return part(h.unsqueeze(1).expand(-1, V, -1)).log_prob(torch.arange(V).expand(len(h), -1))


def exact(part, h):
    """The same by the definition."""
    weight, bias = part.weight.detach().numpy(), part.bias.detach().numpy()
    return np.stack([tree_softmax(row, weight, bias, part.children_of.tolist()) for row in h.numpy()])


@pytest.mark.parametrize("counts", [COUNTS, None], ids=["huffman", "balanced"])
def test_against_the_definition(counts):
    part, h = head(counts), torch.randn(6, H, dtype=torch.float64)
    np.testing.assert_allclose(every_symbol(part, h).detach(), exact(part, h), rtol=1e-12)
    np.testing.assert_allclose(part(h).pmf().detach(), np.exp(exact(part, h)), rtol=1e-12)
    assert every_symbol(part.float(), h.float()).dtype == torch.float32


@pytest.mark.parametrize("scale", [1e-4, 1.0, 100.0, 1e4])
def test_precision_of_given_logits(scale):
    part, h = head(dtype=torch.float32), torch.zeros(1, H)
    with torch.no_grad():
        part.bias.copy_(torch.randn(V - 1, generator=torch.Generator().manual_seed(0)) * scale)
    truth, ours = exact(part, h)[0], every_symbol(part, h)[0].detach().numpy()
    assert (np.abs(ours - truth) <= 4 * np.finfo(np.float32).eps * np.maximum(1, np.abs(truth))).all()
    assert float(part(h).pmf().detach().sum()) == pytest.approx(1, abs=1e-6)


def depths(children):
    v = len(children) + 1
    depth = [0] * (2 * v - 1)
    for node in range(2 * v - 2, v - 1, -1):
        for child in children[node - v].tolist():
            depth[child] = depth[node] + 1
    return np.array(depth[:v])


@pytest.mark.parametrize("seed", range(5))
def test_huffmans_tree_is_the_shortest(seed):
    counts = np.random.default_rng(seed).integers(0, 1000, 50)
    depth = depths(huffman(torch.tensor(counts)))
    assert (0.5**depth).sum() == 1  # Kraft: a whole tree
    assert int((counts * depth).sum()) == least_code_length(counts.tolist())


def test_equal_counts_are_balanced():
    assert set(depths(huffman(torch.ones(37)))) == {5, 6}
    assert set(depths(huffman(torch.zeros(64)))) == {6}


def test_gradcheck():
    part, h, x = head(), torch.randn(5, H, dtype=torch.float64, requires_grad=True), torch.tensor([0, 20, 3, 8, 8])
    assert torch.autograd.gradcheck(lambda h, *_: part(h).log_prob(x), (h, part.weight, part.bias))
    assert torch.autograd.gradcheck(lambda h, *_: part(h).entropy(), (h, part.weight, part.bias))


def test_chunks_of_pairs(monkeypatch):
    part, h, x = head(), torch.randn(40, H, dtype=torch.float64), torch.arange(40) % V
    whole = torch.autograd.grad(part(h).log_prob(x).sum(), list(part.parameters()))
    monkeypatch.setattr("chainrule.heads.hierarchical_softmax.CHUNK", 7 * H)
    for a, b in zip(whole, torch.autograd.grad(part(h).log_prob(x).sum(), list(part.parameters())), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-12, atol=1e-12)


def test_the_walk_reads_few_nodes():
    part = HierarchicalSoftmaxHead(H, 4096)
    rows, nodes, right = part.paths(torch.arange(4096))
    assert len(rows) == len(nodes) == len(right) == 12 * 4096


def test_icdf_runs_through_the_leaves():
    part = head()
    h = torch.randn(1, H, dtype=torch.float64)
    p, order = part(h), part(h).order
    assert sorted(order.tolist()) == list(range(V))
    end = p.pmf()[0, order].cumsum(0).detach()
    middle = end - p.pmf()[0, order].detach() / 2
    assert torch.equal(part(h.expand(V, -1)).icdf(middle), order)
    assert part(h).icdf(torch.zeros(1)).item() == order[0]
    assert part(h).icdf(torch.tensor([1 - 2.0**-53], dtype=torch.float64)).item() == order[-1]


def test_a_symbol_of_mass_zero_is_never_drawn():
    part = head()
    with torch.no_grad():
        part.weight.zero_()
        part.bias.copy_(torch.where(torch.arange(V - 1) % 2 > 0, 1e4, -1e4))
    only = part(torch.zeros(1, H, dtype=torch.float64)).pmf().argmax()
    u = torch.cat([torch.zeros(1, dtype=torch.float64), torch.linspace(0, 1 - 2.0**-53, 99, dtype=torch.float64)])
    assert (part(torch.zeros(100, H, dtype=torch.float64)).icdf(u) == only).all()


def test_the_tree_is_saved_and_may_come_from_data():
    given, loaded = head(), HierarchicalSoftmaxHead(H, V).double()
    loaded.load_state_dict(given.state_dict())
    h = torch.randn(6, H, dtype=torch.float64)
    assert torch.equal(every_symbol(loaded, h), every_symbol(given, h))
    counted = HierarchicalSoftmaxHead(H, V)
    counted.initialise(torch.repeat_interleave(torch.arange(V), torch.tensor(COUNTS))[None])
    assert torch.equal(counted.children_of, given.children_of)
    given.initialise(torch.zeros(3, 4))
    assert torch.equal(counted.parent_of, given.parent_of)  # what was given stays


def test_shapes_and_masks():
    part = head()
    for shape in ((), (3,), (2, 3), (2, 1, 3)):
        h, x = torch.randn(*shape, H, dtype=torch.float64), torch.randint(V, shape)
        assert part(h).log_prob(x).shape == part(h).sample().shape == part(h).entropy().shape == shape
    x, p = torch.tensor([[1, V, -5]]), part(torch.randn(1, 3, H, dtype=torch.float64))
    for mask in (torch.tensor([[True, False, False]]), torch.zeros(1, 3, dtype=torch.bool)):
        log_prob = p.masked_log_prob(x, mask)
        assert torch.equal(log_prob != 0, mask)
        assert all(g.isfinite().all() for g in torch.autograd.grad(log_prob.sum(), list(part.parameters())))


def test_small_trees_obey_the_laws():
    for num_symbols in (2, 3, 8):
        check_head(HierarchicalSoftmaxHead(H, num_symbols))


def test_bad_input():
    for options in ((1,), (V, [1, 2]), (V, [-1] * V), (V, [0] * V)):
        with pytest.raises(InputError):
            HierarchicalSoftmaxHead(H, *options)
    for x in (torch.tensor([0, V]), torch.tensor([-1, 0]), torch.tensor([0.0, 1.0]), torch.tensor([0])):
        with pytest.raises(InputError):
            head()(torch.zeros(2, H, dtype=torch.float64)).log_prob(x)
